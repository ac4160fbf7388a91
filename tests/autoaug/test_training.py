"""The step against the reference, and the loop against an interrupted one."""

import dataclasses
import json
import pathlib
import sys

import numpy as np
import pandas as pd
import pytest

from autoaug import checkpoints, models, recipes, records, training

REFERENCE = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "reference"
MEASURED = ["learning_rate", "loss", "cost", "accuracy", "gradient_norm", "clipped_share"]


@pytest.mark.skipif(not REFERENCE.exists(), reason="needs ../shared/reference")
def test_ten_steps_of_the_reference(monkeypatch):
    monkeypatch.syspath_prepend(REFERENCE)
    from seeded import seeded

    golden = json.loads((REFERENCE / "training.json").read_text())
    model = models.build_model("wrn", widen_factor=golden["wrn_size"] // 16)
    names = checkpoints.tf1_names(model)
    for name, variable in names.items():
        variable.assign(seeded(name, variable.shape, golden["gain"], golden["seed"]))
    recipe = dataclasses.replace(recipes.get("wrn", "paper"), epochs=golden["epochs"], batch_size=golden["batch_size"])
    rng = np.random.RandomState(golden["seed"])
    images, labels = rng.randn(160, 32, 32, 3).astype(np.float32), rng.randint(0, 10, 160)
    step = training.TrainingStep(model, recipe)
    rows = []
    for number in range(10):
        part = slice(number % 5 * 32, number % 5 * 32 + 32)
        rate = recipes.learning_rate_at(recipe.learning_rate, number + 1, recipe.total_steps(160))
        loss, cost, _, norm, _ = step(images[part], labels[part], np.float32(rate), np.array([0, number], np.int32))
        rows.append([rate, cost, loss, norm])
    golden_rows, rows = np.array(golden["rows"]), np.array(rows)
    np.testing.assert_allclose(rows[0], golden_rows[0], rtol=2e-5)
    np.testing.assert_allclose(rows[:, :3], golden_rows[:, :3], rtol=1e-3, atol=1e-9)
    # Rounding alone moves the later gradient norms: weights changed by one part in 10⁷ moved them by up to 3.9e-3.
    np.testing.assert_allclose(rows[:, 3], golden_rows[:, 3], rtol=6e-3)
    for name, (norm, mean) in golden["final_norm_mean"].items():
        value = names[name].numpy()
        np.testing.assert_allclose([np.linalg.norm(value), value.mean()], [norm, mean], rtol=1e-3, atol=1e-3)


def test_clipping_acts_on_the_gradient_of_the_whole_cost():
    """With decay so strong that the norm is far above 5, one step from rest moves the weights by lr · 5 · 1.9."""
    model = models.build_model("wrn", depth=10, widen_factor=1)
    recipe = dataclasses.replace(recipes.get("wrn"), weight_decay=10.0)
    before = [weight.numpy() for weight in model.trainable_variables]
    step = training.TrainingStep(model, recipe)
    images = np.random.default_rng(0).standard_normal((8, 32, 32, 3), np.float32)
    _, _, _, norm, clipped = step(images, np.arange(8), np.float32(0.1), np.array([0, 0], np.int32)).numpy()
    moved = np.concatenate([(b - w.numpy()).ravel() for b, w in zip(before, model.trainable_variables, strict=True)])
    decayed = np.concatenate([b.ravel() for b in before])
    assert norm > 100 and clipped == 1
    np.testing.assert_allclose(np.linalg.norm(moved), 0.1 * 5 * 1.9, rtol=1e-4)
    assert np.dot(moved, decayed) / np.linalg.norm(moved) / np.linalg.norm(decayed) > 0.99  # every variable decays


def weights(model):
    return [variable.numpy() for variable in model.variables]


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(tiny_dataset, tiny_recipe, tmp_path, monkeypatch, capsys):
    whole = training.train(tiny_recipe, tiny_dataset, tmp_path / "whole", seed=3)
    advance = training.Progress.advance

    def interrupt(progress):
        if progress._done == 6:  # in the second epoch of three
            raise KeyboardInterrupt
        return advance(progress)

    monkeypatch.setattr(training.Progress, "advance", interrupt)
    with pytest.raises(KeyboardInterrupt):
        training.train(tiny_recipe, tiny_dataset, tmp_path / "runs" / "cut", seed=3)
    assert records.collect(tmp_path).empty
    assert records.unfinished(tmp_path) == [tmp_path / "runs" / "cut"]
    assert len(pd.read_csv(tmp_path / "runs" / "cut" / "history.csv")) == 1
    monkeypatch.undo()
    capsys.readouterr()
    resumed = training.train(tiny_recipe, tiny_dataset, tmp_path / "runs" / "cut", seed=3)
    assert "going on after epoch 1 of 3" in capsys.readouterr().out
    for a, b in zip(weights(whole), weights(resumed), strict=True):
        np.testing.assert_array_equal(a, b)
    histories = [
        pd.read_csv(folder / "history.csv")[MEASURED] for folder in (tmp_path / "whole", tmp_path / "runs/cut")
    ]
    pd.testing.assert_frame_equal(*histories)
    assert histories[0].learning_rate.iloc[-1] == 0.0
    assert len(list((tmp_path / "whole" / "checkpoints").glob("*.index"))) == 2

    again = training.train(tiny_recipe, tiny_dataset, tmp_path / "whole", seed=3)  # finished: nothing left to train
    for a, b in zip(weights(whole), weights(again), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(records.RecordError, match="seed: 3 there, 4 now"):
        training.train(tiny_recipe, tiny_dataset, tmp_path / "whole", seed=4)


def test_a_cost_that_is_not_finite_ends_the_run(tiny_dataset, tiny_recipe, tmp_path):
    recipe = dataclasses.replace(tiny_recipe, learning_rate=1e30, epochs=1)
    with pytest.raises(FloatingPointError, match="The cost of epoch 1 is"):
        training.train(recipe, tiny_dataset, tmp_path)
    assert not list((tmp_path / "checkpoints").glob("*.index"))


def test_a_training_set_smaller_than_a_batch(tiny_dataset, tiny_recipe, tmp_path):
    recipe = dataclasses.replace(tiny_recipe, batch_size=129)
    with pytest.raises(ValueError, match="Received: train_size=128, batch_size=129"):
        training.train(recipe, tiny_dataset, tmp_path)
    assert not list(tmp_path.iterdir())


def test_importing_the_package_is_light():
    assert "tensorflow" in sys.modules  # of this process; a fresh one has neither
    import subprocess

    code = "import sys, autoaug; assert not {'tensorflow', 'numba', 'keras'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
