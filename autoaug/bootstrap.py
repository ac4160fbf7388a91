"""Estimates with percentile intervals (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13)."""

from typing import NamedTuple

import numpy as np


class Estimate(NamedTuple):
    """A number with the ends of its interval."""

    value: float
    low: float
    high: float


def estimate(value, draws, confidence):
    """The value, and the interval that holds the middle `confidence` of its draws, float [replicates]; NaN is none."""
    require_confidence(confidence)
    return Estimate(float(value), *map(float, np.nanquantile(draws, ends(confidence))))


def ends(confidence):
    """The quantiles at which an interval ends."""
    return [(1 - confidence) / 2, (1 + confidence) / 2]


def require_confidence(confidence):
    """Raise ValueError unless the confidence lies between 0 and 1."""
    if not 0 < confidence < 1:
        raise ValueError(f"Expected confidence between 0 and 1, as in 0.95. Received: {confidence!r}")
