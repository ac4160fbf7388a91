"""The line through models: on the published ones, exact ones, and against ordinary least squares."""

import numpy as np
import pandas as pd
import pytest
import scipy.special
import scipy.stats

from autoaug.files import ROOT
from autoaug.shift import line_fit
from autoaug.shift import published as published_answers

COUNTS = ROOT / "results" / "published" / "cifar10.1-counts.csv"


@pytest.fixture(scope="module")
def answers():
    right = published_answers.read_right(COUNTS.parent / "cifar10.1-right.npz").right
    return right["cifar10"], right["cifar10.1-v6"]


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
    np.testing.assert_allclose(line.predict(old), new, atol=1e-12)


def test_the_band_holds_the_line_and_widens_with_confidence(published):
    grid = np.linspace(0.8, 0.98, 10)
    low, high = fit(*published, "probit").band(grid)
    lower, higher = fit(*published, "probit", 0.999).band(grid)
    middle = fit(*published, "probit").predict(grid)
    assert (lower < low).all() and (low < middle).all() and (middle < high).all() and (high < higher).all()


def test_t_intervals_are_those_of_the_textbook(published):
    x, y = (scipy.special.ndtri(side) for side in published)
    expected, line = scipy.stats.linregress(x, y), fit(*published, "probit", replicates=50_000)
    half = scipy.stats.t.ppf(0.975, 28)
    assert line.slope.high - line.slope.value == pytest.approx(half * expected.stderr)
    assert line.intercept.value - line.intercept.low == pytest.approx(half * expected.intercept_stderr)
    np.testing.assert_allclose(np.quantile(line.draws[:, 1], [0.025, 0.975]), line.slope[1:], atol=0.002)
    at = scipy.special.ndtri(0.975)
    variance = ((y - expected.intercept - expected.slope * x) ** 2).sum() / 28
    of_line = half * np.sqrt(variance * (1 / 30 + (at - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum()))
    low, high = line.band([0.975])
    ends = scipy.special.ndtr(expected.intercept + expected.slope * at + of_line * np.array([-1, 1]))
    np.testing.assert_allclose([low[0], high[0]], ends, atol=0.0003)


@pytest.mark.parametrize("models", [5, 10, 30])
def test_t_intervals_cover_the_truth_however_few_the_models(models):
    rng, covered = np.random.default_rng(1), np.zeros(3)
    for _ in range(800):
        old = rng.uniform(0.6, 0.9, models)
        line = line_fit.fit(old, 1.2 * old - 0.3 + rng.normal(0, 0.02, models), "linear", 0.95, rng, 500)
        ends = (line.slope[1:], line.intercept[1:], np.ravel(line.band([0.8])))
        covered += [low <= truth <= high for (low, high), truth in zip(ends, (1.2, -0.3, 0.66), strict=True)]
    assert ((covered / 800 > 0.925) & (covered / 800 < 0.975)).all()


@pytest.mark.parametrize(
    ("chance", "slope", "band"),
    [
        ("models", (0.900, 0.987), (0.927, 0.934)),
        ("images", (0.876, 1.022), (0.920, 0.940)),
        ("both", (0.851, 1.040), (0.919, 0.941)),
    ],
)
def test_the_published_line_is_less_certain_when_images_are_drawn_too(answers, chance, slope, band):
    old, new = answers
    line = line_fit.fit_images(old, new, "probit", 0.95, np.random.default_rng(0), chance)
    assert line.slope == pytest.approx((0.950, *slope), abs=0.006)
    low, high = line.band([0.975])
    assert (low[0], high[0]) == pytest.approx(band, abs=0.0015)


def test_the_published_models_above_their_line(answers):
    old, new = answers
    accuracies = old.mean(axis=1), new.mean(axis=1)
    above = line_fit.above_line(old, new, np.ones(30, bool), "probit", 0.95, np.random.default_rng(0), 500)
    expected = accuracies[1] - fit(*accuracies, "probit").predict(accuracies[0])
    np.testing.assert_allclose([model.value for model in above], expected)
    assert all(model.low < model.value < model.high for model in above)
    assert np.mean([model.low <= 0 <= model.high for model in above]) > 0.7  # nearly all lie on it


def test_a_model_that_the_line_is_not_fitted_to_does_not_move_it(answers):
    old, new = answers
    fitted = np.arange(30) > 0
    wrong = np.concatenate([np.zeros_like(new[:1]), new[1:]])
    for outlier, value in ((new, None), (wrong, -1)):
        above = line_fit.above_line(old, outlier, fitted, "linear", 0.95, np.random.default_rng(0), 200)
        expected = line_fit.fit_images(old[1:], new[1:], "linear", 0.95, np.random.default_rng(0), replicates=10)
        assert above[0].value == pytest.approx(outlier[0].mean() - expected.predict([old[0].mean()])[0])
        assert value is None or above[0].high < -0.5


def test_two_way_intervals_cover_the_truth():
    """Probit models of images of all difficulties; B's are harder by half a deviation, and suit some models more."""
    rng, covered, truth = np.random.default_rng(2), np.zeros(4), scipy.special.ndtr
    for _ in range(60):
        ability, own = rng.uniform(0.7, 3, 12), rng.normal(0, 0.1, 12)
        old = rng.random((12, 500)) < truth(ability[:, None] - rng.normal(size=500))
        new = rng.random((12, 300)) < truth((ability + own)[:, None] - 0.7 - rng.normal(size=300))
        line = line_fit.fit_images(old, new, "probit", 0.95, rng, replicates=200)
        above = line_fit.above_line(old, new, np.ones(12, bool), "probit", 0.95, rng, 200)
        ends = (line.slope[1:], line.intercept[1:], np.ravel(line.band([0.9])), above[0][1:])
        exact = (1, -0.7 / np.sqrt(2), truth(scipy.special.ndtri(0.9) - 0.7 / np.sqrt(2)))
        robust = truth((ability + own - 0.7) / np.sqrt(2)) - truth((ability - 0.7) / np.sqrt(2))
        covered += [low <= value <= high for (low, high), value in zip(ends, (*exact, robust[0]), strict=True)]
    assert (covered / 60 > 0.88).all()


@pytest.mark.parametrize(
    ("old", "new", "chance", "message"),
    [
        (np.ones((3, 4)), np.ones((3, 4), bool), "both", "Expected old and new: bool"),
        (np.ones((3, 4), bool), np.ones((2, 4), bool), "both", r"of the same models.*\(3, 4\).*\(2, 4\)"),
        (np.eye(3, 4, dtype=bool), np.eye(3, 4, dtype=bool), "seeds", "Expected chance, one of models, images, both"),
        (np.eye(3, 4, dtype=bool), np.eye(3, 4, dtype=bool), "both", "at least 3 different models"),
    ],
)
@pytest.mark.usefixtures("wrong_types")
def test_answers_that_have_no_line_are_refused(old, new, chance, message):
    with pytest.raises(ValueError, match=message):
        line_fit.fit_images(old, new, "linear", 0.95, np.random.default_rng(0), chance)


@pytest.mark.usefixtures("wrong_types")
def test_above_line_says_which_models_the_line_needs():
    answers = np.eye(3, 4, dtype=bool)
    with pytest.raises(ValueError, match=r"Expected fitted: bool \[3\]. Received: int"):
        line_fit.above_line(answers, answers, np.array([0, 1, 2]), "linear", 0.95, np.random.default_rng(0))


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
