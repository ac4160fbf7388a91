"""The 2 × 2 design, with models trained on A and on B and tested on both, and the intervals of its contrasts.

A contrast is a weighted sum of the four accuracies. It depends on chance in two ways: which images the test sets hold,
and the seeds of the models. The design is crossed: every model sees every image of a test set. So the variance of a
contrast has these parts:

    images, of the mean answer of all models    V, with other images; V contains W
    the residual of run × image                 W
    runs, from the spread over seeds            S, the sum over families and sides of s² / runs; S contains W as well

V − W + S is the variance, without bias (Searle, Casella & McCulloch, Variance Components, 1992, chapter 4). The spread
of each family's seeds is estimated from this family alone. Since three seeds give only a rough estimate, the draws are
as wide as those of Student's t, with the degrees of freedom of Welch and Satterthwaite (Satterthwaite, Biometrics
Bulletin 2 (1946), 110–114).

Three other intervals were tried and rejected. In the worst case (near the ceiling, with 200 images and three seeds),
intervals of 95 % held the truth in these shares: with χ² drawn for the part of the seeds alone up to 98 %; with a
correction for skewness as little as 82 %; with images drawn one by one, not from a normal distribution with the same
variance, 92 %.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.special
from jaxtyping import Float

from autoaug.shift.intervals import Estimate, estimate


class Cells(NamedTuple):
    """A value for each of the four cells of the design; the first letter names the training set, the second the test
    set.

    For a family of models the values are bool [runs, images]: whether each run is right about each image of the test
    set. `aa` and `ab` have the same runs, as have `ba` and `bb`; `aa` and `ba` have the same images, as have `ab` and
    `bb`.
    """

    aa: Any
    ab: Any
    ba: Any
    bb: Any


_SAME_IMAGES = ((0, 2), (1, 3))  # places in Cells of aa and ba, ab and bb
_SAME_RUNS = (slice(0, 2), slice(2, 4))  # of aa and ab, ba and bb


class Stratum(NamedTuple):
    """Families on some of the test images; these images count for the share `weight` in an accuracy."""

    families: Sequence[Cells]
    weight: float = 1.0


class Side(NamedTuple):
    """A family's runs on one training set: values of contrasts, and the residual's part in the mean's variance."""

    values: Float[np.ndarray, "runs contrasts"]
    residual: Float[np.ndarray, " contrasts"]


class Sides(NamedTuple):
    """A value for A, the original, and one for B, the reproduction."""

    a: Any
    b: Any


def mean_accuracies(strata: Sequence[Stratum]) -> Cells:
    """The mean of the families' accuracies in each cell; families have equal weight, whatever their number of runs."""
    means = [
        stratum.weight * np.mean([[cell.mean() for cell in family] for family in stratum.families], axis=0)
        for stratum in strata
    ]
    return Cells(*map(float, np.sum(means, axis=0)))


def contrasts(
    strata: Sequence[Stratum], weights: Sequence[Cells], confidence: float, rng: np.random.Generator, replicates: int
) -> list[Estimate]:
    """Contrasts (weights · `mean_accuracies`) with their intervals over images and seeds.

    The intervals hold for these families, not for others. A side with one run has no spread over seeds; then the
    intervals hold for this run, not for its recipe.
    """
    families = len(strata[0].families)
    per_family = np.repeat(np.array(weights, float)[:, None] / families, families, axis=1)
    values = np.array(weights, float) @ mean_accuracies(strata)
    drawn = values + contrast_draws(strata, per_family, rng, replicates)
    return [estimate(value, column, confidence) for value, column in zip(values, drawn.T, strict=True)]


def contrast_draws(
    strata: Sequence[Stratum],
    weights: Float[np.ndarray, "contrasts families 4"],
    rng: np.random.Generator,
    replicates: int,
) -> Float[np.ndarray, "replicates contrasts"]:
    """Draws of the contrasts' deviations from their values, with other images and seeds; all contrasts share a draw.

    Args:
        strata: of the test images; images are drawn within each stratum.
        weights: weights of each family's four accuracies in each contrast.
        rng: numpy.random.Generator.
        replicates: how many draws.
    """
    samples = []
    for families, share in strata:
        for cells in _SAME_IMAGES:
            means = [[family[cell].mean(axis=0) for cell in cells] for family in families]
            samples.append(share * np.einsum("fci,kfc->ik", means, weights[:, :, cells]))
    sides = [
        run_values([(stratum.families[family][cells], stratum.weight) for stratum in strata], weights[:, family, cells])
        for family in range(weights.shape[1])
        for cells in _SAME_RUNS
    ]
    return draws(samples, sides, rng, replicates)


def run_values(cells: Sequence[tuple[Sequence[np.ndarray], float]], weights: Float[np.ndarray, "contrasts 2"]) -> Side:
    """A Side from its two cells in each stratum.

    Args:
        cells: for each stratum, the two cells (on A's and on B's test images) and the stratum's share.
        weights: weights of the two accuracies in each contrast.
    """
    values, residual = np.zeros((len(cells[0][0][0]), len(weights))), np.zeros(len(weights))
    for pair, share in cells:
        values += share * np.stack([cell.mean(axis=1) for cell in pair], axis=1) @ weights.T
        if len(pair[0]) > 1:
            noise = [cell.var(axis=0, ddof=1).mean() / cell.size for cell in pair]
            residual += share**2 * weights**2 @ noise
    return Side(values, residual)


def draws(
    samples: Sequence[Float[np.ndarray, "_ contrasts"]],
    sides: Sequence[Side],
    rng: np.random.Generator,
    replicates: int,
) -> Float[np.ndarray, "replicates contrasts"]:
    """Draws about zero of contrasts that are sums of means over samples of images and of means over runs.

    Args:
        samples: the contributions of images, for independent samples of images.
        sides: the contributions of runs; sides with a single run are ignored.
        rng: numpy.random.Generator.
        replicates: how many draws.
    """
    replicates = -(-replicates // 2)  # each draw is taken with both signs
    by_sample = [_image_draws(sample, rng, replicates) for sample in samples]
    image_draws, of_images = (np.sum(part, axis=0) for part in zip(*by_sample, strict=True))
    seed_draws = np.zeros_like(image_draws)
    of_seeds, of_squares, residual = np.zeros((3, len(of_images)))
    for side in (side for side in sides if len(side.values) > 1):
        runs = len(side.values)
        deviations = (side.values - side.values.mean(axis=0)) / np.sqrt(runs * (runs - 1))
        variance = (deviations**2).sum(axis=0)
        seed_draws += rng.standard_normal((replicates, runs)) @ deviations
        of_seeds += variance
        of_squares += variance**2 / (runs - 1)
        residual += side.residual
    without_residual = np.maximum(of_images - residual, 0)
    kept = np.divide(without_residual, of_images, out=np.ones_like(of_images), where=of_images > 0)
    squares = np.maximum(of_squares, 1e-300)  # a contrast without any spread over seeds has infinite degrees of freedom
    degrees = np.clip((without_residual + of_seeds) ** 2 / squares, 1, 1e6)
    scale = degrees / (2 * scipy.special.gammaincinv(degrees / 2, rng.random((replicates, 1))))
    drawn = (image_draws * np.sqrt(kept) + seed_draws) * np.sqrt(scale)
    return np.concatenate([drawn, -drawn])


def _image_draws(
    values: Float[np.ndarray, "images contrasts"], rng: np.random.Generator, replicates: int
) -> tuple[Float[np.ndarray, "_ contrasts"], Float[np.ndarray, " contrasts"]]:
    """Draws of a sample's mean with other images, and the variance of this mean."""
    contrasts = values.shape[1]
    covariance = np.cov(values, rowvar=False, bias=True).reshape(contrasts, contrasts) / len(values)
    variances, directions = np.linalg.eigh(covariance)
    # The symmetric root: the signs of the directions differ between processors, and it does not depend on them.
    root = directions * np.sqrt(np.maximum(variances, 0)) @ directions.T
    return rng.standard_normal((replicates, contrasts)) @ root, np.diag(covariance)


def sizes(families: Sequence[Cells]) -> tuple[Sides, Sides]:
    """The numbers of test images of A and B, and the numbers of models trained on A and on B."""
    first = families[0]
    runs = Sides(sum(len(family.aa) for family in families), sum(len(family.ba) for family in families))
    return Sides(first.aa.shape[1], first.bb.shape[1]), runs


def of_images(families: Sequence[Cells], chosen: Sides) -> list[Cells]:
    """The families on some of the test images only.

    Args:
        families: as in `Cells`.
        chosen: bool [images] of A's and of B's test images.

    Raises:
        ValueError: `chosen` does not fit the families' images.
    """
    images = families[0].aa.shape[1:], families[0].ab.shape[1:]
    if (chosen.a.shape, chosen.b.shape) != images:
        raise ValueError(f"Expected a value for each image, {images}. Received: {(chosen.a.shape, chosen.b.shape)}")
    return [
        Cells(aa=aa[:, chosen.a], ab=ab[:, chosen.b], ba=ba[:, chosen.a], bb=bb[:, chosen.b])
        for aa, ab, ba, bb in families
    ]


def require_families(families: Sequence[Cells]) -> None:
    """Raise ValueError unless every family's arrays are bool, not empty, and fit each other and the other families."""
    shapes = "; ".join(
        ", ".join(f"{name} {cell.dtype} {cell.shape}" for name, cell in zip(Cells._fields, family, strict=True))
        for family in families
    )
    cells = [cell for family in families for cell in family]
    if not cells or any(cell.dtype != bool or cell.ndim != 2 or not cell.size for cell in cells):
        raise ValueError(f"Expected families of bool [runs, images], at least one run and image. Received: {shapes}")
    runs_fit = all(len(aa) == len(ab) and len(ba) == len(bb) for aa, ab, ba, bb in families)
    images = {tuple(cell.shape[1] for cell in family) for family in families}
    of_aa, of_ab, of_ba, of_bb = min(images)
    if len(images) > 1 or (of_aa, of_ab) != (of_ba, of_bb) or not runs_fit:
        raise ValueError(
            "Expected as many runs in aa as in ab and in ba as in bb, and as many images in aa as in ba and in ab as "
            f"in bb, in every family. Received: {shapes}"
        )
