"""The size of effects on several scales. These numbers complement the statements of `verdict`; they do not replace
them.

Models are trained on a data set A and on a data set B, and all are tested on both. With AA, AB, BA, BB their accuracies
(first letter: trained on; second: tested on),

    main effect of the test set = ½ [(AA − AB) + (BA − BB)]    mean loss on B of the models of A and of B
    mean home advantage         = ½ [(AA − BA) + (BB − AB)]    the interaction: mean lead of a test set's own models
    gap                         = main effect + home advantage = AA − AB

These are the contrasts of a 2 × 2 design, and they depend on the scale. In a world where B is purely harder, the share
of the main effect in the gap is 138, 100 or 81 % on the linear scale if AA is 98 %, AB 90 % and BA 95, 98 or 99 %.
So they are given on the probit and logit scales too. On the linear scale, both terms also change if less can be learned
from B, since this lowers BA and BB by different amounts. And B has a main effect although nothing in it is harder, if
only a part of B is new, or if B's models do well on A too.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import scipy.special
import scipy.stats

from autoaug.shift.contrasts import (
    Cells,
    Sides,
    Stratum,
    contrast_draws,
    contrasts,
    mean_accuracies,
    of_images,
    require_families,
    sizes,
)
from autoaug.shift.intervals import Estimate, estimate, require_confidence
from autoaug.shift.line_fit import SCALES

_TERMS = (
    Cells(0.5, -0.5, 0.5, -0.5),  # main effect
    Cells(0.5, -0.5, -0.5, 0.5),  # home advantage
    Cells(1, -1, 0, 0),  # gap
)
_SLOPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {  # of the scales of `line_fit`, at an accuracy
    "linear": np.ones_like,
    "probit": lambda accuracy: 1 / scipy.stats.norm.pdf(scipy.special.ndtri(accuracy)),
    "logit": lambda accuracy: 1 / (accuracy * (1 - accuracy)),
}


@dataclasses.dataclass(frozen=True)
class Decomposition:
    """The terms in [−1, 1], the mean accuracies, the numbers of test images, and of models trained on each set."""

    main_effect: Estimate
    home_advantage: Estimate
    gap: Estimate
    accuracies: Cells
    images: Sides
    runs: Sides


class Scale(NamedTuple):
    """The terms on one scale, in its units, and the main effect's share of the gap; NaN if the gap may be 0."""

    main_effect: Estimate
    home_advantage: Estimate
    share: Estimate


def decompose(
    families: Sequence[Cells], confidence: float, rng: np.random.Generator, replicates: int = 2_000
) -> Decomposition:
    """Main effect, home advantage and gap, means over families, with intervals over images and seeds.

    Args:
        families: as for `verdict.compare`; families with few seeds count too. If a side has only one seed, the
            intervals hold for these models, not for their recipes.
        confidence: in (0, 1).
        rng: numpy.random.Generator.
        replicates: draws of images and seeds.

    Raises:
        ValueError: an array is not bool, empty, or does not fit the others; confidence out of range.
    """
    require_families(families)
    require_confidence(confidence)
    strata = [Stratum(families)]
    main_effect, home_advantage, gap = contrasts(strata, _TERMS, confidence, rng, replicates)
    return Decomposition(main_effect, home_advantage, gap, mean_accuracies(strata), *sizes(families))


def decompose_classes(
    families: Sequence[Cells],
    labels: Sides,
    confidence: float,
    rng: np.random.Generator,
    replicates: int = 2_000,
) -> dict[int, Decomposition]:
    """`decompose` for each class that both test sets have, in the order of the classes.

    Args:
        labels: int [images], the classes of A's and of B's test images.
        families, confidence, rng, replicates: as for `decompose`.

    Raises:
        ValueError: as for `decompose`, or the labels do not fit the arrays.
    """
    require_families(families)
    classes = {}
    for label in np.intersect1d(*labels):
        members = of_images(families, Sides(labels.a == label, labels.b == label))
        classes[int(label)] = decompose(members, confidence, rng, replicates)
    return classes


def scales(
    families: Sequence[Cells], confidence: float, rng: np.random.Generator, replicates: int = 2_000
) -> dict[str, Scale]:
    """The terms on the linear, probit and logit scale, means over families, with intervals over images and seeds.

    If a family gets none or all of the n images of a cell right, half an image is added or subtracted, so that probit
    and logit are finite. Their intervals come from the delta method, with the scale's slope at each accuracy.

    Args:
        families, confidence, rng, replicates: as for `decompose`.

    Raises:
        ValueError: as for `decompose`.
    """
    require_families(families)
    require_confidence(confidence)
    half = np.array([[0.5 / cell.shape[1] for cell in family] for family in families])
    accuracies = np.clip([[cell.mean() for cell in family] for family in families], half, 1 - half)
    terms = np.array(_TERMS)
    by_scale = {}
    for name, slope in _SLOPES.items():
        main_effect, home_advantage, gap = terms @ SCALES[name][0](accuracies).mean(axis=0)
        weights = terms[:, None] * slope(accuracies) / len(families)
        drawn = np.array([main_effect, home_advantage, gap]) + contrast_draws(
            [Stratum(families)], weights, rng, replicates
        )
        share = Estimate(np.nan, np.nan, np.nan)
        gap_interval = estimate(gap, drawn[:, 2], confidence)
        if not gap_interval.low <= 0 <= gap_interval.high:
            share = estimate(main_effect / gap, drawn[:, 0] / drawn[:, 2], confidence)
        by_scale[name] = Scale(
            estimate(main_effect, drawn[:, 0], confidence), estimate(home_advantage, drawn[:, 1], confidence), share
        )
    return by_scale


def depends_on_scale(by_scale: Mapping[str, Scale]) -> bool:
    """Whether the main effect's share on one scale lies outside of another scale's interval.

    For one family, all scales agree whether the share is above one half: it is if BA > BB. That is an order, and part
    of the statement "harder". The shares themselves differ between scales, often by more than chance.
    """
    shares = [scale.share for scale in by_scale.values() if not np.isnan(scale.share.value)]
    return any(not one.low <= other.value <= one.high for one in shares for other in shares)
