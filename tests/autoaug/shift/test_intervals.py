"""Intervals of proportions and differences against exact definitions, published values and simulation."""

import numpy as np
import pytest
import scipy.stats

from autoaug import shift


@pytest.mark.parametrize(("correct", "total"), [(0, 7), (7, 7), (1, 10), (931, 1000), (9_999, 10_000), (0, 1)])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_accuracy_interval_is_the_exact_test_inverted(correct, total, confidence):
    expected = scipy.stats.binomtest(correct, total).proportion_ci(confidence, "exact")
    np.testing.assert_allclose(shift.accuracy_interval(correct, total, confidence), expected, atol=1e-12)


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


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(0)
    first, second = rng.binomial(2000, 0.9, 4000), rng.binomial(2000, 0.8, 4000)
    low, high = shift.accuracy_interval(first, np.full(4000, 2000))
    assert 0.945 < np.mean((low <= 0.9) & (high >= 0.9)) < 0.97  # exact intervals are a little too wide
    _, low, high = shift.gap(first, 2000, second, 2000)
    assert 0.94 < np.mean((low <= 0.1) & (high >= 0.1)) < 0.96
    _, low, high = shift.gap(first, 2000, second, 2000, 0.5)
    assert 0.47 < np.mean((low <= 0.1) & (high >= 0.1)) < 0.53


@pytest.mark.parametrize("kind", [int, *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))])
def test_counts_of_every_integer_type_give_the_same_intervals(kind):
    for counts in ((100, 120, 80, 125), (30_000, 32_000, 25_000, 32_000), (1_999_000_000, 2_000_000_000, 5, 9)):
        if kind is int or max(counts) <= np.iinfo(kind).max:
            of_kind = counts if kind is int else np.array(counts, kind)
            assert shift.gap(*of_kind) == shift.gap(*map(int, counts))
            assert shift.accuracy_interval(*of_kind[:2]) == shift.accuracy_interval(*counts[:2])
    assert shift.accuracy_interval(np.uint8(255), 1000) == shift.accuracy_interval(255, 1000)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, 5, 95), "confidence between 0 and 1"),
        ((1, 5, 1.0), "confidence between 0 and 1"),
        *[(counts, "integers, 0 ≤ correct ≤ total and total ≥ 1") for counts in ((1, 0), (-1, 5), (6, 5))],
        ((np.array([1, 6]), np.array([5, 5])), "correct ≤ total"),
        *[((count, 5), "integers") for count in (1.0, True, np.float32(3), "3", None, 1 + 0j, np.datetime64(3, "s"))],
    ],
)
@pytest.mark.usefixtures("wrong_types")
def test_impossible_counts_other_types_and_confidences_are_refused(arguments, message):
    confidence = arguments[2:]
    for function, given in ((shift.accuracy_interval, ()), (shift.gap, (1, 5))):
        with pytest.raises(ValueError, match=message):
            function(*arguments[:2], *given, *confidence)
    with pytest.raises(ValueError, match=message):
        shift.gap(1, 5, *arguments)
