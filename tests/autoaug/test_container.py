"""What a SageMaker job runs, under /opt/ml in a mount namespace of its own."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from autoaug import container, launch, records

ALLOWED = os.uname().sysname == "Linux" and subprocess.run(["unshare", "-m", "true"], check=False).returncode == 0
JOB = """
mount --bind "$1" /opt && mkdir -p /opt/ml/model /opt/ml/output && cd /opt/code && shift
exec "$@"
"""


def start_job(folder, *arguments, **environment):
    """Starts the source that a launch sends, `folder` becoming /opt; returns the process."""
    launch.stage(folder / "code")
    host = {"SM_HOSTS": '["algo-10"]', "SM_CURRENT_HOST": "algo-10", "SM_MODEL_DIR": "/opt/ml/model"}
    command = ["unshare", "-m", "bash", "-ec", JOB, "job", str(folder), sys.executable, "autoaug/container.py"]
    environment = {**os.environ, **host, **environment}
    return subprocess.Popen([*command, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True)  # fmt: skip


def run_job(folder, *arguments):
    """The completed process of a job with one host."""
    with start_job(folder, *arguments) as process:
        output = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, *output)


@pytest.mark.skipif(not ALLOWED, reason="needs the right to make mount namespaces: unshare -m")
class TestJob:
    def test_success_leaves_the_run_its_checkpoint_and_the_executed_notebook(self, tmp_path):
        done = run_job(tmp_path, "--model", "wrn", "--epochs", "1", "--workers", "1", "--xla", "False")
        assert done.returncode == 0, done.stderr
        (run,) = (tmp_path / "ml" / "output" / "data" / "runs").iterdir()
        record = records.read(run)
        assert record["status"] == "finished" and record["recipe"]["epochs"] == 1
        sent = json.loads((tmp_path / "code" / "code_version.json").read_text())
        assert record["code"] == sent and sent["version"]  # of the checkout that it was sent from
        assert (run / "history.csv").exists() and (run / "predictions" / "synthetic10.npz").exists()
        assert (run.parents[1] / "train.ipynb").exists()
        model = tmp_path / "ml" / "model" / "runs" / run.name
        assert records.read(model) == record
        assert (model / "checkpoints" / "step-000000040.index").exists()
        test = record["tests"]["synthetic10"]
        assert f"test accuracy synthetic10 {test['clean_correct'] / test['clean_total']:.4f}" in done.stdout
        assert not (tmp_path / "ml" / "output" / "failure").exists()

    def test_two_hosts_train_one_model_and_both_end(self, ports_of_hosts, tmp_path):
        hosts, arguments = ["127.0.0.1", "127.0.0.2"], ("--epochs", "1", "--workers", "2", "--update", "async")
        processes = []
        for number, host in enumerate(hosts):
            (tmp_path / str(number)).mkdir()
            environment = {"SM_HOSTS": json.dumps(hosts), "SM_CURRENT_HOST": host}
            processes.append(start_job(tmp_path / str(number), *arguments, **environment))
        outputs = [process.communicate(timeout=300) for process in processes]
        assert [process.returncode for process in processes] == [0, 0], outputs
        (run,) = (tmp_path / "0" / "ml" / "output" / "data" / "runs").iterdir()
        record = records.read(run)
        assert (record["status"], record["workers"], record["update"]) == ("finished", 2, "async")
        assert len((run / "history.csv").read_text().splitlines()) == 2  # names, and one epoch
        assert not (tmp_path / "1" / "ml" / "output" / "data").exists()

    def test_failure_is_said_where_sagemaker_looks_and_the_executed_notebook_is_kept(self, tmp_path):
        done = run_job(tmp_path, "--train_data", "cifar10_10k")
        assert done.returncode == 1
        failure = (tmp_path / "ml" / "output" / "failure").read_text()
        assert failure.startswith("DatasetError: ") and "cifar10_10k_train_py27" in failure
        assert (tmp_path / "ml" / "output" / "data" / "train.ipynb").exists()


def test_parameters_are_of_the_notebooks_types():
    arguments = ["--model", "ss32", "--epochs", "3", "--xla", "True", "--size", '{"depth": 8}']
    assert container.parse(arguments) == {"model": "ss32", "epochs": 3, "xla": True, "size": {"depth": 8}}
    assert container.parse(["--xla", "true", "--seed", "7"]) == {"xla": True, "seed": 7}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "ten"], "Expected epochs, int. Received: --epochs 'ten'"),
        (["--xla", "perhaps"], "Expected xla, bool"),
        (["--modle", "wrn"], "Expected a parameter of model, train_data"),
    ],
)
def test_wrong_parameters(arguments, message):
    with pytest.raises(ValueError, match=message):
        container.parse(arguments)


def test_channels_become_data_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("SM_CHANNEL_CIFAR10_1_V4", "/opt/ml/input/data/cifar10_1_v4")
    container.link_data(tmp_path)
    (link,) = tmp_path.glob("*/*")
    assert link == tmp_path / "cifar10.1-v4" / "training"
    assert link.readlink() == pathlib.Path("/opt/ml/input/data/cifar10_1_v4")
