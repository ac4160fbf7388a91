"""Whether a reproduction ranks models as the original does, compared with random subsets of the original."""

from typing import NamedTuple

import numpy as np
import scipy.stats
from jaxtyping import Bool, Int

from autoaug.shift.intervals import Estimate, estimate, require_confidence


class RankAgreement(NamedTuple):
    """Kendall's τ_b (Biometrika 33 (1945), 239–251) between rankings of models by accuracy, in [−1, 1].

    `tau` compares the original and the reproduction. The other two compare random subsets of the original, as large as
    the reproduction, and hold mean and middle range: `subsets` with the whole original, `disjoint` with the rest of the
    original. `disjoint` is the fair comparison, since the reproduction shares no image with the original either.
    """

    tau: float
    subsets: Estimate
    disjoint: Estimate


def rank_agreement(
    old: Bool[np.ndarray, "models old_images"],
    new: Bool[np.ndarray, "models new_images"],
    confidence: float,
    rng: np.random.Generator,
    replicates: int = 500,
) -> RankAgreement:
    """Kendall's τ of models' accuracies on two test sets, and of random subsets of the old test set.

    Args:
        old, new: whether each model is right about each image; at least 2 models, fewer images in `new`.
        confidence: in (0, 1).
        rng: of the subsets.
        replicates: how many subsets.

    Raises:
        ValueError: an argument is not as said above.
    """
    require_confidence(confidence)
    size, total = new.shape[-1], old.shape[-1]
    if old.dtype != bool or new.dtype != bool or len(old) != len(new) or len(old) < 2 or not 0 < size < total:
        raise ValueError(
            "Expected old and new: bool [models, images] of the same models, at least 2, with fewer images in new. "
            f"Received: {old.dtype} {old.shape}, {new.dtype} {new.shape}"
        )
    correct = old.sum(axis=1)
    of_whole, of_rest = np.empty((2, replicates))
    for replicate in range(replicates):
        part = old[:, rng.choice(total, size, replace=False)].sum(axis=1)
        of_whole[replicate], of_rest[replicate] = _tau(correct, part), _tau(correct - part, part)
    whole, rest = (estimate(draws.mean(), draws, confidence) for draws in (of_whole, of_rest))
    return RankAgreement(_tau(correct, new.sum(axis=1)), whole, rest)


def _tau(first: Int[np.ndarray, " models"], second: Int[np.ndarray, " models"]) -> float:
    return float(scipy.stats.kendalltau(first, second).statistic)
