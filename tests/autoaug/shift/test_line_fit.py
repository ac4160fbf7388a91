"""The line through models: against ordinary least squares, and what its band promises."""

import numpy as np
import pytest
import scipy.special
import scipy.stats

from autoaug.files import ROOT
from autoaug.shift import line_fit, published


@pytest.fixture(scope="module")
def models():
    """Accuracies of the testbed's models on CIFAR-10 and CIFAR-10.2."""
    bed = published.testbed(ROOT / "results" / "published")
    chosen = bed[(bed["group"] == published.SCRATCH) & (bed["cifar10"] > published.TRAINED)]
    return chosen["cifar10"].to_numpy(), chosen["cifar10.2"].to_numpy()


def test_slope_intercept_and_their_intervals_are_those_of_least_squares(models):
    line = line_fit.fit(*models, 0.9)
    expected = scipy.stats.linregress(*map(scipy.special.ndtri, models))
    half = scipy.stats.t.ppf(0.95, len(models[0]) - 2)
    assert line.r_squared == pytest.approx(expected.rvalue**2)
    for found, value, error in (
        (line.slope, expected.slope, expected.stderr),
        (line.intercept, expected.intercept, expected.intercept_stderr),
    ):
        assert found == pytest.approx((value, value - half * error, value + half * error))


def test_models_on_a_line_give_it_back_without_a_band():
    old = np.array([0.55, 0.6, 0.7, 0.8])
    new = scipy.special.ndtr(-0.2 + 0.9 * scipy.special.ndtri(old))
    line = line_fit.fit(old, new)
    assert (line.slope.value, line.intercept.value, line.r_squared) == pytest.approx((0.9, -0.2, 1))
    np.testing.assert_allclose(line.predict(old), new, atol=1e-12)
    np.testing.assert_allclose(line.band(old), [new, new], atol=1e-9)


def test_the_band_is_the_textbooks_prediction_interval_where_all_models_are_alike():
    rng = np.random.default_rng(0)
    at = rng.normal(1, 0.3, 60)  # fewer than NEAREST: all residuals count everywhere
    old, new = scipy.special.ndtr(at), scipy.special.ndtr(-0.3 + 0.8 * at + rng.normal(0, 0.04, 60))
    line = line_fit.fit(old, new)
    place, degrees = scipy.special.ndtri(0.95), 58
    error = np.sqrt((line.residuals**2).sum() / 60)
    half = scipy.stats.t.ppf(0.975, degrees) * error
    half *= np.sqrt(1 + 1 / 60 + (place - at.mean()) ** 2 / ((at - at.mean()) ** 2).sum())
    low, high = line.band(0.95)
    middle = line.intercept.value + line.slope.value * place
    assert (low[0], high[0]) == pytest.approx(tuple(scipy.special.ndtr([middle - half, middle + half])))


def test_at_least_90_percent_of_the_models_lie_in_the_band_at_high_accuracies_too(models):
    old, new = models
    line = line_fit.fit(*models)
    low, high = line.band(old)
    inside = (low <= new) & (new <= high)
    for chosen in (old > 0, old > 0.9, old < 0.5):
        assert 0.9 < inside[chosen].mean() < 0.99


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ([0.5, 0.5, 0.6], [0.4, 0.4, 0.5], "at least 3 different models"),
        ([0.5, 0.6, 0.7], [0.4, 0.5], "at least 3 different models"),
        ([0.5, 0.6, 1.0], [0.4, 0.5, 0.6], "above 0 and below 1"),
        ([0.5, 0.6, 0.7], [0.4, np.nan, 0.6], "above 0 and below 1"),
    ],
)
def test_what_has_no_line_is_refused(old, new, message):
    with pytest.raises(ValueError, match=message):
        line_fit.fit(old, new)
