"""Accuracies and gaps with their intervals: pure functions of counts and of tables of counts.

Numbers are fractions in [0, 1]; percent is for display. A table of counts is a DataFrame with the integer columns
`total` and `correct`, a row per model and test set.
"""

import numpy as np
import scipy.stats

from autoaug.bootstrap import require_confidence


def accuracy_interval(correct, total, confidence=0.95):
    """Exact interval of a binomial proportion: Clopper & Pearson, Biometrika 26 (1934), 404–413.

    Its ends are quantiles of beta distributions: Beta(k, n − k + 1) at α/2 and Beta(k + 1, n − k) at 1 − α/2, where
    α = 1 − confidence; 0 below for none correct, 1 above for all correct.

    Args:
        correct, total: integers or arrays of integers, 0 ≤ correct ≤ total, total ≥ 1.
        confidence: in (0, 1).

    Returns:
        (low, high), fractions; arrays where arrays were given.

    Raises:
        ValueError: a count or the confidence is out of range.
    """
    correct, total = _check(correct, total, confidence)
    tail = (1 - confidence) / 2
    low = np.where(correct == 0, 0.0, scipy.stats.beta.ppf(tail, np.maximum(correct, 1), total - correct + 1))
    high = np.where(correct == total, 1.0, scipy.stats.beta.ppf(1 - tail, correct + 1, np.maximum(total - correct, 1)))
    return low[()], high[()]


def gap(correct, total, other_correct, other_total, confidence=0.95):
    """correct/total − other_correct/other_total, for two test sets of different images, with its interval.

    Newcombe's hybrid score interval: Statistics in Medicine 17 (1998), 873–890, method 10. With p, l, u the first
    proportion and the ends of its Wilson score interval, and q, m, v those of the second, it is
    from p − q − √((p − l)² + (v − q)²) to p − q + √((u − p)² + (q − m)²).

    Args:
        correct, total, other_correct, other_total: as for `accuracy_interval`.
        confidence: in (0, 1).

    Returns:
        (gap, low, high), fractions in [−1, 1].

    Raises:
        ValueError: as for `accuracy_interval`.
    """
    p, low, high = _wilson(*_check(correct, total, confidence), confidence)
    q, other_low, other_high = _wilson(*_check(other_correct, other_total, confidence), confidence)
    below = np.hypot(p - low, other_high - q)
    above = np.hypot(high - p, q - other_low)
    return p - q, p - q - below, p - q + above


def class_gaps(correct, labels, other_correct, other_labels, confidence=0.95):
    """`gap` for the images of each class: a dict from class to (gap, low, high), of the classes in both test sets.

    Args:
        correct, other_correct: bool [images], whether a model is right about each image of the two test sets.
        labels, other_labels: int [images], their classes.
        confidence: in (0, 1).
    """
    classes = np.intersect1d(labels, other_labels)
    sides = ((correct, labels), (other_correct, other_labels))
    right, total, other_right, other_total = (
        [int(chosen[truth == label].sum()) for label in classes]
        for answers, truth in sides
        for chosen in (answers, np.ones_like(answers))
    )
    rows = zip(*gap(right, total, other_right, other_total, confidence), strict=True)
    return {int(label): tuple(map(float, row)) for label, row in zip(classes, rows, strict=True)}


def _wilson(correct, total, confidence):
    """Proportion and Wilson score interval (Journal of the American Statistical Association 22 (1927), 209–212)."""
    z = scipy.stats.norm.ppf((1 + confidence) / 2)
    p = correct / total
    centre = (p + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * np.sqrt(p * (1 - p) / total + z**2 / (4 * total**2))
    return p, centre - half, centre + half


def _check(correct, total, confidence):
    """Both counts as integer arrays."""
    require_confidence(confidence)
    correct, total = np.asarray(correct), np.asarray(total)
    integers = np.issubdtype(correct.dtype, np.integer) and np.issubdtype(total.dtype, np.integer)
    if not integers or np.any(total < 1) or np.any(correct < 0) or np.any(correct > total):
        raise ValueError(f"Expected integers, 0 ≤ correct ≤ total and total ≥ 1. Received: {correct=}, {total=}")
    return correct, total


def clean_counts(runs):
    """The counts to report of `records.collect`'s table: `total` and `correct` without the test images that the model
    was trained on. A test set of which nothing is left has no row."""
    counts = runs.assign(total=runs["clean_total"], correct=runs["clean_correct"])
    return counts[counts["total"] > 0].reset_index(drop=True)


def accuracy_table(counts, confidence=0.95):
    """The table of counts with the columns `accuracy`, `low`, `high` (Clopper–Pearson)."""
    low, high = accuracy_interval(counts["correct"].to_numpy(int), counts["total"].to_numpy(int), confidence)
    return counts.assign(accuracy=counts["correct"] / counts["total"], low=low, high=high)


def gap_table(counts, by="run_id", confidence=0.95):
    """How much lower each model's accuracy is on every other test set than on that of its own training data.

    Args:
        counts: table of counts with the columns `train_data` and `test_set` as well.
        by: the column that tells models apart.
        confidence: in (0, 1).

    Returns:
        The rows of `counts` on other test sets, with the columns `gap`, `low`, `high` (Newcombe), fractions; models
        without counts on their own test set have none.
    """
    own = counts.loc[counts["test_set"] == counts["train_data"], [by, "correct", "total"]]
    other = counts[counts["test_set"] != counts["train_data"]]
    pairs = other.merge(own, on=by, suffixes=("", "_own"))
    columns = (pairs[name].to_numpy(int) for name in ("correct_own", "total_own", "correct", "total"))
    difference, low, high = gap(*columns, confidence)
    return pairs.assign(gap=difference, low=low, high=high)
