"""Several workers: real processes on this machine that train, are killed, and come to an end."""

import os
import pathlib
import re
import tempfile

import numpy as np
import pandas as pd
import psutil
import pytest
import tiny

from autoaug import datasets, recipes, records, training
from autoaug.training import loop
from autoaug.training.cluster import job_file, launcher, private_network
from autoaug.training.cluster.layout import from_environment, lay_out
from autoaug.training.options import RunOptions
from autoaug.training.run_checkpoints import DamagedCheckpointError


@pytest.fixture(autouse=True, scope="module")
def compiled_imports():
    """Every cluster imports TensorFlow anew, which takes three times as long where bytecode is not kept."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        yield


def network_of(process):
    """The network namespace of a process."""
    return pathlib.Path(f"/proc/{process}/ns/net").readlink()


def test_two_asynchronous_workers_train_every_batch(tiny_dataset, tiny_recipe, tmp_path, monkeypatch):
    """In a network of their own, where the system makes one; what they train lies in no file that could be left."""
    epochs, networks, temporary = [], set(), tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))

    def look(history):
        epochs.append(len(history))
        assert not list(temporary.iterdir())
        tasks = [task.pid for task in psutil.Process().children(recursive=True) if os.getsid(task.pid) != os.getsid(0)]
        networks.update(map(network_of, tasks))

    arguments = {"workers": 2, "seed": 3, "on_epoch": look, "open_ports": True}
    test = datasets.LabelledImages("synthetic10", tiny_dataset.test_images, tiny_dataset.test_labels)
    arguments |= {"test_sets": [test], "evaluate_every": 3}
    model = training.train(tiny_recipe, tiny_dataset, tmp_path, **arguments)
    history = pd.read_csv(tmp_path / "history.csv")
    assert epochs == [1, 2, 3]
    assert networks and (network_of(os.getpid()) in networks) == bool(private_network.refusal())
    run = loop.Run(tiny_recipe, tiny_dataset, RunOptions(run_dir=tmp_path, seed=3, workers=2))
    assert (run.done, run.schedule.steps_per_epoch, run.total) == (12, 4, 12)
    # two steps of each worker in an epoch, and six in all: the last two updates have the rate of a sixth step
    expected = [recipes.learning_rate_at(0.1, step, 6) for step in (2, 4, 6)]
    np.testing.assert_allclose(history.learning_rate, expected)
    assert history.loss.iloc[-1] < history.loss.iloc[0]
    for a, b in zip(model.variables, run.model.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    record = records.read(tmp_path)
    assert (record["workers"], record["update"]) == (2, "async")
    correct = run.predict(test.images[10:]).argmax(1) == test.labels[10:]  # the first ten are training images
    np.testing.assert_array_equal(history["test_accuracy:synthetic10"], [np.nan, np.nan, correct.mean()])


def test_workers_share_the_loss_scale_of_half_precision(tmp_path):
    recipe, dataset = tiny.recipe_of_half_precision(), tiny.dataset(32)
    model = training.train(recipe, dataset, tmp_path, workers=2)
    run = loop.Run(recipe, dataset, RunOptions(run_dir=tmp_path, workers=2))
    assert model.compute_dtype == "float16" and run.done == 8
    assert (run.step.loss_scale.numpy(), run.step.good_steps.numpy()) == (2.0**15, 8)
    assert run.history[-1]["loss"] < run.history[0]["loss"] - 0.2


def test_what_the_chief_reads_is_what_was_to_be_trained(tiny_dataset, tiny_recipe, tmp_path):
    test = datasets.LabelledImages("synthetic10", tiny_dataset.test_images, tiny_dataset.test_labels)
    options = RunOptions(run_dir=tmp_path, seed=5, workers=2, update="sync", evaluate_every=4)
    assignment = job_file.Assignment(tiny_recipe, tiny_dataset, options, [test], first_step=7)
    read = job_file.unpack(job_file.pack(assignment))
    assert (read.recipe, read.options, read.first_step) == (tiny_recipe, options, 7)
    assert (read.dataset.sha256, read.test_sets[0].name) == (tiny_dataset.sha256, "synthetic10")
    assert read.test_sets[0].sha256 == test.sha256


def test_workers_whose_checkpoints_are_all_damaged_say_so(tiny_dataset, tiny_recipe, tmp_path):
    loop.Run(tiny_recipe, tiny_dataset, RunOptions(run_dir=tmp_path, workers=2)).save()
    for path in (tmp_path / "checkpoints").iterdir():
        path.write_bytes(b"nothing")
    with (
        pytest.warns(UserWarning, match="this checkpoint is damaged"),
        pytest.raises(DamagedCheckpointError, match="all 1 checkpoints are damaged"),
    ):
        training.train(tiny_recipe, tiny_dataset, tmp_path, workers=2)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"workers": 0}, "Expected workers, an integer of at least 1. Received: workers=0"),
        ({"workers": 1.5}, "Expected workers, an integer of at least 1. Received: workers=1.5"),
        ({"workers": 2, "update": "lazy"}, "Expected update, one of async, sync. Received: update='lazy'"),
        ({"workers": 5}, "Expected at least 160 training images, a batch for each worker"),
        ({"workers": 3, "update": "sync"}, "can share equally. Received: batch_size=32, workers=3"),
    ],
)
@pytest.mark.usefixtures("wrong_types")
def test_wrong_workers_are_refused_before_any_work(arguments, message, tiny_dataset, tiny_recipe, tmp_path):
    with pytest.raises(ValueError, match=re.escape(message)):
        training.train(tiny_recipe, tiny_dataset, tmp_path / "run", **arguments)
    assert not (tmp_path / "run").exists()


def test_hosts_of_a_job_are_counted_by_their_position(monkeypatch, tiny_recipe):
    monkeypatch.setenv("SM_HOSTS", '["algo-3", "algo-1"]')
    monkeypatch.setenv("SM_CURRENT_HOST", "algo-1")
    assert from_environment() == (["algo-3", "algo-1"], 1)
    with pytest.raises(
        ValueError, match="Expected workers=2, one on each host of SM_HOSTS, and the first host to train"
    ):
        launcher.check(tiny_recipe, 128, 2, "async")
    layout = lay_out(["algo-3", "algo-1"], 2, "async")
    assert layout.tasks["chief"] == ["algo-3:22223"]
    assert layout.of_host(1) == [("ps", 1), ("worker", 1)]
    assert len({*layout.watches, *(address for addresses in layout.tasks.values() for address in addresses)}) == 7
    monkeypatch.setenv("SM_CURRENT_HOST", "algo-2")
    with pytest.raises(ValueError, match=r"expected one of SM_HOSTS, algo-3, algo-1\. Received: 'algo-2'"):
        from_environment()


def test_another_number_of_workers_is_another_run(tiny_dataset, tiny_recipe, tmp_path):
    ids = {records.run_id(tiny_recipe, tiny_dataset, 0, *several) for several in ((), (1, "sync"), (2,), (2, "sync"))}
    assert len(ids) == 3
    records.start(tmp_path, tiny_recipe, tiny_dataset, 0, parameters=1, workers=2, update="sync")
    with pytest.raises(records.RecordError, match="workers: 2 there, 3 now"):
        records.start(tmp_path, tiny_recipe, tiny_dataset, 0, parameters=1, workers=3, update="sync")
    with pytest.raises(records.RecordError, match="update: sync there, async now"):
        records.start(tmp_path, tiny_recipe, tiny_dataset, 0, parameters=1, workers=2)
