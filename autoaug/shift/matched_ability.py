"""How far models of B lie above the line of A's models, at the same accuracy on A.

A model of A is tested on A and B after each epoch. This gives models of many abilities; on the probit scale, their
accuracies on B lie on a line over those on A (Recht et al., 2019, section 4). A model of B above this line is better on
B than a model of A that is as good on A. Unlike a share of the gap, this measure also works if B is partly like A. It
includes specialising in hard images, so it complements the statements of `verdict` and does not replace them.
"""

from collections.abc import Sequence

import numpy as np
import scipy.special
import scipy.stats
from jaxtyping import Float, Int

from autoaug.shift.contrasts import Cells, Sides, draws, require_families, run_values
from autoaug.shift.intervals import Estimate, estimate, require_confidence


def above_line(
    curves: Sequence[Float[np.ndarray, "epochs 2"]],
    family: Cells,
    confidence: float,
    rng: np.random.Generator,
    replicates: int = 2_000,
) -> Estimate:
    """BB minus the line's accuracy on B at BA, in [−1, 1], with its interval over images and seeds.

    Each run of A has its own line, which includes the chance in its seed. It is assumed that other images would move
    the whole line by the same distance as its last point, on the probit scale. This is observed for models on
    CIFAR-10.1.

    Args:
        curves: for each run trained on A, its accuracies on A and on B at three or more different abilities.
        family: as for `verdict.compare`; `aa` and `ab` belong to the ends of the curves.
        confidence: in (0, 1).
        rng: numpy.random.Generator.
        replicates: draws of images and seeds.

    Raises:
        ValueError: as for `verdict.compare`; no curves, or one with fewer than three accuracies on A.
    """
    require_families([family])
    require_confidence(confidence)
    if not curves or any(len(np.unique(curve[:, 0])) < 3 for curve in curves):
        raise ValueError(
            "Expected curves of at least three accuracies on A. "
            f"Received: {', '.join(str(curve.tolist()) for curve in curves) or 'none'}"
        )
    family = Cells(*family)
    images = Sides(family.aa.shape[1], family.bb.shape[1])
    lines = np.array([_line(curve, images) for curve in curves])
    numbers = Cells(aa=images.a, ab=images.b, ba=images.a, bb=images.b)
    at = Cells(*_probit(np.array([cell.mean() for cell in family]), np.array(numbers)))
    on_line = scipy.special.ndtr(lines @ [1, at.ba])
    value = family.bb.mean() - on_line.mean()
    density = scipy.stats.norm.pdf(scipy.special.ndtri(on_line.mean()))
    aa, ab, ba = (density / scipy.stats.norm.pdf(place) for place in (at.aa, at.ab, at.ba))
    slope = lines[:, 1].mean()
    weights = Cells(aa=slope * aa, ab=-ab, ba=-slope * ba, bb=1.0)  # of small changes of the four accuracies
    samples = [
        (one * cell.mean(axis=0) + other_weight * other.mean(axis=0))[:, None]
        for one, cell, other_weight, other in (
            (weights.aa, family.aa, weights.ba, family.ba),
            (weights.ab, family.ab, weights.bb, family.bb),
        )
    ]
    side_a = run_values([((family.aa, family.ab), 1.0)], np.array([[weights.aa, weights.ab]]))
    side_a = side_a._replace(values=-on_line[:, None])  # each run of A has its line
    side_b = run_values([((family.ba, family.bb), 1.0)], np.array([[weights.ba, weights.bb]]))
    return estimate(value, value + draws(samples, [side_a, side_b], rng, replicates)[:, 0], confidence)


def _line(curve: Float[np.ndarray, "epochs 2"], images: Sides) -> tuple[float, float]:
    """Intercept and slope, by least squares, of a curve on the probit scale."""
    old, new = _probit(curve, np.array(images)).T
    slope = np.cov(old, new, bias=True)[0, 1] / old.var()
    return new.mean() - slope * old.mean(), slope


def _probit(accuracies: Float[np.ndarray, "*shape"], images: Int[np.ndarray, "..."]) -> Float[np.ndarray, "*shape"]:
    """Accuracies on the probit scale, kept half an image away from 0 and 1."""
    return scipy.special.ndtri(np.clip(accuracies, 0.5 / images, 1 - 0.5 / images))
