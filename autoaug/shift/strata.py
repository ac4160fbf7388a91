"""The two statements within strata of difficulty: does a home advantage come from content, or from difficulty?

Models trained on hard images may be better on hard images and worse on easy ones. Then every model is better at home,
although A and B differ only in difficulty. Among images of the same difficulty this advantage vanishes: on hard images,
models of B are better on A's images as well as on B's. So accuracies are compared within strata, and averaged with the
same weights for A and B (direct standardisation: Cochran, Biometrics 24 (1968), 295–313).

The difficulty must not come from the models that are compared. It comes from margins of other models that were not
trained on the images (`data_prep.margins`), or from the entropy of people's answers.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from autoaug.shift.contrasts import Cells, Sides, Stratum, of_images, require_families
from autoaug.shift.verdict import Verdict, compare, judge


class Strata(NamedTuple):
    """Verdicts by difficulty.

    `edges` are the ends of the strata, from the easiest to the hardest image. `verdicts` has a verdict for each
    stratum, None if a test set has no image in it. `adjusted` is the verdict over all strata, weighted by their share
    of the images of both sets. `specialising`: B is different as a whole but not within strata, so its models
    specialise in difficulty.
    """

    edges: Float[np.ndarray, " strata+1"]
    verdicts: list[Verdict | None]
    adjusted: Verdict
    specialising: bool


def by_difficulty(
    families: Sequence[Cells],
    difficulty: Sides,
    confidence: float,
    rng: np.random.Generator,
    strata: int = 4,
    replicates: int = 2_000,
) -> Strata:
    """`verdict.compare` within strata of difficulty, and averaged over them.

    Args:
        families: as for `verdict.compare`.
        difficulty: of A's and of B's test images, each float [images], on one scale; larger means harder.
        confidence, rng, replicates: as for `verdict.compare`.
        strata: number of strata, with about equally many images of both sets together. Images of equal difficulty share
            a stratum, so there may be fewer strata.

    Raises:
        ValueError: as for `verdict.compare`; the difficulties do not fit the arrays, or no stratum has images of both.
    """
    require_families(families)
    edges = np.unique(np.quantile(np.concatenate(difficulty), np.linspace(0, 1, strata + 1)))
    places = Sides(*(np.searchsorted(edges[1:-1], side, side="right") for side in difficulty))
    parts: list[Stratum] = []
    verdicts: list[Verdict | None] = []
    for place in range(max(len(edges) - 1, 1)):
        chosen = Sides(places.a == place, places.b == place)
        members = [Cells(*family) for family in of_images(families, chosen)]
        share = (chosen.a.mean() + chosen.b.mean()) / 2
        if not (chosen.a.any() and chosen.b.any()):
            verdicts.append(None)
            continue
        parts.append(Stratum(members, share))
        verdicts.append(compare(members, confidence, rng, replicates))
    if not parts:
        raise ValueError("Expected images of both test sets in some stratum. Received: none of like difficulty")
    total = sum(part.weight for part in parts)
    adjusted = judge([Stratum(part.families, part.weight / total) for part in parts], confidence, rng, replicates)
    whole = compare(families, confidence, rng, replicates)
    return Strata(edges, verdicts, adjusted, whole.different and not adjusted.different)
