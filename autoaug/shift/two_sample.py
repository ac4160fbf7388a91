"""Can A and B be told apart at all? A classifier two-sample test (Lopez-Paz & Oquab, Revisiting Classifier Two-Sample
Tests, 2017), by the area under the curve.

A classifier is trained to tell training images of A from those of B, and scores the test images of both. This module
evaluates the scores; `training.telling_apart` makes them. The classifier also sees harmless traces, such as those of
JPEG: the test says that A and B differ visibly, not that the difference matters to a model.
"""

import json
import os
import pathlib
from typing import Any, NamedTuple

import numpy as np
import scipy.stats
from jaxtyping import Float, Int

from autoaug.files import read_json, write_atomically
from autoaug.records import RecordError
from autoaug.shift.intervals import ends, require_confidence


class Scores(NamedTuple):
    """Scores of A's and B's test images; images that are among the training images of either set are left out.

    `test_sha256` maps the names of A and B to the `datasets.content_hash` of their test sets. A higher score means that
    the classifier takes the image for one of B. The labels are the images' classes.
    """

    test_sha256: dict[str, str]
    a: Float[np.ndarray, " a"]
    labels_a: Int[np.ndarray, " a"]
    b: Float[np.ndarray, " b"]
    labels_b: Int[np.ndarray, " b"]


class ToldApart(NamedTuple):
    """`auc`: the probability that an image of B scores higher than one of A (ties count half), in [0, 1]. `low` and
    `high`: it would lie between them if scores did not depend on the set. `p_value`: of auc ≤ ½, against auc > ½."""

    auc: float
    low: float
    high: float
    p_value: float


def told_apart(
    scores_a: Float[np.ndarray, " a"],
    scores_b: Float[np.ndarray, " b"],
    confidence: float,
    rng: np.random.Generator,
    permutations: int = 2_000,
) -> ToldApart:
    """The area under the curve of the scores, with its permutation distribution.

    Args:
        scores_a, scores_b: scores of test images of A and of B, which the classifier was not trained on; a higher score
            means B.
        confidence: of the interval, in (0, 1).
        rng: of the permutations.
        permutations: how often the images are assigned to A and B at random.

    Raises:
        ValueError: an array is empty or not finite; confidence out of range.
    """
    require_confidence(confidence)
    scores = np.concatenate([scores_a, scores_b]).astype(float)
    if not len(scores_a) or not len(scores_b) or not np.isfinite(scores).all():
        raise ValueError(
            "Expected finite scores of at least one image on either side. "
            f"Received: {len(scores_a)} and {len(scores_b)}, {int((~np.isfinite(scores)).sum())} not finite"
        )
    ranks = scipy.stats.rankdata(scores)
    observed = _auc(ranks[len(scores_a) :].sum(), len(scores_a), len(scores_b))
    sums = [rng.permutation(ranks)[len(scores_a) :].sum() for _ in range(permutations)]
    draws = _auc(np.array(sums), len(scores_a), len(scores_b))
    low, high = np.quantile(draws, ends(confidence))
    p_value = (1 + (draws >= observed).sum()) / (1 + permutations)  # the observed order is one of them
    return ToldApart(float(observed), float(low), float(high), float(p_value))


def told_apart_by_class(
    scores_a: Float[np.ndarray, " a"],
    labels_a: Int[np.ndarray, " a"],
    scores_b: Float[np.ndarray, " b"],
    labels_b: Int[np.ndarray, " b"],
    confidence: float,
    rng: np.random.Generator,
    permutations: int = 2_000,
) -> dict[int, ToldApart]:
    """`told_apart` for the images of each class that both test sets hold.

    So differences between the class frequencies of A and B play no part.

    Args:
        labels_a, labels_b: classes of the test images.
        scores_a, scores_b, confidence, rng, permutations: as for `told_apart`.

    Raises:
        ValueError: as for `told_apart`, or labels do not fit the scores.
    """
    if labels_a.shape != scores_a.shape or labels_b.shape != scores_b.shape:
        raise ValueError(
            f"Expected a label for each score. Received: {labels_a.shape} for {scores_a.shape} scores of A, "
            f"{labels_b.shape} for {scores_b.shape} of B"
        )
    return {
        int(label): told_apart(scores_a[labels_a == label], scores_b[labels_b == label], confidence, rng, permutations)
        for label in np.intersect1d(labels_a, labels_b)
    }


def _auc(rank_sum: Any, of_a: int, of_b: int) -> Any:
    """Mann & Whitney's U of B, as a fraction of all pairs of images."""
    return (rank_sum - of_b * (of_b + 1) / 2) / (of_a * of_b)


def write_scores(folder: str | os.PathLike[str], scores: Scores) -> pathlib.Path:
    """Write `told_apart/<A>+<B>.json` in a folder of results; returns the file. Scores are rounded to a thousandth."""
    content = {
        "test_sha256": scores.test_sha256,
        "a": scores.a.astype(float).round(3).tolist(),
        "labels_a": scores.labels_a.tolist(),
        "b": scores.b.astype(float).round(3).tolist(),
        "labels_b": scores.labels_b.tolist(),
    }
    path = pathlib.Path(folder) / "told_apart" / f"{'+'.join(scores.test_sha256)}.json"
    write_atomically(path, json.dumps(content, separators=(",", ":")).encode() + b"\n")
    return path


def read_scores(folder: str | os.PathLike[str], a: str, b: str) -> Scores | None:
    """The scores of A's and B's test images; None if there is no file.

    Raises:
        RecordError: the file holds something else; the message names it.
    """
    path = pathlib.Path(folder) / "told_apart" / f"{a}+{b}.json"
    if not path.exists():
        return None
    try:
        content = read_json(path)
        hashes = {name: str(content["test_sha256"][name]) for name in (a, b)}
        sides = [np.array(content[name], float) for name in ("a", "b")]
        labels = [np.array(content[name], float) for name in ("labels_a", "labels_b")]
        for side, classes in zip(sides, labels, strict=True):
            if side.ndim != 1 or side.shape != classes.shape or not len(side) or (classes % 1).any():
                raise ValueError(f"scores of shape {side.shape} with classes of shape {classes.shape}")
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise RecordError(f"{path}: Expected scores of the images of two test sets. Received: {error}") from error
    return Scores(hashes, sides[0], labels[0].astype(int), sides[1], labels[1].astype(int))
