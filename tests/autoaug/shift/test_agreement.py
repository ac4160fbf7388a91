"""Models on the same images: against values worked out by hand, and simulation."""

import numpy as np
import pytest

from autoaug.shift import agreement


def pair(both, only_first, only_second, neither):
    """Right answers of two models, by how many images are of each kind."""
    counts = (both, only_first, only_second, neither)
    return np.repeat(np.array([True, True, False, False]), counts), np.repeat([True, False, True, False], counts)


def test_mcnemar_by_hand():
    """Of 10 discordant images one is the second's: p = 2 · (C(10, 0) + C(10, 1)) / 2¹⁰."""
    assert agreement.mcnemar(*pair(50, 9, 1, 40)) == pytest.approx(2 * 11 / 1024)
    assert agreement.mcnemar(*pair(0, 1, 9, 0)) == pytest.approx(2 * 11 / 1024)
    assert agreement.mcnemar(*pair(50, 5, 5, 40)) == 1
    assert agreement.mcnemar(*pair(50, 0, 0, 40)) == 1


def test_paired_difference_is_of_the_accuracies_and_knows_the_pairs():
    found = agreement.paired_difference(*pair(500, 60, 40, 400), 0.95, np.random.default_rng(0))
    assert found.value == pytest.approx(0.02)
    spread = 1.96 * np.sqrt(0.1 - 0.02**2) / np.sqrt(1_000)  # of a difference that is 1, −1 or 0 for each image
    assert (found.low, found.high) == pytest.approx((0.02 - spread, 0.02 + spread), abs=0.001)


def test_paired_difference_covers_the_truth():
    rng, covered = np.random.default_rng(1), 0
    for _ in range(1_000):
        ease = rng.random(300)
        first, second = rng.random(300) < 0.5 + ease / 2, rng.random(300) < 0.3 + ease / 2
        found = agreement.paired_difference(first, second, 0.95, rng, 500)
        covered += found.low <= 0.2 <= found.high
    assert 0.93 <= covered / 1_000 <= 0.97


@pytest.mark.parametrize("other", [np.ones(3, bool), np.ones(4), np.ones((4, 1), bool)])
def test_pairs_that_do_not_fit_are_refused(other):
    with pytest.raises(ValueError, match="Expected first and second: bool"):
        agreement.mcnemar(np.ones(4, bool), other)


def test_agreement_counts_equal_answers():
    predictions = np.array([[0, 1, 2, 3], [0, 1, 2, 0], [3, 2, 1, 0]])
    expected = [[1, 0.75, 0], [0.75, 1, 0.25], [0, 0.25, 1]]
    np.testing.assert_array_equal(agreement.agreement(predictions), expected)


def test_confusion_has_a_row_per_true_class():
    predictions, labels = np.array([[0, 1, 1, 1], [0, 0, 1, 0]]), np.array([0, 0, 1, 1])
    expected = [[0.75, 0.25, 0], [0.25, 0.75, 0], [np.nan] * 3]
    np.testing.assert_array_equal(agreement.confusion(predictions, labels, 3), expected)


def test_the_hardest_images_come_first_and_those_all_get_right_never():
    correct = np.array([[True, False, True, False, True], [True, True, False, False, True]])
    assert agreement.hardest(correct, 10).tolist() == [3, 1, 2]
    assert agreement.hardest(correct, 2).tolist() == [3, 1]


def two_class_logits(sure):
    """Logits whose softmax gives class 0 these probabilities."""
    return np.stack([np.log(sure / (1 - sure)), np.zeros(len(sure))], axis=1)


def test_reliability_by_hand():
    """10 images at 0.95, 8 of them right; 10 at 0.75, 9 right: ½ · 0.15 + ½ · 0.15."""
    sure = np.repeat([0.95, 0.75], 10)
    labels = np.array([0] * 8 + [1] * 2 + [0] * 9 + [1])
    found = agreement.reliability(two_class_logits(sure), labels, 0.95, np.random.default_rng(0), bins=10)
    np.testing.assert_allclose(found.confidence, [0.75, 0.95])
    np.testing.assert_allclose(found.accuracy, [0.9, 0.8])
    assert found.images.tolist() == [10, 10]
    assert found.error.value == pytest.approx(0.15)
    assert 0 <= found.error.low <= found.error.high


def test_the_interval_of_the_calibration_error_covers_it():
    """Of a model that is 0.1 too sure in every bin."""
    rng, covered = np.random.default_rng(2), 0
    for _ in range(100):
        sure = rng.uniform(0.62, 0.98, 500)
        labels = (rng.random(500) > sure - 0.1).astype(int)
        found = agreement.reliability(two_class_logits(sure), labels, 0.95, rng, replicates=200)
        covered += found.error.low <= 0.1 <= found.error.high
    assert covered / 100 > 0.9


def test_reliability_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match=r"Received: \(3, 2\), \(4,\)"):
        agreement.reliability(np.zeros((3, 2)), np.zeros(4, int), 0.95, np.random.default_rng(0))
    with pytest.raises(ValueError, match="confidence between 0 and 1"):
        agreement.reliability(np.zeros((3, 2)), np.zeros(3, int), 1, np.random.default_rng(0))
