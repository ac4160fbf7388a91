"""Models and predictions from elsewhere become runs; whatever does not fit is refused, and leaves no folder."""

import itertools
import shutil
import unittest.mock

import keras
import numpy as np
import pooch
import pytest
import scipy

import autoaug
from autoaug import datasets, runs
from autoaug.runs import evaluation
from autoaug.runs.record import RecordError
from autoaug.shift import study
from data_prep import build

SETS = ("synthetic10", "synthetic10_harder")


@pytest.fixture(scope="module")
def labels(drawn_shapes):
    return {name: datasets.load_test(name, drawn_shapes).labels for name in SETS}


@pytest.fixture
def evaluate(drawn_shapes, tmp_path):
    """`evaluate_given` with the folders of the test."""

    def of(family="my-net", train_data=SETS[0], seed=0, **options):
        options = options or {"predictions_dir": str(tmp_path / "own")}
        return evaluation.evaluate_given(family, train_data, seed, drawn_shapes, tmp_path / "results", **options)

    return of


def save(folder, name, suffix, answers):
    """Write classes or logits; the tables with commas have both."""
    folder.mkdir(exist_ok=True)
    path, logits = folder / f"{name}{suffix}", np.eye(10, dtype=np.float32)[answers] - 3
    if suffix == ".csv":
        np.savetxt(path, answers if name == SETS[0] else logits, delimiter=",")
    else:
        np.save(path, logits) if suffix == ".npy" else np.savez(path, answers)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv"])
def test_predictions_become_a_run_with_their_counts(suffix, evaluate, drawn_shapes, labels, tmp_path, monkeypatch):
    answers = {name: np.where(np.arange(2_000) < 400, (truth + 1) % 10, truth) for name, truth in labels.items()}
    for name in SETS:
        save(tmp_path / "own", name, suffix, answers[name])
    run = evaluate(seed=3)
    table = runs.collect(tmp_path / "results")
    assert table["correct"].tolist() == [1_600, 1_600] and table["total"].tolist() == [2_000, 2_000]
    row = table.iloc[0]
    assert (row.kind, row.family, row.preset, row.recipe, row.seed) == ("predictions", "my-net", "imported", "", 3)
    assert (row.train_data, row.train_sha256) == (SETS[0], datasets.load(SETS[0], drawn_shapes).sha256)
    with pytest.raises(ValueError, match=f"own: Expected other answers than those of another seed, {run}"):
        evaluate(seed=4)
    save(tmp_path / "own", SETS[0], suffix, labels[SETS[0]])  # better ones of the same run
    assert evaluate(seed=3) == run
    assert runs.collect(tmp_path / "results")["correct"].tolist() == [2_000, 1_600]
    monkeypatch.setattr(evaluation.predictions, "write", unittest.mock.Mock(side_effect=[None, OSError("full")]))
    with pytest.raises(OSError, match="full"):  # in the middle: some answers are new, some old
        evaluate(seed=3)
    assert runs.collect(tmp_path / "results").empty


def test_three_seeds_are_compared_like_other_runs_and_those_without_a_test_part_judge(drawn_shapes, labels, tmp_path):
    own, mine = shutil.copytree(drawn_shapes, tmp_path / "data"), np.random.default_rng(0)
    for name in ("rest_a", "rest_b"):
        images = mine.integers(0, 256, (20, 32, 32, 3), np.uint8)
        np.savez(tmp_path / f"{name}.npz", images=images, labels=np.arange(20) % 10)
        build.build(own, [], own={name: {"train": str(tmp_path / f"{name}.npz"), "original": SETS[0]}})
    folder = tmp_path / "own"
    folder.mkdir()
    for train_data, seed in itertools.product((*SETS, "rest_a", "rest_b"), range(3)):
        for name in SETS:
            logits = (2 * np.eye(10)[labels[name]] + mine.normal(0, 1, (2_000, 10))).astype(np.float32)
            np.save(folder / f"{name}.npy", logits if train_data != "rest_b" else scipy.special.softmax(logits, axis=1))
        given = {"predictions_dir": str(folder)}
        run = evaluation.evaluate_given("my-net", train_data, seed, own, tmp_path / "results", **given)
        kept = evaluation.predictions.read(run / "predictions" / f"{SETS[1]}.npz").margins
        if train_data in SETS:
            assert kept is None
        else:
            expected = evaluation.predictions.margins(logits, labels[SETS[1]])
            np.testing.assert_allclose(kept, expected, rtol=2e-3, atol=1e-5)
    (pair,) = study.pairs(runs.collect(tmp_path / "results"))
    assert {name: [len(cell) for cell in cells] for name, cells in pair.families.items()} == {"my-net": [3] * 4}
    assert pair.judged_by == "my-net, trained on rest_a and rest_b" and pair.judges is not None
    (known,) = study.pairs(runs.collect(tmp_path / "results"), judges=["rest_a", SETS[0]])
    assert known.judged_by == "known: each image was drawn with it"


def test_overlap_with_a_training_set_of_ours_is_left_out_and_with_a_strangers_is_not_known(
    evaluate, drawn_shapes, labels, tmp_path
):
    save(tmp_path / "own", SETS[0], ".npy", labels[SETS[0]])
    dataset = datasets.load(SETS[0], drawn_shapes)
    for train_data in (SETS[0], "laion"):
        evaluate(train_data=train_data)
    table = runs.collect(tmp_path / "results").set_index("train_data")
    assert table.loc[SETS[0], "overlap"] == dataset.trained_on(dataset.test_images).sum()
    assert (table.loc["laion", "overlap"], table.loc["laion", "train_sha256"]) == (0, "")


def network(path, inputs=(32, 32, 3), classes=10, value=0.0, dtype=None, has_dicts=False):
    """A model that answers the class of the brightest of ten pixels."""
    images = keras.Input(inputs)
    dense = keras.layers.Dense(classes, kernel_initializer=keras.initializers.Constant(value), dtype=dtype)
    logits = dense(keras.layers.Flatten()(images))
    model = keras.Model(images, {"logits": logits} if has_dicts else logits)
    if not value:
        dense.kernel.assign(np.eye(3072, classes, dtype=np.float32))
    model.compile("adam", "mse")  # as a model that Keras has trained
    model.save(path)
    return model


@pytest.mark.parametrize("inputs", evaluation.INPUTS)
def test_a_model_in_a_file_answers_as_it_does_by_itself(inputs, evaluate, drawn_shapes, tmp_path):
    model = network(tmp_path / "mine.keras")
    run = evaluate(model_file=str(tmp_path / "mine.keras"), inputs=inputs)
    dataset = datasets.load(SETS[0], drawn_shapes)
    images = dataset.test_images.astype(np.float32)
    fed = {"uint8": images, "0-1": images / 255, "normalised": (images / 255 - dataset.mean) / dataset.std}[inputs]
    answers = model.predict(fed, verbose=0).argmax(axis=1)
    row = runs.collect(tmp_path / "results").set_index("test_set").loc[SETS[0]]
    assert abs(row.correct - (answers == dataset.test_labels).sum()) <= 2  # rounding may decide between equals
    assert (row.kind, row.family) == ("predictions", "my-net")
    loaded = autoaug.load(run).predict(dataset.test_images, verbose=0).argmax(axis=1)
    assert (loaded == dataset.test_labels).sum() == row.correct
    save(tmp_path / "own", SETS[0], ".npy", dataset.test_labels)
    assert evaluate(model_file="", predictions_dir=str(tmp_path / "own")) == run
    assert not (run / "model.keras").exists()  # it is not the model of these answers


def test_a_file_is_downloaded_by_its_address_and_hash(evaluate, tmp_path, monkeypatch):
    network(tmp_path / "mine.keras")
    retrieve = unittest.mock.Mock(side_effect=[str(tmp_path / "mine.keras"), ValueError("hash does not match")])
    monkeypatch.setattr(pooch, "retrieve", retrieve)
    asked = {"model_file": "https://example.org/mine.keras", "sha256": "a" * 64}
    evaluate(**asked)
    assert retrieve.call_args.args == (asked["model_file"], f"sha256:{asked['sha256']}")
    with pytest.raises(RecordError, match=r"example.org/mine.keras: Expected a file with this sha256"):
        evaluate(**asked)


GOOD = np.zeros((2_000, 10), np.float32)
FILES = {
    "too few images": ("synthetic10.npy", GOOD[:1_999], r"int \[2000\].* Received: float32 \[1999, 10\]"),
    "classes as fractions": ("synthetic10.npy", GOOD[:, 0], r"Received: float32 \[2000\]"),
    "a class that is none": ("synthetic10.npy", np.full(2_000, 10), "from 10 to 10"),
    "a negative class": ("synthetic10.npy", np.full(2_000, -1), "from -1 to -1"),
    "NaN": ("synthetic10.npy", np.where(np.eye(2_000, 10), np.nan, GOOD), "finite.* from nan to nan"),
    "no images": ("synthetic10.npy", GOOD[:0], r"Received: float32 \[0, 10\]"),
    "objects": ("synthetic10.npy", np.array([{}] * 2_000, object), "allow_pickle"),
    "two arrays": ("synthetic10.npz", {"a": GOOD, "b": GOOD}, "2 arrays, expected one"),
    "text": ("synthetic10.csv", "cat\n" * 2_000, "could not convert string"),
    "nothing": ("synthetic10.csv", "", "No columns to parse"),
    "no array": ("synthetic10.npy", "cat", "magic string"),
    "another name": ("synthetic10_hardr.npy", GOOD, "its name='synthetic10_hardr'. Did you mean synthetic10_harder"),
    "a set of other classes": ("cifar10.npy", GOOD, "Received: its name='cifar10'"),
    "no predictions": ("readme.txt", "cat", "one file <test set>.npy, .npz or .csv a test set. Received: none"),
}


@pytest.mark.parametrize(("file", "content", "message"), FILES.values(), ids=FILES)
def test_predictions_that_do_not_fit_are_refused_by_file_and_leave_no_run(file, content, message, evaluate, tmp_path):
    (folder := tmp_path / "own").mkdir()
    if isinstance(content, str):
        (folder / file).write_text(content)
    elif isinstance(content, dict):
        np.savez(folder / file, **content)
    else:
        np.save(folder / file, content)
    with pytest.raises(RecordError, match=message) as refused:
        evaluate()
    assert str(folder) in str(refused.value) and "\n" not in str(refused.value)
    assert not (tmp_path / "results").exists()


def test_predictions_of_a_built_in_set_that_is_not_here_are_answered_with_how_to_make_it(evaluate, tmp_path):
    save(tmp_path / "own", "cifar10.1-v6", ".npy", np.zeros(2_000, int))
    with pytest.raises(RecordError, match=r"cifar10\.1-v6\.npy: .* not here\. To make it, run: papermill .*1-v6\]"):
        evaluate(train_data="laion")


MODELS = {
    "other images": ({"inputs": (3, 32, 32)}, {}, r"Received: \(None, 3, 32, 32\)"),
    "other classes": ({"classes": 100}, {}, r"→ \(None, 100\)"),
    "answers in a dict": ({"has_dicts": True}, {}, r"without dicts\. .*, dicts$"),
    "NaN in its weights, of bfloat16": ({"value": float("nan"), "dtype": "bfloat16"}, {}, "from nan to nan"),
    "NaN in its weights": ({"value": float("nan")}, {}, "from nan to nan"),
    "no training set": ({}, {"train_data": ""}, "Expected name, train_data, and model_file or predictions"),
    "unknown inputs": ({}, {"inputs": "0-255"}, "Expected inputs, one of uint8, 0-1, normalised"),
    "both": ({}, {"predictions_dir": "own"}, "Expected name, train_data, and model_file or predictions"),
    "neither": ({}, {"model_file": ""}, "Expected name, train_data, and model_file or predictions"),
    "no hash": ({}, {"model_file": "https://example.org/a.keras"}, "with sha256, 64 digits"),
    "another protocol": ({}, {"model_file": "http://example.org/a.keras", "sha256": "a" * 64}, "https.*: http:"),
    "markup in the name": ({}, {"family": "<b>mine</b>"}, "train_data of letters, .* Received: other characters, or"),
    "a path for a name": ({}, {"family": "../mine"}, "Expected name and train_data of letters"),
    "a training set that is misspelt": ({}, {"train_data": "synthetic1O"}, "Did you mean synthetic10"),
    "a seed that is none": ({}, {"seed": -1}, "seed"),
}


@pytest.mark.parametrize(("made", "changes", "message"), MODELS.values(), ids=MODELS)
def test_models_that_do_not_fit_are_refused_with_a_line_and_leave_no_run(made, changes, message, evaluate, tmp_path):
    network(tmp_path / "mine.keras", **made)
    with pytest.raises(ValueError, match=message) as refused:
        evaluate(**{"model_file": str(tmp_path / "mine.keras")} | changes)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "results").exists()
