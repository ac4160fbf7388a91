"""The two statements by the origin of B's images, if some of them come from A's own source.

If B is partly like A, its difference is diluted: with 60 % of images like A's, the home advantage is 40 % of that on
the new images. So old and new images are judged separately.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from autoaug.shift.contrasts import Cells, Sides, of_images, require_families
from autoaug.shift.verdict import Verdict, compare


class Origins(NamedTuple):
    """All of A's test images against B's `new` images, and against B's `old` images, which come from A's source."""

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
        new: whether each of B's test images is new, that is, not from A's source; some images must be new, not all.
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
