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


def test_one_run_against_one_is_the_paired_difference():
    first, second = pair(500, 60, 40, 400)
    (found,) = agreement.compare_pairs({"a": first[None], "b": second[None]}, 0.95)
    spread = 1.962 * np.sqrt(0.1 - 0.02**2) / np.sqrt(999)  # of a difference that is 1, −1 or 0 for each image
    assert found.difference == pytest.approx((0.02, 0.02 - spread, 0.02 + spread), abs=1e-5)
    assert found.p_value == found.adjusted == agreement.mcnemar(first, second)
    assert (found.first, found.second, found.recipes) == ("a", "b", False)


def test_the_same_answers_differ_in_nothing():
    right = np.array([[True, False, True]])
    (found,) = agreement.compare_pairs({"a": right, "b": right.copy()}, 0.95)
    assert (found.difference, found.p_value) == ((0, 0, 0), 1)


def simulated(rng, runs, mean, spread, ease):
    """Answers of a family whose runs differ in ability by `spread`; about a sixth of that in accuracy."""
    ability = mean + spread * rng.normal(size=(runs, 1))
    return rng.random((runs, len(ease))) < 1 / (1 + np.exp(-ability - ease))


@pytest.mark.parametrize(("runs", "others", "spread"), [(3, 3, 0.0), (3, 3, 0.2), (5, 3, 0.1), (1, 1, 0.0)])
def test_intervals_of_pairs_cover_the_truth_and_seeds_count(runs, others, spread):
    rng, covered, wrong = np.random.default_rng(1), 0, 0
    for _ in range(600):
        ease = rng.normal(1, 1.5, 500)
        families = {"a": simulated(rng, runs, 0, spread, ease), "b": simulated(rng, others, 0, spread, ease)}
        (found,) = agreement.compare_pairs(families, 0.95)
        covered += found.difference.low <= 0 <= found.difference.high
        wrong += found.p_value < 0.05
    assert 0.93 <= covered / 600 <= 0.99
    assert wrong / 600 < 0.07


def test_all_pairs_are_compared_and_corrected_for_their_number():
    rng, ease = np.random.default_rng(2), np.random.default_rng(3).normal(1, 1.5, 2_000)
    families = {name: simulated(rng, 3, mean, 0.02, ease) for name, mean in (("a", 0), ("b", 0.02), ("c", 1))}
    found = agreement.compare_pairs(families, 0.95)
    assert [(one.first, one.second) for one in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [one.adjusted < 0.01 for one in found] == [False, True, True]
    assert found[1].difference.high < -0.1 and all(one.recipes for one in found)
    np.testing.assert_allclose([one.adjusted for one in found], agreement.holm(np.array([p.p_value for p in found])))


def test_holm_by_hand():
    assert agreement.holm(np.array([0.04, 0.01, 0.03])).tolist() == pytest.approx([0.06, 0.03, 0.06])
    assert agreement.holm(np.array([0.6, 0.7])).tolist() == [1, 1]


def test_families_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"on the same images. Received: bool \(1, 3\), bool \(1, 4\)"):
        agreement.compare_pairs({"a": np.ones((1, 3), bool), "b": np.ones((1, 4), bool)}, 0.95)
    with pytest.raises(ValueError, match="confidence between 0 and 1"):
        agreement.compare_pairs({"a": np.ones((1, 3), bool), "b": np.ones((1, 3), bool)}, 95)


@pytest.mark.parametrize("other", [np.ones(3, bool), np.ones(4), np.ones((4, 1), bool)])
@pytest.mark.usefixtures("wrong_types")
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
