"""Harder, or different? An accuracy gap as the sum of a test set's hardness and its difference.

Models are trained on a data set A and on a data set B, and all are tested on both. With AA, AB, BA, BB their accuracies
(first letter: trained on; second: tested on),

    hardness   = ½ [(AA − AB) + (BA − BB)]    the test set's main effect: what B takes from every model
    difference = ½ [(AA + BB) − (AB + BA)]    the interaction: what a model loses away from home
    gap        = hardness + difference = AA − AB

These are the contrasts of a 2 × 2 design. What they cannot tell: a B that is also harder to *learn* from lowers BA
and BB alike and counts as neither; and a model whose errors are all on hard images loses more where there are more of
them, so hardness looks like difference in so far as models of B have learnt to cope with it and those of A have not.
"""

from typing import NamedTuple

import numpy as np

from autoaug.shift.intervals import Estimate, estimate, require_confidence


class Decomposition(NamedTuple):
    """`hardness`, `difference` and `gap` in [−1, 1]; `share`, hardness / gap, NaN where the gap's interval reaches 0.

    `accuracies` are AA, AB, BA, BB; `images` the numbers of A's and B's test images, `runs` of models trained on each.
    """

    hardness: Estimate
    difference: Estimate
    gap: Estimate
    share: Estimate
    accuracies: tuple[float, float, float, float]
    images: tuple[int, int]
    runs: tuple[int, int]


def decompose(families, confidence, rng, replicates=2_000):
    """Hardness and difference of B's test set for models of A, with bootstrap intervals; the mean over families.

    Test images are drawn anew, with all models' answers to an image kept together (Efron & Tibshirani, An Introduction
    to the Bootstrap, 1993, chapter 8). Two or three seeds cannot be drawn anew as well: a bootstrap over S of them has
    (S − 1)/S of the variance, and knows nothing of how uncertain that is. Instead, each replicate draws a variance
    between runs, s² · d / χ²(d) with s² pooled over both sides of all families and d its degrees of freedom, takes off
    what the residual of run × image explains, which the image bootstrap holds already (a crossed design's components
    of variance: Searle, Casella & McCulloch, Variance Components, 1992, chapter 4), and moves each side by a normal
    draw. The intervals are for these families; they say nothing of another one.

    With one seed on every side the chance in training is not in the intervals: they are of these models, not of their
    recipes. A side with one seed borrows the variance of the others.

    Args:
        families: of models, at least one, each (aa, ab, ba, bb): bool [runs of A, images of A], [runs of A, images of
            B], [runs of B, images of A], [runs of B, images of B], whether a model (first letter: trained on) is right
            about a test image (second). Runs of a side differ only in their seed; test images are the same throughout.
        confidence: in (0, 1).
        rng: numpy.random.Generator.
        replicates: of the bootstrap.

    Returns:
        Decomposition.

    Raises:
        ValueError: an array is not bool, empty, or does not fit the others; confidence out of range.
    """
    _check(families)
    require_confidence(confidence)
    aa, ab, ba, bb = (float(np.mean([family[cell].mean() for family in families])) for cell in range(4))
    of_a, of_b = (aa - ab) / 2, (ba - bb) / 2
    drawn = (_image_draws(families, 0, 2, rng, replicates) - _image_draws(families, 1, 3, rng, replicates)) / 2
    drawn += _seed_draws(families, rng, replicates)
    hardness, difference = drawn[:, 0] + drawn[:, 1], drawn[:, 0] - drawn[:, 1]
    gap = estimate(aa - ab, 2 * drawn[:, 0], confidence)
    share = Estimate(np.nan, np.nan, np.nan)
    if not gap.low <= 0 <= gap.high:
        gaps = np.where(drawn[:, 0] == 0, np.nan, 2 * drawn[:, 0])
        share = estimate((of_a + of_b) / gap.value, hardness / gaps, confidence)
    return Decomposition(
        estimate(of_a + of_b, hardness, confidence),
        estimate(of_a - of_b, difference, confidence),
        gap,
        share,
        (aa, ab, ba, bb),
        (families[0][0].shape[1], families[0][1].shape[1]),
        (sum(len(family[0]) for family in families), sum(len(family[2]) for family in families)),
    )


def decompose_classes(families, labels, other_labels, confidence, rng, replicates=2_000):
    """`decompose` for the test images of each class: a dict from class to Decomposition, in the order of the classes.

    Args:
        labels, other_labels: int [images], the classes of A's and of B's test images; only classes in both are there.
        families, confidence, rng, replicates: as for `decompose`.

    Raises:
        ValueError: as for `decompose`, or the labels do not fit the arrays.
    """
    _check(families)
    shapes = tuple(array.shape[1:] for array in families[0][:2])
    if (labels.shape, other_labels.shape) != shapes:
        raise ValueError(
            f"Expected labels {shapes[0]} and other_labels {shapes[1]}. "
            f"Received: {labels.shape} and {other_labels.shape}"
        )
    classes = {}
    for label in np.intersect1d(labels, other_labels):
        chosen = (labels == label, other_labels == label) * 2
        part = [[array[:, here] for array, here in zip(family, chosen, strict=True)] for family in families]
        classes[int(label)] = decompose(part, confidence, rng, replicates)
    return classes


def _image_draws(families, cell, other_cell, rng, replicates):
    """Accuracies [replicates, 2] in two cells of the design, which share their test images, on images drawn anew.

    Images that as many models get right are interchangeable, so their counts are drawn: the same distribution as
    drawing images, at a hundredth of the work.
    """
    right = [np.mean([family[c].mean(axis=0) for family in families], axis=0) for c in (cell, other_cell)]
    values, counts = np.unique(np.stack(right, axis=1), axis=0, return_counts=True)
    return rng.multinomial(counts.sum(), counts / counts.sum(), replicates) @ values / counts.sum()


def _seed_draws(families, rng, replicates):
    """By how much [replicates, 2] the half contrasts of both sides would move had their models had other seeds."""
    sides = [side for aa, ab, ba, bb in families for side in ((aa, ab), (ba, bb))]
    degrees = sum(len(home) - 1 for home, _ in sides)
    if not degrees:
        return np.zeros((replicates, 2))
    between = within = 0.0  # variances of one run's half contrast
    for home, away in sides:
        if len(home) > 1:
            weight = (len(home) - 1) / degrees
            between += weight * ((home.mean(axis=1) - away.mean(axis=1)) / 2).var(ddof=1)
            within += weight * sum(array.var(axis=0, ddof=1).mean() / array.shape[1] for array in (home, away)) / 4
    variance = np.maximum(between * degrees / rng.chisquare(degrees, replicates) - within, 0)
    of_mean = np.array([sum(1 / len(family[cell]) for family in families) for cell in (0, 2)]) / len(families) ** 2
    return rng.standard_normal((replicates, 2)) * np.sqrt(variance[:, None] * of_mean)


def _check(families):
    cells = ("aa", "ab", "ba", "bb")
    shapes = "; ".join(
        ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in zip(cells, family, strict=True))
        for family in families
    )
    arrays = [array for family in families for array in family]
    if not arrays or any(array.dtype != bool or array.ndim != 2 or not array.size for array in arrays):
        raise ValueError(f"Expected families of bool [runs, images], at least one run and image. Received: {shapes}")
    images = {(aa.shape[1], ab.shape[1], ba.shape[1], bb.shape[1]) for aa, ab, ba, bb in families}
    runs_fit = all(len(aa) == len(ab) and len(ba) == len(bb) for aa, ab, ba, bb in families)
    of_a, of_b, *others = min(images)
    if len(images) > 1 or others != [of_a, of_b] or not runs_fit:
        raise ValueError(
            "Expected as many runs in aa as in ab and in ba as in bb, and as many images in aa as in ba and in ab as "
            f"in bb, in every family. Received: {shapes}"
        )
