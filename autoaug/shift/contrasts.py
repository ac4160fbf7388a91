"""The 2 × 2 design, models trained on A and on B and tested on both, and the intervals of its contrasts.

A contrast is a weighted sum of the four accuracies. Two things in it are chance: which images the test sets hold, and
the seeds of the models. The design is crossed, every model sees every image of a test set, and its variance is

    images, of the mean answer of all models    V, by drawing images anew; it holds the residual's share W
    the residual of run × image                 W
    runs, from the spread over seeds            S, the sum over families and sides of s² / runs; it holds W as well

so that V − W + S is the variance, without bias (Searle, Casella & McCulloch, Variance Components, 1992, chapter 4).
A family's seeds tell of its own spread only, never of another's. As three seeds know little of it, draws are as wide as
those of Student's t with the degrees of freedom of Welch and Satterthwaite (Satterthwaite, Biometrics Bulletin 2
(1946), 110–114). Percentile intervals of the draws: Efron & Tibshirani, An Introduction to the Bootstrap, 1993.

Two intervals were tried before this one, and left: χ² drawn for the seeds' part alone covers up to 98 %, and a
correction for skewness as little as 82 %, where 95 are promised (one family, three seeds, 200 images, accuracy .98).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.stats
from jaxtyping import Float

from autoaug.shift.intervals import Estimate, estimate


class Cells(NamedTuple):
    """What belongs to the four cells of the design: first letter trained on, second letter tested on.

    In a family of models: bool [runs, images], whether each run is right about each image of the test set. Runs are
    the same in `aa` and `ab`, and in `ba` and `bb`; images in `aa` and `ba`, and in `ab` and `bb`.
    """

    aa: object
    ab: object
    ba: object
    bb: object


class Sides(NamedTuple):
    """What belongs to A, the original, and to B, the reproduction."""

    a: object
    b: object


def accuracies(family: Cells) -> Cells:
    """The mean accuracy of a family's runs in each cell, fractions."""
    return Cells(*(float(cell.mean()) for cell in family))


def mean_accuracies(families: Sequence[Cells]) -> Cells:
    """The mean of the families' accuracies in each cell; families count alike, whatever their number of runs."""
    return Cells(*(float(column) for column in np.mean([accuracies(family) for family in families], axis=0)))


def sizes(families: Sequence[Cells]) -> tuple[Sides, Sides]:
    """The numbers of test images of A and B, and of all models trained on A and on B."""
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
    images = tuple(cell.shape[1:] for cell in families[0][:2])
    if (chosen.a.shape, chosen.b.shape) != images:
        raise ValueError(f"Expected a value for each image, {images}. Received: {(chosen.a.shape, chosen.b.shape)}")
    return [
        Cells(aa=aa[:, chosen.a], ab=ab[:, chosen.b], ba=ba[:, chosen.a], bb=bb[:, chosen.b])
        for aa, ab, ba, bb in families
    ]


def contrast(
    families: Sequence[Cells], weights: Cells, confidence: float, rng: np.random.Generator, replicates: int
) -> Estimate:
    """A contrast of `mean_accuracies`, weights · accuracies, with its interval over images and seeds.

    The interval is for these families; it says nothing of another one. A side with one run has no spread over seeds,
    and the interval is then of this run, not of its recipe.
    """
    per_family = np.tile(np.array(weights, float) / len(families), (1, len(families), 1))
    value = float(np.dot(weights, mean_accuracies(families)))
    return estimate(value, value + contrast_draws(families, per_family, rng, replicates)[:, 0], confidence)


def contrast_draws(
    families: Sequence[Cells],
    weights: Float[np.ndarray, "contrasts families 4"],
    rng: np.random.Generator,
    replicates: int,
) -> Float[np.ndarray, "replicates contrasts"]:
    """How far contrasts might have come out from their values with other images and seeds; one draw for all of them.

    Args:
        families: of models, as in `Cells`.
        weights: of each family's four accuracies in each contrast.
        rng: numpy.random.Generator.
        replicates: how many draws.
    """
    by_cell = np.moveaxis(weights, 2, 0)
    on_a, variance_a = _image_draws([(f.aa, f.ba) for f in families], by_cell[[0, 2]], rng, replicates)
    on_b, variance_b = _image_draws([(f.ab, f.bb) for f in families], by_cell[[1, 3]], rng, replicates)
    of_images = variance_a + variance_b
    of_seeds, residual, of_squares = np.zeros((3, len(weights)))
    seed_draws = np.zeros((replicates, len(weights)))
    for number, family in enumerate(families):
        for side, cells in ((family[:2], by_cell[:2, :, number]), (family[2:], by_cell[2:, :, number])):
            runs = len(side[0])
            if runs == 1:
                continue
            values = sum(np.outer(cell.mean(axis=1), weight) for cell, weight in zip(side, cells, strict=True))
            deviations = (values - values.mean(axis=0)) / np.sqrt(runs * (runs - 1))
            variance = (deviations**2).sum(axis=0)
            of_seeds += variance
            of_squares += variance**2 / (runs - 1)
            for cell, weight in zip(side, cells, strict=True):
                residual += weight**2 * cell.var(axis=0, ddof=1).mean() / cell.shape[1] / runs
            seed_draws += rng.standard_normal((replicates, runs)) @ deviations
    without_residual = np.maximum(of_images - residual, 0)
    shrunk = np.sqrt(np.divide(without_residual, of_images, out=np.ones_like(of_images), where=of_images > 0))
    draws = (on_a + on_b) * shrunk + seed_draws
    total = (without_residual + of_seeds) ** 2
    degrees = np.divide(total, of_squares, out=np.full_like(total, np.inf), where=of_squares > 0)
    return draws * _t_scale(degrees, rng.random((replicates, 1)))


def _image_draws(answers, weights, rng, replicates):
    """What drawing the images of one test set anew does to contrasts, [replicates, contrasts], and its variance.

    Images with the same values are interchangeable, so their counts are drawn: the same distribution as drawing
    images, at a hundredth of the work.
    """
    by_side = [np.array([pair[side].mean(axis=0) for pair in answers]) for side in (0, 1)]
    values = sum(side.T @ weight.T for side, weight in zip(by_side, weights, strict=True))
    values, counts = np.unique(np.round(values, 12), axis=0, return_counts=True)
    images = counts.sum()
    deviations = values - counts @ values / images
    drawn = rng.multinomial(images, counts / images, replicates) @ deviations / images
    return drawn, counts @ deviations**2 / images**2


def _t_scale(degrees, uniform):
    """What turns normal draws into Student's t, √(d / χ²(d)), at one quantile of χ² for all contrasts."""
    finite = np.minimum(degrees, 1e6)
    return np.sqrt(finite / scipy.stats.chi2.ppf(uniform, finite))


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
