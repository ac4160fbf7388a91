"""Processes that are killed, or never come up: the run goes on, or ends and says why, and leaves no process behind."""

import contextlib
import dataclasses
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import time

import forked
import numpy as np
import pandas as pd
import pytest

from autoaug import training
from autoaug.files import ROOT
from autoaug.training.cluster import launcher, supervisor
from autoaug.training.step import MEASURES

SCRIPT = ROOT / "tests" / "helpers" / "train_cluster.py"
A_FEW_STEPS = 0.7  # seconds of a processor's time, above what a worker that only waits has used


@pytest.fixture(autouse=True, scope="module")
def compiled_imports():
    """Every cluster imports TensorFlow anew, which takes three times as long where bytecode is not kept."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        yield


def processes(run_dir):
    """Process ids by task, the newest of each."""
    log = run_dir / "cluster.log"
    found = re.findall(r"^(.+ \d): process (\d+)$", log.read_text() if log.exists() else "", re.MULTILINE)
    return {name: int(process) for name, process in found}


def cpu_seconds(process):
    """That the process has used; 0 where there is none."""
    try:
        fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def assert_no_process_is_left(run_dir):
    """Within ten seconds: none of this run's log, as the supervisor and all of its tasks are."""
    log, deadline = str(run_dir / "cluster.log"), time.monotonic() + 10
    while left := [path for path in pathlib.Path("/proc").glob("[0-9]*/fd/2") if points_to(path, log)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def points_to(link, target):
    try:
        return str(link.readlink()) == target
    except OSError:
        return False


def test_a_killed_worker_is_done_without_and_taken_back(tiny_dataset, tiny_recipe, tmp_path):
    """Killed first, then once it has worked again, then at once until it is given up; then Ctrl-C ends the run."""
    recipe, killed, epochs_without = dataclasses.replace(tiny_recipe, epochs=1000), [], []

    def kill_again(history):
        process = processes(tmp_path)["worker 1"]
        if len(warned) > supervisor.RESTARTS:
            epochs_without.append(len(history))
            if len(epochs_without) == 2:  # of which the first had begun before
                signal.raise_signal(signal.SIGINT)
        elif process not in killed and (len(killed) != 1 or cpu_seconds(process) > A_FEW_STEPS):
            killed.append(process)
            os.kill(process, signal.SIGKILL)

    with pytest.warns(UserWarning) as warned, pytest.raises(KeyboardInterrupt):
        training.train(recipe, tiny_dataset, tmp_path, workers=2, on_epoch=kill_again)
    again = "worker 1 ended (killed by SIGKILL). It is started again; meanwhile the others go on."
    for_good = "worker 1 ended (killed by SIGKILL), for the 4th time. The others go on without it."
    assert [str(warning.message) for warning in warned] == [again] * 3 + [for_good]
    history = pd.read_csv(tmp_path / "history.csv")
    assert list(history.epoch) == list(range(1, len(history) + 1)) and len(history) >= epochs_without[1]
    assert_no_process_is_left(tmp_path)


@pytest.mark.parametrize(
    "task, message",
    [
        ("parameter server 0", r"parameter server 0 ended \(killed by SIGKILL\), and the others cannot"),
        ("chief 0", r"the chief ended \(killed by SIGKILL\)"),
    ],
)
def test_a_run_ends_with_what_it_cannot_do_without_and_goes_on_later(
    task, message, tiny_dataset, tiny_recipe, tmp_path
):
    killed = []

    def kill(history):
        if len(history) == 2:
            os.kill(processes(tmp_path)[task], signal.SIGKILL)
            killed.append(time.monotonic())

    recipe = dataclasses.replace(tiny_recipe, epochs=10)
    with pytest.raises(training.ClusterError, match=message + r".* goes on from the checkpoint of step \d+\."):
        training.train(recipe, tiny_dataset, tmp_path, workers=2, on_epoch=kill)
    assert time.monotonic() - killed[0] < 60
    assert_no_process_is_left(tmp_path)
    earlier = pd.read_csv(tmp_path / "history.csv")
    training.train(recipe, tiny_dataset, tmp_path, workers=2)
    history = pd.read_csv(tmp_path / "history.csv")
    assert list(history.epoch) == list(range(1, 11))
    pd.testing.assert_frame_equal(history[: len(earlier)], earlier)


def test_a_full_disk_is_said(tiny_dataset, tiny_recipe, tmp_path):
    """Also where the other workers end because the chief has. The limit on a file's size stands for the full disk."""
    recipe, limits = dataclasses.replace(tiny_recipe, epochs=10), resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_the_disk(history):
        resource.prlimit(processes(tmp_path)["chief 0"], resource.RLIMIT_FSIZE, (100_000, limits[1]))

    message = r"step-\d+: the checkpoint could not be written; .* TensorFlow says: /\S+; File too large$"
    with pytest.raises(OSError, match=message):
        training.train(recipe, tiny_dataset, tmp_path, workers=2, on_epoch=fill_the_disk)
    assert_no_process_is_left(tmp_path)


def test_a_cost_that_is_not_finite_is_said(tiny_dataset, tiny_recipe, tmp_path):
    """In the second step, or in the third where that one was ahead: the workers do not wait for each other."""
    recipe = dataclasses.replace(tiny_recipe, learning_rate=1e30)
    with pytest.raises(FloatingPointError, match=r"the cost of step ([23]) \(epoch 1, batch \1\) is not finite"):
        training.train(recipe, tiny_dataset, tmp_path, workers=2)
    assert (tmp_path / "failed_step.npz").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_ctrl_c_and_kill_leave_no_process(number, tmp_path):
    command = [sys.executable, str(SCRIPT), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        next(line for line in process.stdout if "Estimated duration" in line)
        process.send_signal(number)
        said = process.stdout.read()
    assert process.returncode == -number, said
    assert_no_process_is_left(tmp_path)
    if number == signal.SIGINT:
        stopped = re.search(r"Stopped after step (\d+) of 4,000. The same command", said)
        assert (tmp_path / "checkpoints" / f"step-{int(stopped[1]):09d}.index").exists()


def test_a_worker_that_never_comes_up(ports_of_hosts, tiny_dataset, tiny_recipe, tmp_path, monkeypatch):
    """The second host of two is never started."""
    monkeypatch.setenv("SM_HOSTS", '["127.0.0.1", "127.0.0.2"]')
    monkeypatch.setenv("SM_CURRENT_HOST", "127.0.0.1")
    monkeypatch.setattr(launcher, "STARTUP_SECONDS", 3)
    message = (
        r"Expected an answer within 3 s. Received: none from parameter server 1 at 127\.0\.0\.2:22224, worker 1 at "
    )
    with pytest.raises(training.ClusterError, match=message):
        training.train(tiny_recipe, tiny_dataset, tmp_path, workers=2)
    assert_no_process_is_left(tmp_path)


@contextlib.contextmanager
def second_host(update):
    """The supervisor of a job's second host; the first one is this process."""
    command = [sys.executable, "-m", "autoaug.training.cluster.supervisor", "--update", update]
    environment = os.environ | {"SM_CURRENT_HOST": "127.0.0.2"}
    log = subprocess.DEVNULL
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True) as other:
        try:
            yield other
        finally:
            other.kill()


@pytest.fixture
def two_hosts(ports_of_hosts, monkeypatch):
    """This process is the first host of two."""
    monkeypatch.setenv("SM_HOSTS", '["127.0.0.1", "127.0.0.2"]')
    monkeypatch.setenv("SM_CURRENT_HOST", "127.0.0.1")


def test_two_hosts_of_an_asynchronous_job(two_hosts, tiny_dataset, tiny_recipe, tmp_path):
    with second_host("async") as other:
        training.train(tiny_recipe, tiny_dataset, tmp_path, workers=2)
        assert (other.communicate(timeout=30)[0], other.returncode) == ("The chief has ended.\n", 0)
    assert list(pd.read_csv(tmp_path / "history.csv").epoch) == [1, 2, 3]
    assert_no_process_is_left(tmp_path)


def test_two_synchronous_hosts_compute_what_two_devices_of_one_process_compute(
    two_hosts, tiny_dataset, tiny_recipe, tmp_path, monkeypatch
):
    """Also where one of them is lost meanwhile: the run ends, and goes on later."""
    recipe = dataclasses.replace(tiny_recipe, epochs=5, learning_rate=0.01)
    arguments = {"workers": 2, "update": "sync", "seed": 6}
    with second_host("sync") as other, pytest.raises(training.ClusterError, match="goes on from the checkpoint of"):
        training.train(
            recipe, tiny_dataset, tmp_path / "hosts", **arguments,
            on_epoch=lambda history: len(history) == 2 and other.kill(),
        )  # fmt: skip
    assert_no_process_is_left(tmp_path / "hosts")
    with second_host("sync") as other:
        training.train(recipe, tiny_dataset, tmp_path / "hosts", **arguments)
        assert (other.communicate(timeout=30)[0], other.returncode) == ("The chief has ended.\n", 0)
    monkeypatch.delenv("SM_HOSTS")
    assert forked.run(tmp_path / "said", "train_mirrored.py", tmp_path / "devices", "live") == 0
    histories = [pd.read_csv(tmp_path / name / "history.csv")[list(MEASURES)] for name in ("hosts", "devices")]
    assert len(histories[0]) == 5
    np.testing.assert_allclose(*histories, rtol=1e-3)
