"""Workers in one process, each with a logical device of the CPU; every run has a process of its own."""

import dataclasses
import signal

import forked
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import tiny

from autoaug import training
from autoaug.runs import record as records
from autoaug.training import loop, mirrored
from autoaug.training.step import MEASURES, Engine


def history(run_dir):
    return pd.read_csv(run_dir / "history.csv")[list(MEASURES)]


def restored(recipe, dataset, run_dir, seed, workers=1):
    """The run as its newest checkpoint has it, in this process, on one device."""
    return loop.Run(recipe, dataset, run_dir, seed, workers, Engine())


def test_two_devices_compute_what_one_computes(tiny_dataset, tiny_recipe, tmp_path):
    """With batch normalisation frozen, after 20 steps.

    Without normalisation rounding grows, most at a high learning rate, so it is the Shake-Shake's. In two processes,
    of the seeds 3 to 9 the weights ended 1e-6 to 6e-5 apart on one machine.
    """
    assert forked.run(tmp_path / "said", "train_and_die.py", tmp_path, "twice") == 0
    recipe = dataclasses.replace(tiny_recipe, epochs=5, learning_rate=0.01)
    one, two = (restored(recipe, tiny_dataset, tmp_path / str(workers), seed=6, workers=workers) for workers in (1, 2))
    assert one.done == two.done == 20
    untrained = restored(recipe, tiny_dataset, tmp_path / "untrained", seed=6).model
    moved = [np.abs(a.numpy() - b.numpy()).max() for a, b in zip(one.model.weights, untrained.weights, strict=True)]
    assert max(moved) > 0.02
    for a, b in zip(one.model.weights, two.model.weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4, rtol=0)
    np.testing.assert_allclose(history(tmp_path / "1"), history(tmp_path / "2"), rtol=5e-4)
    record = records.read(tmp_path / "2")
    assert (record.workers, record.status) == (2, "finished")


def test_a_killed_run_of_half_precision_on_four_devices_goes_on_to_the_same_bits(tmp_path):
    codes = [
        forked.run(tmp_path / "said", "train_and_die.py", tmp_path / name, "SIGKILL", "after", step, 4)
        for name, step in (("killed", 7), ("killed", 99), ("whole", 99))
    ]
    assert codes == [-signal.SIGKILL, 0, 0]
    pd.testing.assert_frame_equal(history(tmp_path / "killed"), history(tmp_path / "whole"), check_exact=True)
    recipe, dataset = tiny.recipe_of_half_precision(), tiny.dataset(32)
    runs = [restored(recipe, dataset, tmp_path / name, seed=3, workers=4) for name in ("killed", "whole")]
    for a, b in zip(runs[0].model.variables, runs[1].model.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    assert runs[0].history[-1]["loss"] < runs[0].history[0]["loss"] - 0.2


def test_a_process_in_which_tensorflow_has_started_has_no_devices_left(tiny_dataset, tiny_recipe, tmp_path):
    tf.constant(0) + 1
    with pytest.raises(ValueError, match=r"divide its CPU among workers=16. Received: .* Restart the kernel"):
        training.train(tiny_recipe, tiny_dataset, tmp_path / "run", workers=16)
    assert not (tmp_path / "run").exists()


def test_each_worker_needs_a_gpu_where_there_are_any(monkeypatch):
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: {"GPU": ["first", "second"]}[kind])
    assert mirrored.prepare_devices(2) == ["GPU:0", "GPU:1"]
    with pytest.raises(ValueError, match=r"Expected workers=2, one for each GPU, or fewer\. Received: workers=3"):
        mirrored.prepare_devices(3)
