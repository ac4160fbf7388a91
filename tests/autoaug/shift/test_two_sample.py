"""The classifier two-sample test, from scores: by hand, its size, and its power."""

import numpy as np
import pytest
import scipy.stats

from autoaug.records import RecordError
from autoaug.shift import two_sample


def test_the_area_is_the_share_of_pairs_in_order_ties_half():
    found = two_sample.told_apart(np.array([0.0, 1, 2]), np.array([1.0, 3]), 0.95, np.random.default_rng(0))
    assert found.auc == pytest.approx((1 + 0.5 + 0 + 3) / 6)


def test_the_permutations_agree_with_the_exact_test():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=40), rng.normal(0.4, 1, 50)
    found = two_sample.told_apart(a, b, 0.95, rng, 5_000)
    assert found.p_value == pytest.approx(scipy.stats.mannwhitneyu(b, a, alternative="greater").pvalue, abs=0.01)
    spread = 1.96 * np.sqrt((40 + 50 + 1) / (12 * 40 * 50))  # of Mann & Whitney's U over all pairs
    assert (found.low, found.high) == pytest.approx((0.5 - spread, 0.5 + spread), abs=0.01)


def test_sets_that_are_the_same_are_told_apart_as_rarely_as_asked_for():
    rng, inside, small = np.random.default_rng(2), 0, 0
    for _ in range(400):
        found = two_sample.told_apart(rng.normal(size=30), rng.normal(size=40), 0.95, rng, 200)
        inside += found.low <= found.auc <= found.high
        small += found.p_value <= 0.05
    assert 0.92 <= inside / 400 <= 0.98
    assert 0.02 <= small / 400 <= 0.08


def test_classes_are_told_apart_one_by_one():
    """Class 1 looks otherwise in B; class 2 does not, and is only more frequent there; class 3 is missing in A."""
    rng = np.random.default_rng(3)
    labels_a, labels_b = np.repeat([1, 2], [200, 100]), np.repeat([1, 2, 3], [100, 200, 50])
    scores_a = rng.normal(labels_a == 2, 1)
    scores_b = rng.normal((labels_b == 2) + 1.5 * (labels_b == 1), 1)
    found = two_sample.told_apart_by_class(scores_a, labels_a, scores_b, labels_b, 0.95, rng, 500)
    assert list(found) == [1, 2]
    assert found[1].auc > 0.75 and found[1].p_value < 0.01
    assert found[2].p_value > 0.05


@pytest.mark.parametrize("other", [np.array([]), np.array([np.nan])])
def test_scores_that_say_nothing_are_refused(other):
    with pytest.raises(ValueError, match="Expected finite scores of at least one image on either side"):
        two_sample.told_apart(np.ones(2), other, 0.95, np.random.default_rng(0))


def test_labels_have_to_fit_the_scores():
    with pytest.raises(ValueError, match=r"Expected a label for each score. Received: \(3,\) for \(2,\) scores of A"):
        two_sample.told_apart_by_class(
            np.ones(2), np.ones(3, int), np.ones(2), np.ones(2, int), 0.95, np.random.default_rng(0)
        )


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        "[1]",
        '{"a": [1], "labels_a": [1, 2], "b": [1], "labels_b": [1]}',
        '{"a": [], "labels_a": [], "b": [1], "labels_b": [1]}',
        '{"a": [NaN], "labels_a": [1], "b": [1], "labels_b": [1]}',
        '{"a": [1], "labels_a": [1.5], "b": [1], "labels_b": [1]}',
        '{"a": ["x"], "labels_a": [1], "b": [1], "labels_b": [1]}',
        '{"a": [[1], [1, 2]], "labels_a": [1], "b": [1], "labels_b": [1]}',
    ],
)
def test_damaged_scores_are_named(tmp_path, content):
    (tmp_path / "told_apart").mkdir()
    (tmp_path / "told_apart" / "one+other.json").write_text(content)
    with pytest.raises(RecordError, match=r"one\+other\.json: Expected scores of the images"):
        two_sample.read_scores(tmp_path, "one", "other")
