"""Intervals and gaps against exact definitions, published values and simulation."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from autoaug import shift


@pytest.mark.parametrize(("correct", "total"), [(0, 7), (7, 7), (1, 10), (931, 1000), (9_999, 10_000), (0, 1)])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_accuracy_interval_is_the_exact_test_inverted(correct, total, confidence):
    expected = scipy.stats.binomtest(correct, total).proportion_ci(confidence, "exact")
    np.testing.assert_allclose(shift.accuracy_interval(correct, total, confidence), expected, atol=1e-12)


def test_accuracy_interval_leaves_half_of_alpha_beyond_each_end():
    low, high = shift.accuracy_interval(15, 20)
    assert scipy.stats.binom.sf(14, 20, low) == pytest.approx(0.025)
    assert scipy.stats.binom.cdf(15, 20, high) == pytest.approx(0.025)


def test_accuracy_interval_ends_at_0_and_1():
    assert shift.accuracy_interval(0, 100) == (0, pytest.approx(1 - 0.025 ** (1 / 100)))
    assert shift.accuracy_interval(100, 100) == (pytest.approx(0.025 ** (1 / 100)), 1)


def test_accuracy_interval_of_arrays_is_that_of_their_elements():
    low, high = shift.accuracy_interval(np.array([0, 3, 5]), np.array([5, 5, 5]))
    assert list(zip(low, high, strict=True)) == [shift.accuracy_interval(correct, 5) for correct in (0, 3, 5)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, 0), "total ≥ 1"),
        ((-1, 5), "0 ≤ correct"),
        ((6, 5), "correct ≤ total"),
        ((0.9, 5), "integers"),
        ((1, 5, 95), "confidence between 0 and 1"),
        ((1, 5, 1.0), "confidence between 0 and 1"),
        ((np.array([1, 6]), np.array([5, 5])), "correct ≤ total"),
    ],
)
@pytest.mark.usefixtures("wrong_types")
def test_accuracy_interval_refuses_impossible_counts(arguments, message):
    with pytest.raises(ValueError, match=message):
        shift.accuracy_interval(*arguments)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0000),
    ],
)
def test_gap_equals_newcombes_table(counts, low, high):
    """Newcombe (1998), table II, method 10."""
    correct, total, other_correct, other_total = counts
    assert shift.gap(*counts) == pytest.approx((correct / total - other_correct / other_total, low, high), abs=5.1e-5)


def test_gap_turns_round_with_its_arguments():
    difference, low, high = shift.gap(90, 100, 60, 200)
    assert shift.gap(60, 200, 90, 100) == pytest.approx((-difference, -high, -low))


def test_gap_refuses_impossible_counts_on_either_side():
    for counts in [(6, 5, 1, 5), (1, 5, 6, 5)]:
        with pytest.raises(ValueError, match="correct ≤ total"):
            shift.gap(*counts)


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(0)
    first, second = rng.binomial(2000, 0.9, 4000), rng.binomial(2000, 0.8, 4000)
    low, high = shift.accuracy_interval(first, np.full(4000, 2000))
    assert 0.945 < np.mean((low <= 0.9) & (high >= 0.9)) < 0.97  # exact intervals are a little too wide
    _, low, high = shift.gap(first, 2000, second, 2000)
    assert 0.94 < np.mean((low <= 0.1) & (high >= 0.1)) < 0.96
    _, low, high = shift.gap(first, 2000, second, 2000, 0.5)
    assert 0.47 < np.mean((low <= 0.1) & (high >= 0.1)) < 0.53


def test_class_gaps_are_the_gaps_of_each_class_on_its_own_images():
    labels, other_labels = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 1])
    correct, other_correct = np.array([1, 0, 1, 1, 1], bool), np.array([0, 1, 0, 0], bool)
    found = shift.class_gaps(correct, labels, other_correct, other_labels, 0.9)
    assert found == {0: pytest.approx(shift.gap(1, 2, 0, 1, 0.9)), 1: pytest.approx(shift.gap(2, 2, 1, 3, 0.9))}


@pytest.fixture
def runs():
    """Three runs: one complete, one with overlap, one without its own test set."""
    rows = [
        ("one", "a", "a", 100, 90, 0, 100, 90),
        ("one", "a", "b", 100, 60, 0, 100, 60),
        ("two", "b", "b", 100, 80, 0, 100, 80),
        ("two", "b", "a", 100, 99, 90, 10, 9),
        ("two", "b", "c", 50, 50, 50, 0, 0),
        ("three", "c", "a", 100, 50, 0, 100, 50),
    ]
    counts = ["total", "correct", "overlap", "clean_total", "clean_correct"]
    return pd.DataFrame(rows, columns=["run_id", "train_data", "test_set", *counts])


def test_accuracies_are_of_images_that_were_not_trained_on(runs):
    table = shift.accuracy_table(shift.clean_counts(runs)).set_index(["run_id", "test_set"])
    assert table.loc[("two", "a"), "accuracy"] == 0.9
    assert tuple(table.loc[("two", "a"), ["low", "high"]]) == shift.accuracy_interval(9, 10)
    assert ("two", "c") not in table.index
    assert len(table) == 5


def test_gaps_go_from_the_own_test_set_to_every_other(runs):
    table = shift.gap_table(shift.clean_counts(runs), confidence=0.9)
    assert table[["run_id", "test_set"]].to_numpy().tolist() == [["one", "b"], ["two", "a"]]
    assert table[["gap", "low", "high"]].to_numpy().tolist() == [
        list(shift.gap(90, 100, 60, 100, 0.9)),
        list(shift.gap(80, 100, 9, 10, 0.9)),
    ]


def test_tables_of_no_runs_are_empty(runs):
    nothing = shift.clean_counts(runs[:0])
    assert len(shift.accuracy_table(nothing)) == len(shift.gap_table(nothing)) == 0
