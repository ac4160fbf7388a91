"""Tables of counts with accuracies, gaps and their intervals.

A table of counts is a DataFrame with the integer columns `total` and `correct`, a row per model and test set.
"""

import numpy as np

from autoaug.shift.intervals import accuracy_interval, gap


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
