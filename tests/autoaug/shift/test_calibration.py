"""Calibration: by hand, and in simulation of models that are calibrated and of ones that are not."""

import numpy as np
import pytest

from autoaug.shift import calibration


def two_class_logits(sure):
    """Logits whose softmax gives class 0 these probabilities."""
    return np.stack([np.log(sure / (1 - sure)), np.zeros(len(sure))], axis=1)


def test_reliability_by_hand():
    """10 images at 0.95, 8 of them right; 10 at 0.75, 9 right: ½ · 0.15 + ½ · 0.15."""
    sure = np.repeat([0.95, 0.75], 10)
    labels = np.array([0] * 8 + [1] * 2 + [0] * 9 + [1])
    found = calibration.reliability(two_class_logits(sure), labels, 0.95, np.random.default_rng(0), bins=10)
    np.testing.assert_allclose(found.confidence, [0.75, 0.95])
    np.testing.assert_allclose(found.accuracy, [0.9, 0.8])
    assert found.images.tolist() == [10, 10]
    assert found.error == pytest.approx(0.15)
    np.testing.assert_allclose(found.low, [0.5, 0.8])  # quantiles of the binomials (10, .75) and (10, .95)
    np.testing.assert_allclose(found.high, [1, 1])


@pytest.mark.parametrize("images", [100, 600])
@pytest.mark.parametrize("lowest", [0.55, 0.95])
def test_a_calibrated_model_is_compatible_with_it_as_often_as_asked_for(images, lowest):
    """Also one that is nearly always sure, as good models are."""
    rng, compatible = np.random.default_rng(1), 0
    for _ in range(400):
        sure = rng.uniform(lowest, 0.999, images)
        labels = (rng.random(images) > sure).astype(int)
        compatible += calibration.reliability(two_class_logits(sure), labels, 0.95, rng, replicates=200).compatible
    assert 0.92 <= compatible / 400 <= 0.98


@pytest.mark.parametrize("amiss", [-0.05, 0.05])
def test_a_model_that_is_too_sure_or_not_sure_enough_is_not(amiss):
    rng, compatible = np.random.default_rng(2), 0
    for _ in range(50):
        sure = rng.uniform(0.6, 0.94, 2_000)
        labels = (rng.random(2_000) > sure + amiss).astype(int)
        compatible += calibration.reliability(two_class_logits(sure), labels, 0.95, rng, replicates=200).compatible
    assert compatible <= 1


def test_scores_by_hand():
    logits = np.log([[0.7, 0.2, 0.1], [0.5, 0.25, 0.25]])
    found = calibration.scores(logits, np.array([0, 1]), 0.95, np.random.default_rng(0))
    assert found.nll.value == pytest.approx(-(np.log(0.7) + np.log(0.25)) / 2)
    assert found.brier.value == pytest.approx(((0.3**2 + 0.2**2 + 0.1**2) + (0.5**2 + 0.75**2 + 0.25**2)) / 2)


def test_scores_of_a_model_that_is_wrong_and_sure_are_finite():
    found = calibration.scores(np.array([[1_000.0, 0.0]]), np.array([1]), 0.95, np.random.default_rng(0))
    assert found.nll.value == 1_000 and found.brier.value == 2


def test_intervals_of_scores_cover_the_truth():
    """Of a calibrated model whose confidences are uniform: ∫ of entropy, and of 2 p (1 − p)."""
    rng, covered = np.random.default_rng(3), np.zeros(2)
    grid = (np.arange(10_000) + 0.5) / 10_000 * 0.4 + 0.55
    truth = (-(grid * np.log(grid) + (1 - grid) * np.log(1 - grid)).mean(), (2 * grid * (1 - grid)).mean())
    for _ in range(400):
        sure = rng.uniform(0.55, 0.95, 200)
        labels = (rng.random(200) > sure).astype(int)
        found = calibration.scores(two_class_logits(sure), labels, 0.95, rng, replicates=200)
        covered += [score.low <= value <= score.high for score, value in zip(found, truth, strict=True)]
    assert ((covered / 400 >= 0.92) & (covered / 400 <= 0.98)).all()


@pytest.mark.parametrize("function", [calibration.reliability, calibration.scores])
@pytest.mark.usefixtures("wrong_types")
def test_what_does_not_fit_is_refused(function):
    with pytest.raises(ValueError, match=r"Received: \(3, 2\), \(4,\)"):
        function(np.zeros((3, 2)), np.zeros(4, int), 0.95, np.random.default_rng(0))
    with pytest.raises(ValueError, match="confidence between 0 and 1"):
        function(np.zeros((3, 2)), np.zeros(3, int), 1, np.random.default_rng(0))
