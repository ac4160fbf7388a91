"""Models compared on the same images: paired differences, agreement, confusions, the hardest images."""

import itertools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import scipy.stats
from jaxtyping import Bool, Float, Int

from autoaug.shift.intervals import Estimate, require_confidence


def mcnemar(first: Bool[np.ndarray, " images"], second: Bool[np.ndarray, " images"]) -> float:
    """p-value that two models are right equally often: McNemar's exact test (Psychometrika 12 (1947), 153–157).

    Under this hypothesis, an image on which only one model is right is the first model's with probability ½.

    Args:
        first, second: whether each model is right about each image.

    Raises:
        ValueError: the arrays are not bool of one length, at least 1.
    """
    _check_pair(first, second)
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(scipy.stats.binomtest(only_first, only_first + only_second, 0.5).pvalue)


class Pair(NamedTuple):
    """Two families on the same images.

    `difference` is the mean accuracy of the first minus that of the second. `p_value` tests whether both are right
    equally often; `adjusted` is the same after Holm's correction for all compared pairs. `recipes` says whether the
    numbers include the chance in training. This takes two runs of both families; otherwise the numbers hold for these
    runs, not for their recipes.
    """

    first: str
    second: str
    difference: Estimate
    p_value: float
    adjusted: float
    recipes: bool


def compare_pairs(families: Mapping[str, Bool[np.ndarray, "runs images"]], confidence: float) -> list[Pair]:
    """All pairs of families, with all their runs, on the same images.

    Intervals are Student's t. The variance of a difference has two parts: the variance over images, with all answers to
    an image kept together, and, for each family, the variance of its runs beyond that of single answers (a crossed
    design: Searle, Casella & McCulloch, Variance Components, 1992, chapter 4). Degrees of freedom are Satterthwaite's
    (Biometrics Bulletin 2 (1946), 110–114). For one run against one, the p-value is `mcnemar`'s.

    Args:
        families: name → whether each run is right about each image, in the same order of images; at least 2 images.
        confidence: of the intervals, in (0, 1).

    Raises:
        ValueError: the arrays do not fit each other; confidence out of range.
    """
    require_confidence(confidence)
    shapes = [f"{right.dtype} {right.shape}" for right in families.values()]
    fit = all(right.dtype == bool and right.ndim == 2 and len(right) for right in families.values())
    if not fit or len({right.shape[1] for right in families.values()}) > 1:
        raise ValueError(f"Expected families of bool [runs, images] on the same images. Received: {', '.join(shapes)}")
    names = list(itertools.combinations(families, 2))
    tests = [_compare(families[first], families[second], confidence) for first, second in names]
    adjusted = holm(np.array([p_value for _, p_value in tests]))
    return [
        Pair(first, second, difference, p_value, corrected, min(len(families[first]), len(families[second])) > 1)
        for (first, second), (difference, p_value), corrected in zip(names, tests, adjusted.tolist(), strict=True)
    ]


def _compare(
    first: Bool[np.ndarray, "_ images"], second: Bool[np.ndarray, "_ images"], confidence: float
) -> tuple[Estimate, float]:
    """Difference of mean accuracies with its interval, and the p-value that there is none."""
    away = first.mean(axis=0) - second.mean(axis=0)
    images = away.size
    variance = away.var(ddof=1) / images
    uncertainty = variance**2 / (images - 1)
    for right in (first, second):
        if len(right) > 1:
            between = right.mean(axis=1).var(ddof=1)
            within = right.var(axis=0, ddof=1).mean() / images
            variance += max(between - within, 0) / len(right)
            uncertainty += (between / len(right)) ** 2 / (len(right) - 1)
    value, error = float(away.mean()), float(np.sqrt(variance))
    if error == 0:  # the same answers
        return Estimate(value, value, value), float(value == 0)
    degrees = variance**2 / uncertainty
    half = error * float(scipy.stats.t.ppf((1 + confidence) / 2, degrees))
    single = len(first) == len(second) == 1
    p_value = mcnemar(first[0], second[0]) if single else float(2 * scipy.stats.t.sf(abs(value) / error, degrees))
    return Estimate(value, value - half, value + half), p_value


def holm(p_values: Float[np.ndarray, " tests"]) -> Float[np.ndarray, " tests"]:
    """p-values corrected for their number (Holm, Scandinavian Journal of Statistics 6 (1979), 65–70).

    If all tests with a corrected p-value up to α are rejected, at least one is wrongly rejected with probability at
    most α.
    """
    order = np.argsort(p_values)
    steps = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(steps, 1)
    return adjusted


def agreement(predictions: Int[np.ndarray, "models images"]) -> Float[np.ndarray, "models models"]:
    """Fraction of images to which two models give the same class, for every pair of models."""
    return (predictions[:, None] == predictions[None]).mean(axis=2)


def confusion(
    predictions: Int[np.ndarray, "models images"], labels: Int[np.ndarray, " images"], classes: int
) -> Float[np.ndarray, "classes classes"]:
    """Fraction of each class's images that models assign to each class; a row per true class.

    A class without images has a row of NaN.

    Args:
        predictions: classes from 0; the fractions are over all models' answers.
        labels: the images' classes.
        classes: number of classes.
    """
    pairs = labels * classes + predictions
    counts = np.bincount(pairs.ravel(), minlength=classes**2).reshape(classes, classes)
    total = counts.sum(axis=1, keepdims=True)
    return counts / np.where(total, total, np.nan)


def hardest(correct: Bool[np.ndarray, "models images"], count: int) -> Int[np.ndarray, " hard"]:
    """Indices of the images that most models get wrong, the hardest first; only images that some model gets wrong.

    Args:
        correct: whether each model is right about each image.
        count: largest number of indices.
    """
    wrong = (~correct).sum(axis=0)
    order = np.argsort(-wrong, kind="stable")[:count]
    return order[wrong[order] > 0]


def _check_pair(first: np.ndarray, second: np.ndarray) -> None:
    if first.dtype != bool or second.dtype != bool or first.shape != second.shape or first.ndim != 1 or not len(first):
        raise ValueError(
            "Expected first and second: bool [images] of one length, at least 1. "
            f"Received: {first.dtype} {first.shape}, {second.dtype} {second.shape}"
        )
