"""The line through models: on the published ones, exact ones, and against ordinary least squares."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from autoaug.files import ROOT
from autoaug.shift import line_fit

COUNTS = ROOT / "results" / "published" / "cifar10.1-counts.csv"


@pytest.fixture(scope="module")
def published():
    counts = pd.read_csv(COUNTS)
    wide = counts.assign(accuracy=counts.correct / counts.total).pivot(
        index="model", columns="test_set", values="accuracy"
    )
    return wide["cifar10"].to_numpy(), wide["cifar10.1-v6"].to_numpy()


def fit(old, new, scale="linear", confidence=0.95, replicates=2_000):
    return line_fit.fit(old, new, scale, confidence, np.random.default_rng(0), replicates)


def test_the_published_models_lie_on_the_known_lines(published):
    assert fit(*published).slope.value == pytest.approx(1.60, abs=0.005)
    probit = fit(*published, "probit")
    assert probit.slope.value == pytest.approx(0.95, abs=0.005)
    assert probit.r_squared == pytest.approx(0.984, abs=0.0005)


@pytest.mark.parametrize("scale", line_fit.SCALES)
def test_slope_intercept_and_r_squared_are_those_of_least_squares(published, scale):
    line = fit(*published, scale)
    expected = scipy.stats.linregress(*(line_fit.SCALES[scale][0](side) for side in published))
    assert (line.slope.value, line.intercept.value) == pytest.approx((expected.slope, expected.intercept))
    assert line.r_squared == pytest.approx(expected.rvalue**2)
    assert line.slope.low < line.slope.value < line.slope.high


@pytest.mark.parametrize("scale", line_fit.SCALES)
def test_models_on_a_line_give_it_back_without_a_band_and_nobody_is_robust(scale):
    to, back = line_fit.SCALES[scale]
    old = np.array([0.55, 0.6, 0.7, 0.8])
    new = back(-0.2 + 0.9 * to(old))
    line = fit(old, new, scale)
    assert (line.slope.value, line.intercept.value, line.r_squared) == pytest.approx((0.9, -0.2, 1))
    np.testing.assert_allclose(line.band(old), [new, new], atol=1e-9)
    np.testing.assert_allclose(line.effective_robustness(old, new + 0.1 * np.eye(4)[1]), [0, 0.1, 0, 0], atol=1e-12)


def test_the_band_holds_the_line_and_widens_with_confidence(published):
    grid = np.linspace(0.8, 0.98, 10)
    low, high = fit(*published, "probit").band(grid)
    lower, higher = fit(*published, "probit", 0.999).band(grid)
    middle = fit(*published, "probit").predict(grid)
    assert (lower < low).all() and (low < middle).all() and (middle < high).all() and (high < higher).all()


def test_the_slope_s_interval_covers_the_truth():
    """With 30 models; a bootstrap of pairs is known to be a little too narrow for few of them."""
    rng, covered = np.random.default_rng(1), 0
    for _ in range(500):
        old = rng.uniform(0.6, 0.9, 30)
        slope = line_fit.fit(old, 1.2 * old - 0.3 + rng.normal(0, 0.02, 30), "linear", 0.95, rng, 500).slope
        covered += slope.low <= 1.2 <= slope.high
    assert 0.91 < covered / 500 < 0.97


@pytest.mark.parametrize(
    ("old", "new", "scale", "confidence", "message"),
    [
        (
            [0.5, 0.6, 0.7],
            [0.4, 0.5, 0.6],
            "log",
            0.95,
            "Expected scale, one of linear, logit, probit. Received: 'log'",
        ),
        ([0.5, 0.6, 0.7], [0.4, 0.5, 0.6], "linear", 95, "confidence between 0 and 1"),
        ([0.5, 0.6, 0.6], [0.4, 0.5, 0.6], "linear", 0.95, "at least 3 different models"),
        ([0.5, 0.6, 0.7], [0.4, 0.5], "linear", 0.95, "at least 3 different models"),
        ([0.5, 0.6, 1.0], [0.4, 0.5, 0.6], "logit", 0.95, "above 0 and below 1 on the logit scale"),
    ],
)
def test_what_has_no_line_is_refused(old, new, scale, confidence, message):
    with pytest.raises(ValueError, match=message):
        fit(old, new, scale, confidence)
