"""Predictions and accuracies of a model on every test set that fits it."""

import math
import os
import pathlib
import time
from collections.abc import Callable, Sequence

import keras
import msgspec
import numpy as np
import tensorflow as tf
import tqdm
from jaxtyping import Float, Float32, Int, UInt8

from autoaug import datasets, runs
from autoaug.datasets import Dataset, LabelledImages
from autoaug.models.layers import Normalize
from autoaug.runs import export, predictions
from autoaug.runs.predictions import Predictions
from autoaug.runs.record import HISTORY, MODEL, PREDICTIONS, Record, RecordError, Test, read, write

_BATCH_SIZE = 250
_AFFORDABLE_SHARE = 0.05  # of a training's operations, for evaluating the test sets while it trains
_PASSES_PER_STEP = 3  # a training step costs three forward passes: its own, and the gradients of inputs and weights

Predict = Callable[[UInt8[np.ndarray, "n 32 32 3"]], Float32[np.ndarray, "n classes"]]


class Predictor:
    """Logits of a model in evaluation mode, compiled once.

    Args:
        model: from normalised images to logits; or, without mean and std, from uint8 images.
        mean, std: channel statistics of the model's training set, as fractions of 255.
    """

    def __init__(
        self, model: keras.Model, mean: Float[np.ndarray, "3"] | None = None, std: Float[np.ndarray, "3"] | None = None
    ) -> None:
        normalize = Normalize(mean, std) if mean is not None and std is not None else lambda images: images
        self._predict = tf.function(
            lambda images: model(normalize(images), training=False), autograph=False, reduce_retracing=True
        )

    def __call__(self, images: UInt8[np.ndarray, "n 32 32 3"]) -> Float32[np.ndarray, "n classes"]:
        """Logits of the images, in order."""
        parts = [images[start : start + _BATCH_SIZE] for start in range(0, len(images), _BATCH_SIZE)]
        return np.concatenate([self._predict(tf.constant(part)).numpy() for part in parts])


def accuracy(predict: Predict, images: UInt8[np.ndarray, "n 32 32 3"], labels: Int[np.ndarray, " n"]) -> float:
    """The fraction of images whose largest logit is that of their label; at least one image."""
    return float(np.mean(predict(images).argmax(1) == labels))


def affordable_interval(test_size: int, train_size: int) -> int:
    """Epochs from one evaluation of the test sets to the next, so that evaluation adds about 5 % to the operations.

    Args:
        test_size: number of images of all test sets.
        train_size: number of images of the training set.
    """
    return max(1, math.ceil(test_size / (_PASSES_PER_STEP * train_size * _AFFORDABLE_SHARE)))


class Monitor:
    """Accuracies on test sets while a model trains, without the test images that are among the training images.

    Args:
        test_sets: test sets of the same classes; one without remaining images is ignored.
        dataset: the model trains on its training part.
        every: evaluate after so many epochs; 0: never; −1: `affordable_interval`.

    Attributes:
        every: epochs from one evaluation to the next; 0: never.
    """

    def __init__(self, test_sets: Sequence[LabelledImages], dataset: Dataset, every: int = -1) -> None:
        self._parts = []
        for test in test_sets if every != 0 else ():
            clean = ~dataset.trained_on(test.images)
            if clean.any():
                images, labels = (test.images, test.labels) if clean.all() else (test.images[clean], test.labels[clean])
                self._parts.append((test.name, images, labels))
        size = sum(len(labels) for _, _, labels in self._parts)
        interval = affordable_interval(size, len(dataset.train_labels)) if every < 0 else every
        self.every = interval if self._parts else 0

    def accuracies(self, predict: Predict, epoch: int) -> dict[str, float]:
        """`test_accuracy:<test set>` → fraction, after an epoch counted from 1; empty if no evaluation is due."""
        if not self.every or epoch % self.every:
            return {}
        return {f"test_accuracy:{name}": accuracy(predict, images, labels) for name, images, labels in self._parts}


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
    predict, tests = Predictor(model, dataset.mean, dataset.std), dict(record.tests)
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
        export.write(export.whole(model, dataset), run_dir)
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
