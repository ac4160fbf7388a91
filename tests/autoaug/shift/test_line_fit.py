"""The line through models: against ordinary least squares, and what its band promises."""

import numpy as np
import pytest
import scipy.special
import scipy.stats

from autoaug.files import ROOT
from autoaug.shift import line_fit, published


def test_the_line_is_that_of_least_squares_and_90_percent_of_the_models_lie_in_the_band_at_high_accuracies_too():
    """The testbed's models on CIFAR-10 and CIFAR-10.2."""
    bed = published.testbed(ROOT / "results" / "published")
    chosen = bed[(bed["group"] == published.SCRATCH) & (bed["cifar10"] > published.TRAINED)]
    old, new = chosen["cifar10"].to_numpy(), chosen["cifar10.2"].to_numpy()
    line = line_fit.fit(old, new)
    expected = scipy.stats.linregress(scipy.special.ndtri(old), scipy.special.ndtri(new))
    assert (line.slope, line.intercept) == pytest.approx((expected.slope, expected.intercept))
    low, high = line.band(old)
    inside = (low <= new) & (new <= high)
    for part in (old > 0, old > 0.9, old < 0.5):
        assert 0.9 < inside[part].mean() < 0.99


def test_line_and_band_are_the_textbooks_prediction_and_its_interval_where_all_models_are_alike():
    rng = np.random.default_rng(0)
    at = rng.normal(1, 0.3, 60)  # fewer than NEAREST: all residuals count everywhere
    old, new = scipy.special.ndtr(at), scipy.special.ndtr(-0.3 + 0.8 * at + rng.normal(0, 0.04, 60))
    line = line_fit.fit(old, new, 0.9)
    place, degrees = scipy.special.ndtri(0.95), 58
    error = np.sqrt((line.residuals**2).sum() / 60)
    half = scipy.stats.t.ppf(0.95, degrees) * error
    half *= np.sqrt(1 + 1 / 60 + (place - at.mean()) ** 2 / ((at - at.mean()) ** 2).sum())
    low, high = line.band(0.95)
    middle = line.intercept + line.slope * place
    found = (low[0], line.predict([0.95])[0], high[0])
    assert found == pytest.approx(tuple(scipy.special.ndtr([middle - half, middle, middle + half])))
