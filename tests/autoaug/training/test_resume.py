"""Runs that are killed, stopped, damaged, or out of space end as if nothing had happened, or say what did."""

import dataclasses
import os
import resource
import shutil
import signal
import warnings

import forked
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from autoaug import runs, training
from autoaug.runs import predictions
from autoaug.runs import record as records
from autoaug.training import checkpoints, loop
from autoaug.training.step import MEASURES, Engine, TrainingStep

NEWEST_TWO = {"step-000000010", "step-000000012"}


def history(run_dir):
    return pd.read_csv(run_dir / "history.csv")[["epoch", "learning_rate", *MEASURES]]


def assert_same_run(run_dir, other_dir, model, other):
    """Bit for bit: weights, measured history."""
    for a, b in zip(model.variables, other.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    pd.testing.assert_frame_equal(history(run_dir), history(other_dir), check_exact=True)


@pytest.fixture(scope="module")
def whole(tiny_dataset, tiny_recipe, tmp_path_factory):
    """The uninterrupted run: its folder and model."""
    run_dir = tmp_path_factory.mktemp("whole")
    return run_dir, training.train(tiny_recipe, tiny_dataset, run_dir, seed=3)


def test_a_run_killed_three_times_is_the_uninterrupted_run(whole, tiny_dataset, tiny_recipe, tmp_path):
    ends = [("SIGKILL", "after", 3), ("SIGTERM", "after", 5), ("SIGKILL", "saving", 8)]
    codes, reached = [], []
    for end in ends:
        codes.append(forked.run(tmp_path / "said", "train_and_die.py", tmp_path, *end))
        reached.append(max(int(path.stem.removeprefix("step-")) for path in (tmp_path / "checkpoints").glob("*.index")))
    assert codes == [-signal.SIGKILL, 143, -signal.SIGKILL]
    assert reached[:2] == [2, 4] and reached[2] in (6, 8)
    assert records.read(tmp_path).status == "unfinished"
    code = forked.run(tmp_path / "said", "train_and_die.py", tmp_path, "SIGKILL", "after", 99)
    said = (tmp_path / "said").read_text()
    assert code == 0, said
    assert f"going on after step {reached[2]} of 12" in said
    model = training.train(tiny_recipe, tiny_dataset, tmp_path, seed=3)  # finished: its weights are restored
    assert_same_run(tmp_path, whole[0], model, whole[1])
    answers = [np.load(folder / "predictions" / "synthetic10.npz")["answers"] for folder in (tmp_path, whole[0])]
    np.testing.assert_array_equal(*answers)
    assert {path.name.split(".")[0] for path in (tmp_path / "checkpoints").iterdir()} == NEWEST_TWO
    assert history(tmp_path).learning_rate.iloc[-1] == 0.0


def test_at_a_signal_the_step_ends_with_a_checkpoint(whole, tiny_dataset, tiny_recipe, tmp_path, monkeypatch, capsys):
    """One run, stopped by each of the signals in turn."""
    handlers = [signal.getsignal(each) for each in loop._SIGNALS]
    numbers = {3: signal.SIGINT, 6: signal.SIGTERM, 9: signal.SIGHUP}

    def step_and_signal(self, images, labels, learning_rate, step, compute=TrainingStep.__call__):
        compute(self, images, labels, learning_rate, step)
        if number := numbers.get(step + 1):
            os.kill(os.getpid(), number)

    monkeypatch.setattr(TrainingStep, "__call__", step_and_signal)
    for done, number in numbers.items():
        with pytest.raises((KeyboardInterrupt, SystemExit)) as stopped:
            training.train(tiny_recipe, tiny_dataset, tmp_path, seed=3)
        assert getattr(stopped.value, "code", 130) == 128 + number
        assert [signal.getsignal(each) for each in loop._SIGNALS] == handlers
        assert f"Stopped after step {done} of 12. The same command goes on from there." in capsys.readouterr().out
        assert (tmp_path / "checkpoints" / f"step-{done:09d}.index").exists()
    model = training.train(tiny_recipe, tiny_dataset, tmp_path, seed=3)
    assert_same_run(tmp_path, whole[0], model, whole[1])


def test_a_signal_that_is_ignored_stays_ignored():
    """As SIGHUP is under nohup."""
    earlier = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with loop.signals_held_back() as signals:
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGTERM)
        assert signals == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGHUP, earlier)


def test_a_signal_after_the_last_step_is_not_lost(tiny_dataset, tiny_recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "train_model", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        training.train(tiny_recipe, tiny_dataset, tmp_path, seed=3)


def test_a_run_folder_has_one_process(whole, tiny_dataset, tiny_recipe):
    with records.lock(whole[0]), pytest.raises(records.RecordError, match="another process is at work on this run"):
        training.train(tiny_recipe, tiny_dataset, whole[0], seed=3)


def test_damaged_checkpoints_are_passed_over(whole, tiny_dataset, tiny_recipe, tmp_path):
    run_dir = tmp_path / "run"
    shutil.copytree(whole[0], run_dir)
    newest, before = (run_dir / "checkpoints" / f"step-{step:09d}.data-00000-of-00001" for step in (12, 8))
    newest.write_bytes(newest.read_bytes()[:-100])
    with pytest.warns(UserWarning, match=r"step-000000012: this checkpoint is damaged"):
        model = training.train(tiny_recipe, tiny_dataset, run_dir, seed=3)
    assert_same_run(run_dir, whole[0], model, whole[1])
    for path in (newest, before):
        path.write_bytes(b"nothing")
    with pytest.warns(UserWarning, match="damaged"), pytest.raises(records.RecordError, match="all 2 checkpoints are"):
        training.train(tiny_recipe, tiny_dataset, run_dir, seed=3)
    shutil.rmtree(run_dir / "checkpoints")
    with pytest.raises(records.RecordError, match=r"history\.csv lists trained epochs"):
        training.train(tiny_recipe, tiny_dataset, run_dir, seed=3)
    assert len(history(run_dir)) == 3


def test_no_flipped_bit_is_trained_on(tmp_path):
    values = [np.random.default_rng(i).standard_normal(50).astype(np.float32) for i in range(3)]
    variable = tf.Variable(values[0])
    saved = checkpoints.Checkpoints(tmp_path, variable=variable)
    for step in (1, 2):
        variable.assign(values[step])
        saved.save(2 * step)
    rng, passed_over = np.random.default_rng(0), 0
    for path in sorted(tmp_path.glob("step-000000004*")):
        content = path.read_bytes()
        for position in rng.choice(len(content), 60, replace=False):
            damaged = bytearray(content)
            damaged[position] ^= 1 << rng.integers(8)
            path.write_bytes(damaged)
            variable.assign(values[0])
            with pytest.warns() as caught:
                step = saved.restore()
                if step == 4:  # a byte that TensorFlow does not read
                    warnings.warn("unharmed", stacklevel=1)
            passed_over += step == 2
            np.testing.assert_array_equal(variable, values[step // 2])
            assert len(caught) == 1
        path.write_bytes(content)
    assert passed_over > 90
    path.write_bytes(b"")
    with pytest.warns(UserWarning, match="damaged"):
        saved.restore()
    saved.save(3)
    assert saved.steps() == [2, 3]  # the damaged one is none of the two that are kept


def test_what_is_damaged_beside_the_checkpoints_is_written_again(whole, tiny_dataset, tiny_recipe, tmp_path):
    folder = shutil.copytree(whole[0], tmp_path / "run")
    (folder / "history.csv").write_bytes(b"\xff")
    (folder / "model.keras").write_bytes(b"PK")
    path = folder / "predictions" / "synthetic10.npz"
    kept = predictions.read(path)
    predictions.write(path, dataclasses.replace(kept, answers=kept.answers + np.uint8(100)))
    assert not runs.is_whole(folder)
    training.train(tiny_recipe, tiny_dataset, folder, seed=3)
    assert runs.is_whole(folder)


def test_a_full_disk_loses_nothing(whole, tiny_dataset, tiny_recipe, tmp_path, monkeypatch):
    """The limit on a file's size stands for the full disk: the same write fails, half-way, in the same place."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_the_disk(run, end_epoch=loop.end_epoch):
        end_epoch(run)
        if len(run.history) == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))

    monkeypatch.setattr(loop, "end_epoch", fill_the_disk)
    try:
        with pytest.raises(OSError, match=r"step-000000008: the checkpoint could not be written.*MB are free"):
            training.train(tiny_recipe, tiny_dataset, tmp_path, seed=3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    monkeypatch.undo()
    assert {path.name.split(".")[0] for path in (tmp_path / "checkpoints").iterdir()} == {"step-000000004"}
    assert len(history(tmp_path)) == 1
    model = training.train(tiny_recipe, tiny_dataset, tmp_path, seed=3)
    assert_same_run(tmp_path, whole[0], model, whole[1])


def test_a_cost_that_is_not_finite_ends_the_run(tiny_dataset, tiny_recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(loop.Run, "learning_rate", lambda *_: 1e30)
    message = r"the cost of step 2 \(epoch 1, batch 2\) is not finite.*last good checkpoint \(step 1\)"
    for _ in range(2):  # the same command comes to the same step again
        with pytest.raises(FloatingPointError, match=message):
            training.train(tiny_recipe, tiny_dataset, tmp_path, checkpoint_minutes=1e-9)
    assert loop.Run(tiny_recipe, tiny_dataset, tmp_path, 0, 1, Engine()).done == 1
