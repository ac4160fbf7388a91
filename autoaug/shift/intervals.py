"""Numbers with the ends of their intervals: proportions, and differences of two.

Numbers are fractions in [0, 1]; percent is for display.
"""

from typing import Any, NamedTuple

import numpy as np
import scipy.special  # scipy.stats has the same quantiles, but its import takes as long as those of NumPy and pandas
from jaxtyping import Float, Int

Counts = int | np.integer | Int[np.ndarray, "..."]
"""A count, or an array of them, of any integer type."""

Fractions = float | Float[np.ndarray, "..."]
"""A fraction; an array of fractions if arrays of counts were given."""


class Estimate(NamedTuple):
    """A number with the ends of its interval."""

    value: float
    low: float
    high: float


def points(fraction: float) -> str:
    """A fraction in percent with one decimal; what would round to zero with its first digit; a proper minus."""
    number = round(100 * fraction, 9) + 0.0
    return f"{number:{'.1f' if abs(number) >= 0.05 or not number else '.1g'}}".replace("-", "−")


def require_confidence(confidence: float) -> None:
    """Raise ValueError unless the confidence lies between 0 and 1."""
    if not 0 < confidence < 1:
        raise ValueError(f"Expected confidence between 0 and 1, as in 0.95. Received: {confidence!r}")


def accuracy_interval(correct: Counts, total: Counts, confidence: float = 0.95) -> tuple[Fractions, Fractions]:
    """Exact interval of a binomial proportion: Clopper & Pearson, Biometrika 26 (1934), 404–413.

    Its ends are quantiles of beta distributions. The lower end is 0 for none correct, the upper end is 1 for all.

    Args:
        correct, total: 0 ≤ correct ≤ total, total ≥ 1.
        confidence: in (0, 1).

    Returns:
        (low, high), fractions; arrays where arrays were given.

    Raises:
        ValueError: a count is no integer, or a count or the confidence is out of range.
    """
    correct, total = _checked(correct, total, confidence)
    tail = (1 - confidence) / 2
    low = scipy.special.betaincinv(np.maximum(correct, 1), total - correct + 1, tail)
    high = scipy.special.betaincinv(correct + 1, np.maximum(total - correct, 1), 1 - tail)
    return np.where(correct == 0, 0.0, low)[()], np.where(correct == total, 1.0, high)[()]


def gap(
    correct: Counts, total: Counts, other_correct: Counts, other_total: Counts, confidence: float = 0.95
) -> tuple[Fractions, Fractions, Fractions]:
    """correct/total − other_correct/other_total, for two test sets of different images, with its interval.

    Newcombe's hybrid score interval: Statistics in Medicine 17 (1998), 873–890, method 10. Let p, l, u be the first
    proportion and the ends of its Wilson score interval, and q, m, v those of the second. The interval goes
    from p − q − √((p − l)² + (v − q)²) to p − q + √((u − p)² + (q − m)²).

    Arguments and errors are as for `accuracy_interval`. Returns (gap, low, high), fractions in [−1, 1].
    """
    p, low, high = _wilson(*_checked(correct, total, confidence), confidence)
    q, other_low, other_high = _wilson(*_checked(other_correct, other_total, confidence), confidence)
    return p - q, p - q - np.hypot(p - low, other_high - q), p - q + np.hypot(high - p, q - other_low)


def _wilson(
    correct: Float[np.ndarray, "..."], total: Float[np.ndarray, "..."], confidence: float
) -> tuple[Fractions, Fractions, Fractions]:
    """Proportion and Wilson score interval (Journal of the American Statistical Association 22 (1927), 209–212)."""
    z = scipy.special.ndtri((1 + confidence) / 2)
    p = correct / total
    centre = (p + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * np.sqrt(p * (1 - p) / total + z**2 / (4 * total**2))
    return p, centre - half, centre + half


def _checked(correct: Any, total: Any, confidence: float) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """Both counts as float64, which holds them exactly: integers of 8 bits overflow in sums and products."""
    require_confidence(confidence)
    correct, total = np.asarray(correct), np.asarray(total)
    integers = correct.dtype.kind in "iu" and total.dtype.kind in "iu"
    if not integers or np.any(total < 1) or np.any(correct < 0) or np.any(correct > total):
        raise ValueError(f"Expected integers, 0 ≤ correct ≤ total and total ≥ 1. Received: {correct=}, {total=}")
    return correct.astype(float), total.astype(float)
