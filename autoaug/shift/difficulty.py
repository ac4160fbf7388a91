"""Weights that make A's and B's test images alike in class and difficulty.

Models trained on hard images may be better on hard images and worse on easy ones. Then models are better at home,
although A and B differ only in difficulty. Given class and difficulty this advantage vanishes, whatever the scale and
the training sets' strength. So the home advantage is looked at again within strata of both.

The difficulty must not come from the models under test. Judges tell it: two sets of models, trained on two disjoint
sets of A's kind of images, about as accurate on A as the models of A. No judge has seen a test image. Two
sources are needed since a score from one is partly chance, and partly the taste of its training images. How well two
sources agree says how far a score has to be drawn to the mean (Shealy & Stout, Psychometrika 58 (1993), 159–194).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.special
from jaxtyping import Float, Int

from autoaug.shift.contrasts import Sides, Strata

STRATA = 20  # in each class
SMALLEST_STRATUM = 8  # images of A and B together, about; classes with fewer than 160 have fewer strata
FEWEST_STRATA = 10  # in a class, to compare its images; with five, 100 classes had 5 % of false "different"
FEWEST_JUDGES = 3  # runs of each source
WEAKER_JUDGES = 0.02  # that judges may be less accurate on A than the models of A, by chance
SMALLEST_SAMPLE = 0.3  # effective, as a share of the test images on each side


class Judged(NamedTuple):
    """Difficulty of A's and of B's test images, larger is harder, and how much each counts in the edges of strata."""

    scores: Sides
    errors: Sides


def strata(judges: Sequence[Any], labels: Sequence[Any], images: Sides) -> Strata:
    """Strata of class × difficulty, with overlap weights (Li, Morgan & Zaslavsky, JASA 113 (2018), 390–400).

    Args:
        judges: two sources, each a pair (on A's images, on B's images) of margins, float [runs, images]: the label's
            logit minus the largest other one. Or, where the difficulty is known by construction, one pair of it, float
            [images], larger is harder.
        labels: classes of A's and of B's test images, each int [images].
        images: numbers of A's and of B's test images.

    Raises:
        ValueError: an array is not as said above.
    """
    classes = Sides(*_labels(labels, images))
    known = [side for side in judges if isinstance(side, np.ndarray)]
    if len(known) == len(judges) == 2 and all(map(_is_of, known, ((size,) for size in images))):
        scores = Sides(*(side.astype(float) for side in known))
        judged = Judged(scores, Sides(*map(np.zeros_like, scores)))
    else:
        judged = _judged(_margins(judges, images), classes)
    return _overlap(Sides(*_members(judged, classes)))


def _judged(sources: list[Sides], classes: Sides) -> Judged:
    """The corrected mean of both sources' scores, and the share of judges' answers that are wrong."""
    by_source = [_on_common_scale(Sides(*(-side.mean(axis=0) for side in source))) for source in sources]
    scores = []
    for first, second, labels in zip(*by_source, classes, strict=True):
        score = (first + second) / 2
        for label in np.unique(labels):
            members = labels == label
            score[members] = _true_score(first[members], second[members])
        scores.append(score)
    errors = [np.mean([(side <= 0).mean(axis=0) for side in sides], axis=0) for sides in zip(*sources, strict=True)]
    return Judged(Sides(*scores), Sides(*errors))


def _on_common_scale(scores: Sides) -> Sides:
    """Ranks over A and B together, through the normal quantile."""
    _, place, count = np.unique(np.concatenate(scores), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - count / 2)[place]  # equal scores share the middle of their ranks
    return Sides(*np.split(scipy.special.ndtri(ranks / len(ranks)), [len(scores.a)]))


def _true_score(first: Float[np.ndarray, " n"], second: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """The mean of two scores, drawn towards its own mean as far as one score does not tell the other.

    How one depends on the other is fitted by a parabola, since difficulty may be skewed. With a line, as for normal
    scores, the distance to the mean would shrink by the reliability of Spearman and Brown, 2ρ / (1 + ρ).
    """
    score = (first + second) / 2
    if not (first.std() and second.std()):
        return score
    told = np.zeros(len(score))
    for one, other in ((first, second), (second, first)):
        powers = np.vander(one, 3)
        told += powers @ np.linalg.lstsq(powers, other, rcond=None)[0] - score.mean()
    return score.mean() + told / (1 + max(float(np.corrcoef(first, second)[0, 1]), 0.0))


def _members(judged: Judged, classes: Sides) -> list[Int[np.ndarray, " images"]]:
    """A number for each image's class and stratum: the same number, the same stratum.

    Edges are at equal shares of the judges' errors, plus a quarter of the images': strata are finer where it is hard,
    since there, accuracy changes fast with difficulty. An image fills at most an eighth of a stratum, so none is alone.
    A class of few images has fewer strata; with fewer than FEWEST_STRATA, its images are not taken for alike.
    """
    strata = [np.empty(len(side), int) for side in classes]
    for label in np.union1d(*classes):
        members = [side == label for side in classes]
        scores, errors = (
            np.concatenate([side[chosen] for side, chosen in zip(sides, members, strict=True)]) for sides in judged
        )
        count = min(STRATA, len(errors) // SMALLEST_STRATUM)
        shares = errors / max(errors.sum(), 1e-300) + 0.25 / len(errors)
        for _ in range(30):
            shares = np.minimum(shares / shares.sum(), 1 / (SMALLEST_STRATUM * max(count, 1)))
        order = np.argsort(scores, kind="stable")
        reached = np.cumsum(shares[order]) / shares.sum()
        places = np.searchsorted(reached, np.linspace(0, 1, count + 1)[1:-1])
        edges = np.unique(scores[order][places])
        for number, (stratum, side, chosen) in enumerate(zip(strata, judged.scores, members, strict=True)):
            inside = np.searchsorted(edges, side[chosen], side="right") if count >= FEWEST_STRATA else number
            stratum[chosen] = STRATA * label + inside
    return strata


def _overlap(members: Sides) -> Strata:
    """Weights in proportion to a·b / (a + b), where a and b are a stratum's shares of A's and of B's images.

    Since the numbers of images depend on chance, this is too small on average, most in small strata; so it is corrected
    (delta method, to the second order).
    """
    size = int(max(members.a.max(), members.b.max())) + 1
    counts = [np.bincount(side, minlength=size) for side in members]
    a, b = (count / count.sum() for count in counts)
    of_a, of_b = (1 / np.maximum(count, 1) for count in counts)  # squared relative standard errors of a and of b
    part = b / np.where(a + b, a + b, 1)
    weights = a * part / (1 - part * (1 - part) * (of_a + of_b))
    return Strata(members, weights / (weights.sum() or 1), part**2 * of_a + (1 - part) ** 2 * of_b)


def is_comparable(strata: Strata) -> bool:
    """Whether enough images of both sets have their like in the other, by the effective sample sizes."""
    shares = [len(side) * (side**2).sum() for side in strata.shares]  # 1 / effective share of the images
    return bool(strata.weights.any() and max(shares) <= 1 / SMALLEST_SAMPLE)


def _labels(labels: Sequence[Any], images: Sides) -> list[Int[np.ndarray, " images"]]:
    sides = [np.asarray(side) for side in labels]
    of_classes = all(side.dtype.kind in "iu" and side.size and 0 <= side.min() <= side.max() < 256 for side in sides)
    if not of_classes or [side.shape for side in sides] != [(size,) for size in images]:
        received = ", ".join(f"{side.dtype} {side.shape}" for side in sides)
        raise ValueError(
            f"Expected labels of both test sets, classes from 0 to 255, int {images}. Received: {received}"
        )
    return [side.astype(int) for side in sides]


def _margins(judges: Sequence[Any], images: Sides) -> list[Sides]:
    sources = [[np.asarray(side) for side in source] for source in judges]
    fit = len(sources) == 2 and all(
        len(source) == 2
        and source[0].size
        and all(_is_of(side, (*source[0].shape[:1], size)) for side, size in zip(source, images, strict=True))
        for source in sources
    )
    if not fit:
        received = "; ".join(", ".join(f"{side.dtype} {side.shape}" for side in source) for source in sources)
        raise ValueError(
            "Expected judges: two sources, each a pair of finite margins on A's and on B's images, float [runs, "
            f"{images.a}] and [runs, {images.b}]; or a pair of known difficulties, float [images]. Received: {received}"
        )
    return [Sides(*(side.astype(float) for side in source)) for source in sources]


def _is_of(array: np.ndarray, shape: tuple[int, ...]) -> bool:
    return array.dtype.kind == "f" and array.shape == shape and bool(np.isfinite(array).all())
