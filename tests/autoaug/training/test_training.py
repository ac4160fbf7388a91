"""The step against the reference, and the loop against an interrupted one."""

import dataclasses
import itertools
import json

import numpy as np
import pandas as pd
import pytest
import tiny

from autoaug import checkpoints, datasets, models, recipes, runs, training
from autoaug.files import ROOT
from autoaug.runs import evaluation
from autoaug.runs import record as records
from autoaug.training import batches
from autoaug.training.step import TrainingStep, noise_key

REFERENCE = ROOT.parent / "shared" / "reference"


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
    step = TrainingStep(model, recipe)
    rows, total = [], recipe.total_steps(160)
    for number in range(10):
        part = slice(number % 5 * 32, number % 5 * 32 + 32)
        rate = recipes.learning_rate_at(recipe.learning_rate, number + 1, total)
        loss, cost, _, norm, _ = step(images[part], labels[part], rate, number)
        rows.append([rate, cost, loss, norm])
    golden_rows, rows = np.array(golden["rows"]), np.array(rows)
    np.testing.assert_allclose(rows[:, 0], golden_rows[:, 0], rtol=1e-7)  # the schedule
    np.testing.assert_allclose(rows[:, 1:3], golden_rows[:, 1:3], rtol=1e-3, atol=1e-9)
    # The norm of later gradients depends on rounding: the original's own operations as a TensorFlow 1 graph, on the
    # machine of these tests, deviated by up to 4.6e-3 from the recorded ones, depending on threads and graph rewriting.
    np.testing.assert_allclose(rows[0, 3], golden_rows[0, 3], rtol=2e-5)
    np.testing.assert_allclose(rows[1, 3], golden_rows[1, 3], rtol=1e-3)
    np.testing.assert_allclose(rows[:, 3], golden_rows[:, 3], rtol=6e-3)
    for name, (norm, mean) in golden["final_norm_mean"].items():
        value = names[name].numpy()
        np.testing.assert_allclose([np.linalg.norm(value), value.mean()], [norm, mean], rtol=1e-3, atol=1e-3)


def test_clipping_acts_on_the_gradient_of_the_whole_cost():
    """With decay so strong that the norm is far above 5, one step from rest moves the weights by lr · 5 · 1.9."""
    model = models.build_model("wrn", depth=10, widen_factor=1)
    recipe = dataclasses.replace(recipes.get("wrn"), weight_decay=10.0)
    before = [weight.numpy() for weight in model.trainable_variables]
    step = TrainingStep(model, recipe)
    images = np.random.default_rng(0).standard_normal((8, 32, 32, 3), np.float32)
    _, _, _, norm, clipped = step(images, np.arange(8), 0.1, 0).numpy()
    moved = np.concatenate([(b - w.numpy()).ravel() for b, w in zip(before, model.trainable_variables, strict=True)])
    decayed = np.concatenate([b.ravel() for b in before])
    assert norm > 100 and clipped == 1
    np.testing.assert_allclose(np.linalg.norm(moved), 0.1 * 5 * 1.9, rtol=1e-4)
    assert np.dot(moved, decayed) / np.linalg.norm(moved) / np.linalg.norm(decayed) > 0.99  # every variable decays


FOUR_STEPS = dataclasses.replace(tiny.recipe_of_half_precision(), precision="float32", epochs=1)


@pytest.fixture(scope="module")
def float32_history(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("float32")
    training.train(FOUR_STEPS, tiny.dataset(32), run_dir)
    return pd.read_csv(run_dir / "history.csv")


@pytest.mark.parametrize("variant", [{"precision": "mixed_bfloat16"}, {"xla": True}])
def test_precisions_and_xla_agree_with_float32(variant, float32_history, tmp_path):
    tolerance = 1e-2 if "xla" in variant else 5e-2
    model = training.train(dataclasses.replace(FOUR_STEPS, **variant), tiny.dataset(32), tmp_path)
    history = pd.read_csv(tmp_path / "history.csv")
    assert model.compute_dtype == ("float32" if "xla" in variant else variant["precision"].removeprefix("mixed_"))
    assert {weight.dtype for weight in model.weights} == {"float32"}
    for column in ("loss", "cost", "gradient_norm"):
        np.testing.assert_allclose(history[column], float32_history[column], rtol=tolerance)
        assert (history[column] != float32_history[column]).any()  # it did compute otherwise


def test_a_step_reads_every_variable_once():
    """Else a gradient could be of other weights than the cost, since another worker may change them meanwhile."""
    recipe, images = recipes.get("wrn"), np.zeros((8, 32, 32, 3), np.float32)
    step = TrainingStep(models.build_model("wrn", **recipe.size), recipe)
    compiled = step._compiled.get_concrete_function(images, np.arange(8), np.float32(0.1), noise_key(0, 0), np.int64(0))
    operations = compiled.graph.get_operations()
    read = [operation.inputs[0].name for operation in operations if operation.type == "ReadVariableOp"]
    assert len(read) == len(set(read)) > len(step.weights)


def test_a_step_of_a_deep_network_repeats_to_the_bit():
    """Gradients of several branches meet there: added in the order of the threads, they differed in 3 of 3 tries."""
    step = TrainingStep(models.build_model("wrn", depth=28, widen_factor=2), recipes.get("wrn"))
    images = np.random.default_rng(0).standard_normal((64, 32, 32, 3), np.float32)
    arguments = images, np.arange(64, dtype=np.int32) % 10, 0.1, 0
    variables = [*step.variables, *(variable.value for variable in step.model.variables)]
    start, ends = [variable.numpy() for variable in variables], []
    for _ in range(6):
        for variable, value in zip(variables, start, strict=True):
            variable.assign(value)
        measured = step(*arguments)
        ends.append(b"".join(each.numpy().tobytes() for each in [measured, *variables]))
    assert len(set(ends)) == 1


def test_held_out_images_and_test_sets_are_evaluated_without_the_images_trained_on(tiny_dataset, tiny_recipe, tmp_path):
    recipe = dataclasses.replace(tiny_recipe, validation_size=50, epochs=2)
    test = datasets.LabelledImages("synthetic10", tiny_dataset.test_images, tiny_dataset.test_labels)
    known = datasets.LabelledImages("known", tiny_dataset.train_images[:20], tiny_dataset.train_labels[:20])
    model = training.train(recipe, tiny_dataset, tmp_path, seed=5, test_sets=[test, known])
    trained_on, held_out = batches.split(tiny_dataset, recipe, 5)
    assert sorted([*trained_on, *held_out]) == list(range(128)) and len(held_out) == 50
    assert not np.array_equal(held_out, batches.split(tiny_dataset, recipe, 6)[1])
    labels = np.concatenate([labels for _, labels in batches.of_epoch(tiny_dataset, recipe, 5, 0)])
    assert len(labels) == 64  # two batches of the 78 images trained on
    whole = evaluation.whole(model, tiny_dataset)
    answers = whole.predict(tiny_dataset.train_images[held_out], verbose=0).argmax(1)
    correct = answers == tiny_dataset.train_labels[held_out]
    history = pd.read_csv(tmp_path / "history.csv")
    assert history.validation_accuracy.iloc[-1] == correct.mean()
    assert list(history.epoch) == [1, 2] and (history.images_per_second > 0).all()
    assert records.read(tmp_path).wall_seconds > history.seconds.sum()
    clean = slice(10, None)  # the first ten are training images
    correct = whole.predict(test.images[clean], verbose=0).argmax(1) == test.labels[clean]
    counts = runs.accuracies(tmp_path).set_index("test_set")
    assert counts.loc["synthetic10", "correct"] == correct.sum()
    assert counts.loc["known", ["total", "overlap"]].tolist() == [0, 20]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "Received: seed=-1"),
        ({"checkpoint_epochs": 0}, "Expected checkpoint_epochs above 0. Received: checkpoint_epochs=0"),
        ({"checkpoint_minutes": float("nan")}, "Received: checkpoint_minutes=nan"),
        ({"workers": 3}, "can share equally. Received: batch_size=32, workers=3"),
        (
            {"test_sets": [datasets.LabelledImages("x", np.zeros((0, 32, 32, 3), np.uint8), np.zeros(0, int))]},
            "^x: .*none",
        ),
        ({"dataset": dataclasses.replace(tiny.dataset(), test_labels=np.full(50, 10))}, "labels below 10"),
        ({"recipe": dataclasses.replace(tiny.recipe(), batch_size=129)}, "Received: train_size=128, batch_size=129"),
        ({"recipe": dataclasses.replace(tiny.recipe(), xla=True), "workers": 2}, "Expected xla=False with several"),
    ],
)
def test_options_out_of_range_are_refused_before_any_work(arguments, message, tiny_dataset, tiny_recipe, tmp_path):
    with pytest.raises(ValueError, match=message):
        training.train(**{"recipe": tiny_recipe, "dataset": tiny_dataset, "run_dir": tmp_path / "run"} | arguments)
    assert not (tmp_path / "run").exists()


def test_no_two_noise_keys_are_alike():
    grid = itertools.product([0, 1, 2, 7, 2**31 - 1], range(300), range(8))
    keys = {noise_key(seed, step, worker).tobytes() for seed, step, worker in grid}
    assert len(keys) == 5 * 300 * 8
    np.testing.assert_array_equal(noise_key(3, 17), np.array([3, 17], np.int32))  # one process has the plain numbers


def test_the_step_is_traced_once(tiny_dataset, tiny_recipe, tmp_path, monkeypatch):
    steps, keep = [], TrainingStep.__init__
    monkeypatch.setattr(TrainingStep, "__init__", lambda self, *a: steps.append(self) or keep(self, *a))
    for _ in range(2):  # the second time, nothing is left to train
        training.train(tiny_recipe, tiny_dataset, tmp_path)
    assert [step._compiled.experimental_get_tracing_count() for step in steps] == [1, 0]
