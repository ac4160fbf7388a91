"""Tables of counts with accuracies, gaps and their intervals.

A table of counts is a DataFrame with the integer columns `total` and `correct`, a row per model and test set.
"""

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from autoaug.shift.intervals import accuracy_interval, gap


def class_gaps(
    correct: Bool[np.ndarray, " images"],
    labels: Int[np.ndarray, " images"],
    other_correct: Bool[np.ndarray, " other_images"],
    other_labels: Int[np.ndarray, " other_images"],
    confidence: float = 0.95,
) -> dict[int, tuple[float, float, float]]:
    """`gap` by class: class → (gap, low, high), for the classes that both test sets have.

    Args:
        correct, other_correct: whether a model is right about each image of the two test sets.
        labels, other_labels: their classes.
        confidence: in (0, 1).
    """
    gaps = {}
    for label in np.intersect1d(labels, other_labels):
        members, others = correct[labels == label], other_correct[other_labels == label]
        value, low, high = gap(members.sum(), members.size, others.sum(), others.size, confidence)
        gaps[int(label)] = float(value), float(low), float(high)
    return gaps


def most_lost(right: Bool[np.ndarray, "models images"], count: int) -> Int[np.ndarray, " lost"]:
    """Indices of the images that most models get wrong, the most first; only images that some model gets wrong.

    Args:
        right: whether each model is right about each image.
        count: largest number of indices.
    """
    wrong = (~right).sum(axis=0)
    order = np.argsort(-wrong, kind="stable")[:count]
    return order[wrong[order] > 0]


def clean_counts(runs: pd.DataFrame) -> pd.DataFrame:
    """The counts to report, from `runs.collect`'s table: `total` and `correct` without the test images that the
    model was trained on. A test set without remaining images has no row."""
    return runs[runs["total"] > 0].reset_index(drop=True)


def accuracy_table(counts: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """The table of counts with the columns `accuracy`, `low`, `high` (Clopper–Pearson)."""
    low, high = accuracy_interval(counts["correct"].to_numpy(int), counts["total"].to_numpy(int), confidence)
    return counts.assign(accuracy=counts["correct"] / counts["total"], low=low, high=high)


def gap_table(counts: pd.DataFrame, by: str = "run_id", confidence: float = 0.95) -> pd.DataFrame:
    """How much lower each model's accuracy is on other test sets than on its own.

    Args:
        counts: table of counts that also has the columns `train_data` and `test_set`.
        by: the column that identifies models.
        confidence: in (0, 1).

    Returns:
        The rows of `counts` on other test sets, with the columns `gap`, `low`, `high` (Newcombe), fractions. Models
        without counts on their own test set are left out.
    """
    own = counts.loc[counts["test_set"] == counts["train_data"], [by, "correct", "total"]]
    other = counts[counts["test_set"] != counts["train_data"]]
    pairs = other.merge(own, on=by, suffixes=("", "_own"))
    own_correct, own_total, correct, total = (
        pairs[name].to_numpy(int) for name in ("correct_own", "total_own", "correct", "total")
    )
    difference, low, high = gap(own_correct, own_total, correct, total, confidence)
    return pairs.assign(gap=difference, low=low, high=high)
