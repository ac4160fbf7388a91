"""A trained model's answers on every test set that fits it."""

import contextlib
import math
import os
import pathlib
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
from autoaug.runs import export, predictions
from autoaug.runs.record import MODEL, PREDICTIONS, Record, RecordError, Test, read, write

_BATCH_SIZE = 250


class Predictor:
    """Logits of a whole model (`export.whole`), compiled once."""

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
    Margins are kept where the data set is one of those whose models judge.

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
    whole, tests = export.whole(model, dataset), dict(record.tests)
    predict = Predictor(whole)
    for test in tqdm.tqdm(test_sets, desc="test sets", disable=None):
        path = run_dir / PREDICTIONS / f"{test.name}.npz"
        if test.name in tests and tests[test.name].sha256 == test.sha256:
            with contextlib.suppress(RecordError):
                predictions.read(path)
                continue
        logits = predict(test.images)
        margins = predictions.margins(logits, test.labels) if dataset.name in datasets.JUDGES else None
        answers, labels = logits.argmax(axis=1).astype(np.uint8), test.labels.astype(np.uint8)
        predictions.write(path, predictions.Predictions(answers, labels, dataset.trained_on(test.images), margins))
        tests[test.name] = Test(test.source, test.sha256)
    if not (run_dir / MODEL).is_file():
        export.write(whole, run_dir)
    seconds = record.wall_seconds
    if record.status == "unfinished":
        seconds = math.fsum(history["seconds"]) + time.perf_counter() - started
    record = msgspec.structs.replace(record, status="finished", tests=tests, wall_seconds=seconds)
    write(run_dir, record)
    return record
