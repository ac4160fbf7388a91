"""Models compared on the same images: paired differences, agreement, confusions, calibration, the hardest images."""

from typing import NamedTuple

import numpy as np
import scipy.special
import scipy.stats

from autoaug.shift.intervals import Estimate, ends, estimate, require_confidence


def mcnemar(first, second):
    """p-value that two models are equally often right: McNemar's exact test (Psychometrika 12 (1947), 153–157).

    Of the images on which only one model is right, each is the first one's with probability ½.

    Args:
        first, second: bool [images], whether each model is right about each image.

    Raises:
        ValueError: the arrays are not bool of one length, at least 1.
    """
    _check_pair(first, second)
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(scipy.stats.binomtest(only_first, only_first + only_second, 0.5).pvalue)


def paired_difference(first, second, confidence, rng, replicates=10_000):
    """Accuracy of the first model minus that of the second on the same images: Estimate, by a bootstrap over images.

    Args:
        first, second: as for `mcnemar`.
        confidence: in (0, 1).
        rng: numpy.random.Generator.
        replicates: of the bootstrap.

    Raises:
        ValueError: as for `mcnemar`, or confidence is out of range.
    """
    _check_pair(first, second)
    shares = [(first & ~second).mean(), (second & ~first).mean(), (first == second).mean()]
    counts = rng.multinomial(len(first), shares, replicates)
    draws = (counts[:, 0] - counts[:, 1]) / len(first)
    return estimate(shares[0] - shares[1], draws, confidence)


def agreement(predictions):
    """Fraction of images to which each two models give the same class: float [models, models].

    Args:
        predictions: int [models, images].
    """
    return (predictions[:, None] == predictions[None]).mean(axis=2)


def confusion(predictions, labels, classes):
    """Fraction of each class's images that are called each class: float [classes, classes], a row per true class.

    A class without images has a row of NaN.

    Args:
        predictions: int [models, images], classes from 0; the fractions are of all models' answers.
        labels: int [images].
        classes: number of classes.
    """
    pairs = labels * classes + predictions
    counts = np.bincount(pairs.ravel(), minlength=classes**2).reshape(classes, classes)
    total = counts.sum(axis=1, keepdims=True)
    return counts / np.where(total, total, np.nan)


def hardest(correct, count):
    """The images that most models get wrong: int [≤ count] indices, the hardest first, of those that any gets wrong.

    Args:
        correct: bool [models, images].
        count: how many to name at most.
    """
    wrong = (~correct).sum(axis=0)
    order = np.argsort(-wrong, kind="stable")[:count]
    return order[wrong[order] > 0]


class Reliability(NamedTuple):
    """By bin of confidence, those without images left out: mean confidence, accuracy, and images, each [bins];
    `error` is the expected calibration error."""

    confidence: np.ndarray
    accuracy: np.ndarray
    images: np.ndarray
    error: Estimate


def reliability(logits, labels, confidence, rng, bins=15, replicates=1_000):
    """How often a model is right against how sure it is (Guo et al., On Calibration of Modern Neural Networks, 2017).

    The expected calibration error is Σ over bins of |accuracy − confidence| · images / all images (their equation 3). A
    bootstrap adds noise to every bin and so lies above it; the interval is turned round the estimate (the basic
    bootstrap), and ends at 0.

    Args:
        logits: float [images, classes].
        labels: int [images].
        confidence: of the interval, in (0, 1).
        rng: numpy.random.Generator.
        bins: of equal width in [0, 1].
        replicates: of the bootstrap over images, a multiple of 50.

    Raises:
        ValueError: the arrays do not fit each other, or confidence is out of range.
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or not len(labels):
        raise ValueError(
            f"Expected logits [images, classes], labels [images]. Received: {logits.shape}, {labels.shape}"
        )
    require_confidence(confidence)
    sure = scipy.special.softmax(logits.astype(float), axis=1).max(axis=1)
    right = logits.argmax(axis=1) == labels
    place = np.minimum((sure * bins).astype(int), bins - 1)
    images = np.bincount(place, minlength=bins)
    full = images > 0
    members = np.zeros((len(labels), bins))
    members[np.arange(len(labels)), place] = right - sure
    error = np.abs(members.mean(axis=0)).sum()
    chances = np.full(len(labels), 1 / len(labels))
    draws = [np.abs(rng.multinomial(len(labels), chances, 50) @ members).sum(axis=1) for _ in range(replicates // 50)]
    low, high = np.quantile(np.concatenate(draws) / len(labels), ends(confidence))
    means = (np.bincount(place, values, bins)[full] / images[full] for values in (sure, right))
    turned = Estimate(float(error), float(max(2 * error - high, 0)), float(max(2 * error - low, 0)))
    return Reliability(*means, images[full], turned)


def _check_pair(first, second):
    if first.dtype != bool or second.dtype != bool or first.shape != second.shape or first.ndim != 1 or not len(first):
        raise ValueError(
            "Expected first and second: bool [images] of one length, at least 1. "
            f"Received: {first.dtype} {first.shape}, {second.dtype} {second.shape}"
        )
