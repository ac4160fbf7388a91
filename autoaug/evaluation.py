"""Predictions and accuracies of a model on every test set that fits it."""

import io
import pathlib
import time

import numpy as np
import pandas as pd
import tensorflow as tf
import tqdm

from autoaug import augment, datasets, records
from autoaug.files import write_atomically

_BATCH_SIZE = 250


class Predictor:
    """Evaluation-mode logits of a model, compiled once for all the images that it is called with.

    Args:
        model: `keras.Model` from normalised images to logits.
        mean, std: float [3], channel statistics of the model's training set, as fractions of 255.
    """

    def __init__(self, model, mean, std):
        self._predict = tf.function(lambda batch: model(batch, training=False), reduce_retracing=True)
        self._mean, self._std = mean, std

    def __call__(self, images):
        """Logits, float32 [n, classes], of uint8 images [n, 32, 32, 3], in order."""
        parts = [images[start : start + _BATCH_SIZE] for start in range(0, len(images), _BATCH_SIZE)]
        return np.concatenate([self._predict(augment.normalize(part, self._mean, self._std)).numpy() for part in parts])


def count_correct(logits, labels, overlap):
    """Counts for the record: of all test images, and of those (`clean`) that are not among the training images.

    Args:
        logits: float32 [n, classes].
        labels: int [n].
        overlap: bool [n], whether the test image is among the training images.

    Returns:
        dict of ints: total, correct, overlap, clean_total, clean_correct.
    """
    correct = logits.argmax(axis=1) == labels
    return {
        "total": len(labels),
        "correct": int(correct.sum()),
        "overlap": int(overlap.sum()),
        "clean_total": int((~overlap).sum()),
        "clean_correct": int(correct[~overlap].sum()),
    }


def load_test_sets(dataset, data_dir):
    """The test sets that fit a training set: every one of its family under `data_dir`, as `datasets.TestPart`s.

    Loaded before training, so that a damaged file is found before the work and not after it.
    """
    names = datasets.available(data_dir, family=datasets.DATASETS[dataset.name].family)
    return [datasets.load_test(name, data_dir) for name in names]


def evaluate_run(model, dataset, run_dir, test_sets):
    """Evaluate a trained model and finish its run's record.

    A test set that the record holds already, with the same pixels and labels, is not evaluated again. The predictions
    go to `run_dir/predictions/<test set>.npz`: logits float32 [n, classes], labels int64 [n], overlap bool [n].

    Args:
        model: the trained `keras.Model`.
        dataset: `datasets.Dataset` that it was trained on, whose statistics normalise every test set.
        run_dir: the run's folder, with the record that training began.
        test_sets: `datasets.TestPart`s, from `load_test_sets`.

    Returns:
        The finished record.

    Raises:
        records.RecordError: if the run was not trained to its end.
    """
    run_dir, started = pathlib.Path(run_dir), time.perf_counter()
    record = records.read(run_dir)
    trained_seconds = _trained_seconds(run_dir, record)
    predict = Predictor(model, dataset.mean, dataset.std)
    for test in tqdm.tqdm(test_sets, desc="test sets", disable=None):
        if record["tests"].get(test.name, {}).get("sha256") == test.sha256:
            continue
        logits = predict(test.images)
        overlap = datasets.overlap(test.images, dataset.train_images)
        _write_predictions(run_dir / "predictions" / f"{test.name}.npz", logits, test.labels, overlap)
        record["tests"][test.name] = count_correct(logits, test.labels, overlap) | {
            "source": test.source,
            "sha256": test.sha256,
        }
    if record["status"] == "unfinished":
        seconds = trained_seconds + time.perf_counter() - started
        record |= {"status": "finished", "wall_seconds": seconds}
    records.write(run_dir, record)
    return record


def _trained_seconds(run_dir, record):
    """Seconds that the training took, which an imported model has not had."""
    if record["kind"] == "imported":
        return 0.0
    history, epochs = run_dir / "history.csv", record["recipe"]["epochs"]
    seconds = pd.read_csv(history)["seconds"] if history.exists() else []
    if len(seconds) != epochs:
        raise records.RecordError(
            f"{run_dir} has trained {len(seconds)} of {epochs} epochs. Train it to its end first."
        )
    return float(sum(seconds))


def _write_predictions(path, logits, labels, overlap):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, logits=logits, labels=labels, overlap=overlap)
    write_atomically(path, buffer.getvalue())
