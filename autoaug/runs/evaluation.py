"""Predictions and accuracies of a model on every test set that fits it."""

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
from autoaug.runs.predictions import Predictions
from autoaug.runs.record import HISTORY, MODEL, PREDICTIONS, Record, RecordError, Test, read, write

_BATCH_SIZE = 250


class Predictor:
    """Logits of a whole model (`export.whole`), compiled once.

    Args:
        model: from uint8 images to logits.
    """

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
    model: keras.Model,
    dataset: Dataset,
    run_dir: str | os.PathLike[str],
    test_sets: Sequence[LabelledImages],
    margins: bool | None = None,
) -> Record:
    """Evaluate a trained model, and finish its run: predictions, `model.keras`, record.

    A test set with the same pixels and labels is not evaluated again, unless its predictions are missing or damaged.

    Args:
        model: the trained model, from normalised images.
        dataset: the data set that it was trained on; its statistics normalise every test set.
        run_dir: the run's folder, with the record that was begun by the training.
        test_sets: from `load_test_sets`.
        margins: whether to keep each image's margin; None: if the data set is one of those whose models judge.

    Returns:
        The finished record.

    Raises:
        RecordError: the run was not trained to its end.
    """
    run_dir, started = pathlib.Path(run_dir), time.perf_counter()
    record = read(run_dir)
    trained_seconds = _trained_seconds(run_dir, record)
    keeps_margins = dataset.name in datasets.JUDGES if margins is None else margins
    whole, tests = export.whole(model, dataset), dict(record.tests)
    predict = Predictor(whole)
    for test in tqdm.tqdm(test_sets, desc="test sets", disable=None):
        if predictions.are_kept(run_dir, record, test.name, test.sha256):
            continue
        logits = predict(test.images)
        answers = Predictions(
            logits.argmax(axis=1).astype(np.uint8),
            test.labels.astype(np.uint8),
            dataset.trained_on(test.images),
            predictions.margins(logits, test.labels) if keeps_margins else None,
        )
        predictions.write(run_dir / PREDICTIONS / f"{test.name}.npz", answers)
        tests[test.name] = Test(test.source, test.sha256)
    if not (run_dir / MODEL).is_file():
        export.write(whole, run_dir)
    seconds = record.wall_seconds
    if record.status == "unfinished":
        seconds = trained_seconds + time.perf_counter() - started
    record = msgspec.structs.replace(record, status="finished", tests=tests, wall_seconds=seconds)
    write(run_dir, record)
    return record


def _trained_seconds(run_dir: pathlib.Path, record: Record) -> float:
    """Seconds that the training took, with its evaluations."""
    history, epochs = runs.history(run_dir), record.recipe.epochs if record.recipe else 0
    if len(history) != epochs:
        raise RecordError(f"{run_dir} has trained {len(history)} of {epochs} epochs. Train it to its end first.")
    seconds = math.fsum(history.get("seconds", [math.nan]))
    if not 0 <= seconds < math.inf:
        raise RecordError(f"{run_dir / HISTORY}: Expected the seconds of each epoch. Received: {seconds}")
    return seconds
