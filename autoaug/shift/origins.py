"""The two statements by the origin of B's images, where some of them come from A's own source.

Models of B learn both kinds, so a B that is in part like A hides its difference: on a set of which 60 % of the images
are like A's, the home advantage is 40 % of what it is on the new images. Old and new images are judged apart.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from autoaug.shift.contrasts import Cells, Sides, of_images, require_families
from autoaug.shift.verdict import Verdict, compare


class Origins(NamedTuple):
    """All of A's test images against the `new` ones of B, and against the `old`, which come from A's source."""

    new: Verdict
    old: Verdict


def by_origin(
    families: Sequence[Cells],
    new: Bool[np.ndarray, " images"],
    confidence: float,
    rng: np.random.Generator,
    replicates: int = 2_000,
) -> Origins:
    """`verdict.compare` on the new and on the old images of B's test set.

    Args:
        new: of B's test images, those that do not come from A's source; some, but not all.
        families, confidence, rng, replicates: as for `verdict.compare`.

    Raises:
        ValueError: as for `verdict.compare`; all or none of the images are new, or `new` does not fit the arrays.
    """
    require_families(families)
    if new.all() or not new.any():
        raise ValueError(f"Expected new and old images. Received: {new.sum()} of {len(new)} are new")
    all_of_a = np.ones(Cells(*families[0]).aa.shape[1], bool)
    parts = (of_images(families, Sides(all_of_a, chosen)) for chosen in (new, ~new))
    return Origins(*(compare(part, confidence, rng, replicates) for part in parts))
