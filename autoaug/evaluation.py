"""Predictions and accuracies of a model on every test set that fits it."""

import math
import os
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tqdm
from jaxtyping import Float, Float32, Int, UInt8

from autoaug import augment, datasets, histories, predictions, records
from autoaug.datasets import Dataset, LabelledImages

_BATCH_SIZE = 250
_AFFORDABLE_SHARE = 0.05  # of a training's operations, for evaluating the test sets while it trains
_PASSES_PER_STEP = 3  # a training step costs three forward passes, see `models.flops_per_image`

Predict = Callable[[UInt8[np.ndarray, "n 32 32 3"]], Float32[np.ndarray, "n classes"]]


class Predictor:
    """Logits of a model in evaluation mode, compiled once.

    Args:
        model: from normalised images to logits.
        mean, std: channel statistics of the model's training set, as fractions of 255.
    """

    def __init__(self, model: keras.Model, mean: Float[np.ndarray, "3"], std: Float[np.ndarray, "3"]) -> None:
        self._predict = tf.function(lambda batch: model(batch, training=False), autograph=False, reduce_retracing=True)
        self._mean, self._std = mean, std

    def __call__(self, images: UInt8[np.ndarray, "n 32 32 3"]) -> Float32[np.ndarray, "n classes"]:
        """Logits of the images, in order."""
        parts = [images[start : start + _BATCH_SIZE] for start in range(0, len(images), _BATCH_SIZE)]
        return np.concatenate([self._predict(augment.normalize(part, self._mean, self._std)).numpy() for part in parts])


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
            clean = ~datasets.overlap(test.images, dataset.train_images)
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
    names = datasets.available(data_dir, family=datasets.DATASETS[dataset.name].family)
    return [datasets.load_test(name, data_dir) for name in names if datasets.DATASETS[name].test_file]


def evaluate_run(
    model: keras.Model, dataset: Dataset, run_dir: str | os.PathLike[str], test_sets: Sequence[LabelledImages]
) -> dict[str, Any]:
    """Evaluate a trained model and finish its run's record.

    Predictions go to `run_dir/predictions/<test set>.npz`, in the whole form of `predictions`. A test set with the same
    pixels and labels is not evaluated again, unless its predictions are missing, damaged or unlike the record.

    Args:
        model: the trained model.
        dataset: the data set that it was trained on; its statistics normalise every test set.
        run_dir: the run's folder, with the record that was begun by the training.
        test_sets: from `load_test_sets`.

    Returns:
        The finished record.

    Raises:
        records.RecordError: the run was not trained to its end.
    """
    run_dir, started = pathlib.Path(run_dir), time.perf_counter()
    record = records.read(run_dir)
    trained_seconds = _trained_seconds(run_dir, record)
    predict = Predictor(model, dataset.mean, dataset.std)
    for test in tqdm.tqdm(test_sets, desc="test sets", disable=None):
        if predictions.are_kept(run_dir, record, test.name, test.sha256):
            continue
        overlap = datasets.overlap(test.images, dataset.train_images)
        answers = predictions.from_logits(predict(test.images), test.labels, overlap)
        predictions.write(run_dir / "predictions" / f"{test.name}.npz", answers)
        record["tests"][test.name] = answers.counts() | {"source": test.source, "sha256": test.sha256}
    if record["status"] == "unfinished":
        seconds = trained_seconds + time.perf_counter() - started
        record |= {"status": "finished", "wall_seconds": seconds}
    records.write(run_dir, record)
    return record


def _trained_seconds(run_dir: pathlib.Path, record: dict[str, Any]) -> float:
    """Seconds that the training took; 0 for an imported model."""
    if record["kind"] == "imported":
        return 0.0
    history, epochs = histories.read(run_dir), record["recipe"]["epochs"]
    if len(history) != epochs:
        raise records.RecordError(
            f"{run_dir} has trained {len(history)} of {epochs} epochs. Train it to its end first."
        )
    seconds = math.fsum(history.get("seconds", [math.nan]))
    if not 0 <= seconds < math.inf:
        raise records.RecordError(
            f"{run_dir / records.HISTORY}: Expected the seconds of each epoch. Received: {seconds}"
        )
    return seconds
