"""The 2 × 2 design, with models trained on A and on B and tested on both, and the intervals of its contrasts.

A contrast is a weighted sum of the four accuracies. It depends on chance in two ways: which images the test sets hold,
and the seeds of the models. The design is crossed: every model sees every image of a test set. So the variance of a
contrast has these parts:

    images, of the mean answer of all models    V, with other images; V contains W
    the residual of run × image                 W
    runs, from the spread over seeds            S, the sum over families and sides of s² / runs; S contains W as well

Within strata of images, V is Σ w² [(1 − k²) e² + k² (θₛ − θ)²]: w is a stratum's weight, θₛ the contrast in it, e the
standard error of θₛ, and k that of w as a share of w, since weights depend on chance too. (Chance in θₛ makes (θₛ − θ)²
too large by e².)

V − W + S is the variance, without bias (Searle, Casella & McCulloch, Variance Components, 1992, chapter 4). A run's
value is its contribution to the contrast, so what its seed does to both of its accuracies cancels where their weights
cancel. Three seeds give only a rough estimate of S, so the interval is Student's t, with the degrees of freedom of
Welch and Satterthwaite (Satterthwaite, Biometrics Bulletin 2 (1946), 110–114).

Where all models answer alike, V − W is zero by chance. So it counts at least as one image in each accuracy.

The intervals hold for these families, and given the two training sets: another draw of training images is not in them.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.special

from autoaug.shift.intervals import Estimate


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


class Sides(NamedTuple):
    """A value for A, the original, and one for B, the reproduction."""

    a: Any
    b: Any


class Strata(NamedTuple):
    """Strata of A's and of B's test images, which count alike on both sides.

    Args:
        members: the stratum of each image, int [images] of A and of B.
        weights: of the strata, float [strata], with sum 1; all 0 if no stratum holds images of both sets.
        variances: k², the relative variances of the weights, float [strata].
    """

    members: Sides
    weights: Any
    variances: Any

    @property
    def counts(self) -> Sides:
        """Numbers of images in the strata."""
        return Sides(*(np.bincount(side, minlength=len(self.weights)) for side in self.members))

    @property
    def shares(self) -> Sides:
        """Weights of the images, float [images] of A and of B, each with sum 1."""
        of_images = (self.weights / np.maximum(count, 1) for count in self.counts)
        return Sides(*(share[side] for share, side in zip(of_images, self.members, strict=True)))


class Contrast(NamedTuple):
    """A weighted sum of accuracies, its standard error, and the degrees of freedom of the error."""

    value: float
    error: float
    degrees: float

    def interval(self, confidence: float) -> Estimate:
        """The value with its two-sided interval."""
        half = self.error * float(scipy.special.stdtrit(self.degrees, (1 + confidence) / 2))
        return Estimate(self.value, self.value - half, self.value + half)

    def at_most(self, confidence: float) -> float:
        """The one-sided upper bound."""
        return self.value + self.error * float(scipy.special.stdtrit(self.degrees, confidence))


_ON_IMAGES = Sides((0, 2), (1, 3))  # places in Cells of what is tested on A's and on B's images
_OF_RUNS = ((0, 1), (2, 3))  # of what is trained on A and on B


def contrast(families: Sequence[Cells], weights: Cells, strata: Strata | None = None) -> Contrast:
    """A weighted sum of the four accuracies; families have equal weight, whatever their number of runs.

    A side with one run has no spread over seeds; then the interval holds for this run, not for its recipe.

    Args:
        families: checked by `checked_families`.
        weights: of the four accuracies.
        strata: of the test images; None: all images count alike.
    """
    strata = strata or Strata(Sides(*(np.zeros(size, int) for size in sizes(families))), np.ones(1), np.zeros(1))
    value, variance = _over_images(families, weights, strata)
    images, residual, seeds, of_squares = strata.shares, 0.0, 0.0, 0.0
    for family in families:
        for cells in _OF_RUNS:
            runs = len(family[cells[0]])
            if runs == 1:
                continue
            shares = [weights[cell] / len(families) * images[cell % 2] for cell in cells]
            values = sum(family[cell] @ share for cell, share in zip(cells, shares, strict=True))
            residual += sum(
                (share**2 @ family[cell].var(axis=0, ddof=1)) / runs for cell, share in zip(cells, shares, strict=True)
            )
            spread = np.var(values, ddof=1) / runs
            seeds += spread
            of_squares += spread**2 / (runs - 1)
    one_image = sum((weight / size) ** 2 for weight, size in zip(weights, sizes(families) * 2, strict=True))
    variance = max(variance - residual, one_image) + seeds
    degrees = min(max(variance**2 / of_squares, 1.0), 1e6) if of_squares else 1e6
    return Contrast(round(value, 12), float(np.sqrt(variance)), float(degrees))  # else equal accuracies may differ


def _over_images(families: Sequence[Cells], weights: Cells, strata: Strata) -> tuple[float, float]:
    """The contrast, and V."""
    effects = errors = 0.0
    for members, count, cells in zip(strata.members, strata.counts, _ON_IMAGES, strict=True):
        answers = sum(
            weights[cell] * np.mean([family[cell].mean(axis=0) for family in families], axis=0) for cell in cells
        )
        mean = np.bincount(members, answers, len(count)) / np.maximum(count, 1)
        squares = np.bincount(members, (answers - mean[members]) ** 2, len(count)) / np.maximum(count - 1, 1)
        alone = (mean - mean @ strata.weights) ** 2  # one image has no spread of its own
        effects = effects + mean
        errors = errors + np.where(count > 1, squares, alone) / np.maximum(count, 1)
    value = float(effects @ strata.weights)
    inside, between = (1 - strata.variances) * errors, strata.variances * (effects - value) ** 2
    return value, float(strata.weights**2 @ (inside + between))


def accuracies(families: Sequence[Cells], confidence: float) -> Cells:
    """The four accuracies, means over families, each an `Estimate` with its interval over images and seeds."""
    return Cells(*(contrast(families, Cells(*row)).interval(confidence) for row in np.eye(4)))


def sizes(families: Sequence[Cells]) -> Sides:
    """The numbers of test images of A and of B."""
    return Sides(families[0].aa.shape[1], families[0].bb.shape[1])


def checked_families(families: Sequence[Any]) -> list[Cells]:
    """The families as Cells of arrays.

    Raises:
        ValueError: a family is not four arrays of bool [runs, images], one is empty, or they do not fit each other.
    """
    if not families or any(len(family) != 4 for family in families):
        raise ValueError(f"Expected families, each (aa, ab, ba, bb). Received: {[len(family) for family in families]}")
    checked = [Cells(*map(np.asarray, family)) for family in families]
    shapes = "; ".join(
        ", ".join(f"{name} {cell.dtype} {cell.shape}" for name, cell in zip(Cells._fields, family, strict=True))
        for family in checked
    )
    cells = [cell for family in checked for cell in family]
    fit = all(cell.dtype == bool and cell.ndim == 2 and cell.size for cell in cells)
    images = [cell.shape[-1:] for cell in cells]
    runs_fit = fit and all(len(aa) == len(ab) and len(ba) == len(bb) for aa, ab, ba, bb in checked)
    if not runs_fit or images != len(checked) * 2 * images[:2]:
        raise ValueError(
            "Expected families of bool [runs, images], at least one run and image; as many runs in aa as in ab and in "
            f"ba as in bb, as many images in aa as in ba and in ab as in bb, in every family. Received: {shapes}"
        )
    return checked
