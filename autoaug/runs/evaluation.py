"""A trained model's answers on every test set that fits it, and the model in one file, `model.keras`.

The file takes uint8 images and gives logits, normalisation inside. After `import autoaug`, plain
`keras.saving.load_model` opens it, in any process and folder.
"""

import contextlib
import math
import os
import pathlib
import tempfile
import time
from collections.abc import Sequence

import keras
import msgspec
import numpy as np
import tensorflow as tf
import tqdm
from jaxtyping import Float32, UInt8

from autoaug import datasets, runs
from autoaug.datasets import Dataset, LabelledImages
from autoaug.files import require_regular, temporary_suffix
from autoaug.models.layers import Normalize
from autoaug.runs import predictions
from autoaug.runs.record import MODEL, PREDICTIONS, Record, RecordError, Test, read, reading, write

INPUTS = ("uint8", "0-1", "normalised")
_BATCH_SIZE = 250
_MOST_BYTES = 2**32


def whole(model: keras.Model, dataset: Dataset, inputs: str = "normalised") -> keras.Model:
    """A model from uint8 images, around another one; they share their weights.

    Args:
        model: from images in the form that `inputs` names, one of `INPUTS`; "uint8" is 0 to 255.
        dataset: its training set, whose statistics normalise the images.
    """
    images = keras.Input((32, 32, 3), dtype="uint8", name="pixels")
    scaled = {"uint8": 1.0, "0-1": 1 / 255}
    prepare = keras.layers.Rescaling(scaled[inputs]) if inputs in scaled else Normalize(dataset.mean, dataset.std)
    return keras.Model(images, model(prepare(images), training=False), name=model.name)


def write_model(model: keras.Model, run_dir: str | os.PathLike[str]) -> None:
    """Write a whole model to `model.keras`; no reader sees half of it."""
    with tempfile.TemporaryDirectory(dir=run_dir, prefix=".", suffix=f".{temporary_suffix()}") as folder:
        keras.saving.save_model(model, pathlib.Path(folder) / MODEL)
        (pathlib.Path(folder) / MODEL).replace(pathlib.Path(run_dir) / MODEL)


def load(run_dir: str | os.PathLike[str]) -> keras.Model:
    """The trained model of a run: uint8 [n, 32, 32, 3] → logits [n, classes], normalisation inside.

    Raises:
        RecordError: the run has no `model.keras`, or another file in its place.
    """
    return read_model(pathlib.Path(run_dir) / MODEL)


def read_model(path: str | os.PathLike[str]) -> keras.Model:
    """The model in a .keras file. Code in it is refused: no Lambda, no unknown class.

    Raises:
        RecordError: there is no such file, or no such model in it; the message names it.
    """
    with reading(path, "a Keras model without code of its own"):
        require_regular(path, _MOST_BYTES)
        return keras.saving.load_model(path, compile=False, safe_mode=True)


class Predictor:
    """Logits of a whole model, compiled once."""

    def __init__(self, model: keras.Model) -> None:
        self._predict = tf.function(
            lambda images: model(images, training=False), autograph=False, reduce_retracing=True
        )

    def __call__(self, images: UInt8[np.ndarray, "n 32 32 3"]) -> Float32[np.ndarray, "n classes"]:
        """Logits of the images, in order."""
        parts = [images[start : start + _BATCH_SIZE] for start in range(0, len(images), _BATCH_SIZE)]
        return np.concatenate([self._predict(tf.constant(part)).numpy() for part in parts])


def load_test_sets(dataset: Dataset, data_dir: str | os.PathLike[str]) -> list[LabelledImages]:
    """All test sets under `data_dir` of the same family as a training set.

    Load them before the training, so that a damaged file is found before the long work.
    """
    family = datasets.spec(dataset.name, data_dir).family
    return [datasets.load_test(name, data_dir) for name in datasets.available(data_dir, family, part="test")]


def evaluate_run(
    model: keras.Model, dataset: Dataset, run_dir: str | os.PathLike[str], test_sets: Sequence[LabelledImages]
) -> Record:
    """Evaluate a trained model, and finish its run: predictions, `model.keras`, record.

    A test set with the same pixels and labels is not evaluated again, unless its predictions are missing or damaged.

    Args:
        model: the trained model, from normalised images.
        dataset: the data set that it was trained on; its statistics normalise every test set.
        run_dir: the run's folder, with the record that was begun by the training.
        test_sets: from `load_test_sets`.

    Returns:
        The finished record.

    Raises:
        RecordError: the run was not trained to its end.
    """
    run_dir, started = pathlib.Path(run_dir), time.perf_counter()
    record, history = read(run_dir), runs.history(run_dir)
    epochs = record.recipe.epochs if record.recipe else 0
    if len(history) != epochs:
        raise RecordError(f"{run_dir} has trained {len(history)} of {epochs} epochs. Train it to its end first.")
    model, tests = whole(model, dataset), dict(record.tests)
    predict = Predictor(model)
    for test in tqdm.tqdm(test_sets, desc="test sets", disable=None):
        path, described = run_dir / PREDICTIONS / f"{test.name}.npz", Test(test.source, test.sha256)
        if tests.get(test.name) == described:
            with contextlib.suppress(RecordError):
                predictions.read(path)
                continue
        logits, labels = predict(test.images), test.labels.astype(np.uint8)
        margins = predictions.margins(logits, labels) if dataset.name in datasets.JUDGES else None
        answers = logits.argmax(axis=1).astype(np.uint8)
        predictions.write(path, predictions.Predictions(answers, labels, dataset.trained_on(test.images), margins))
        tests[test.name] = described
    if not (run_dir / MODEL).is_file():
        write_model(model, run_dir)
    seconds = record.wall_seconds
    if record.status == "unfinished":
        seconds = math.fsum(history["seconds"]) + time.perf_counter() - started
    record = msgspec.structs.replace(record, status="finished", tests=tests, wall_seconds=seconds)
    write(run_dir, record)
    return record
