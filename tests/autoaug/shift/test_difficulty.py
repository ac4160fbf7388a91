"""Strata of class and difficulty, and the weights that make both sets' images alike in them."""

import numpy as np
import pytest
from shift_worlds import World

from autoaug.shift import Sides, difficulty

LABELS = Sides(np.zeros(400, int), np.zeros(200, int))


def test_overlap_weights_by_hand():
    """A has 30 of 40 images in the easy stratum, B has 10: a·b / (a + b) is 3/16 in both strata."""
    a, b = (np.repeat([0.0, 9.0], counts) for counts in ((30, 10), (10, 30)))
    found = difficulty.strata((a, b), [np.zeros(40, int)] * 2, Sides(40, 40))
    for side, counts in zip(found.shares, ((30, 10), (10, 30)), strict=True):
        np.testing.assert_allclose(side, np.repeat([1 / 2, 1 / 2], counts) / np.repeat(counts, counts))
    np.testing.assert_allclose(found.variances[found.weights > 0], 1 / 16 / 30 + 9 / 16 / 10)
    assert difficulty.is_comparable(found)  # effective sample sizes are three of four
    few = difficulty.strata((a[1:], b), [np.zeros(39, int), np.zeros(40, int)], Sides(39, 40))
    assert not few.weights.any() and not difficulty.is_comparable(few)  # of one class, fewer than eighty


def test_small_strata_count_as_much_as_they_would_among_very_many_images():
    """A hundredth of A's 4,000 and of B's 1,000 images is easy. Uncorrected, the easy stratum would have .0098."""
    rng, labels = np.random.default_rng(1), [np.zeros(4_000, int), np.zeros(1_000, int)]
    scores = ([(rng.random(side.size) >= 0.01).astype(float) for side in labels] for _ in range(2_000))
    found = [difficulty.strata(tuple(drawn), labels, Sides(4_000, 1_000)).weights[0] for drawn in scores]
    assert np.mean(found) == pytest.approx(0.01, abs=4 * np.std(found) / np.sqrt(2_000))


def test_weights_make_classes_and_difficulties_of_both_sets_alike():
    rng = np.random.default_rng(0)
    labels = Sides(rng.integers(0, 10, 4_000), rng.choice(10, 2_000, p=np.arange(1, 11) / 55))
    scores = Sides(rng.normal(0, 1, 4_000) + labels.a / 10, rng.normal(0.4, 1, 2_000) + labels.b / 10)
    found = difficulty.strata(scores, labels, Sides(4_000, 2_000))
    for label in range(10):
        shares = [weights[side == label].sum() for weights, side in zip(found.shares, labels, strict=True)]
        assert shares[0] == pytest.approx(shares[1])
    means = [weights @ side for weights, side in zip(found.shares, scores, strict=True)]
    assert means[0] == pytest.approx(means[1], abs=0.06)
    assert sum(found.shares.a) == pytest.approx(1) == sum(found.shares.b)


def test_strata_are_finer_where_the_judges_are_wrong():
    """All errors are on the hardest fifth of the images: it has (1 + ¼ · ⅕) of 1¼ in all, 16.8 strata of 20."""
    scores = Sides(np.arange(500.0), np.arange(500.0))
    errors = Sides(*((side >= 400).astype(float) for side in scores))
    classes = Sides(np.zeros(500, int), np.zeros(500, int))
    strata, _ = difficulty._members(difficulty.Judged(scores, errors), classes)
    assert len(set(strata)) == difficulty.STRATA
    assert len(set(strata[scores.a >= 400])) == 17


def test_the_score_is_drawn_to_its_mean_by_what_two_sources_disagree():
    rng = np.random.default_rng(2)
    truth = rng.normal(0, 1, 20_000)
    first, second = truth + rng.normal(0, 1, (2, 20_000))
    score = difficulty._true_score(first, second)
    assert np.polyfit(score, truth, 1)[0] == pytest.approx(1, abs=0.03)  # uncorrected it would be 2/3
    np.testing.assert_array_equal(difficulty._true_score(np.ones(3), first[:3]), (1 + first[:3]) / 2)
    same = difficulty._true_score(first, first)
    np.testing.assert_allclose(same, first)


def test_judges_margins_of_any_scale_and_float_type_give_the_same_weights():
    study = World(gap=0.05, images=500).study(np.random.default_rng(3))
    images = Sides(500, 500)
    found = difficulty.strata(study.judges, study.labels, images)
    scaled = tuple(tuple(side * factor for side in source) for source, factor in zip(study.judges, (2, 8), strict=True))
    single = tuple(tuple(side.astype(np.float32) for side in source) for source in scaled)
    again = difficulty.strata(single, [side.astype(np.uint8) for side in study.labels], images)
    np.testing.assert_allclose(again.shares.a, found.shares.a)
    np.testing.assert_allclose(again.shares.b, found.shares.b)


MARGINS = (np.ones((3, 400)), np.ones((3, 200)))
JUDGES = r"Expected judges: two sources, .*\[runs, 400\] and \[runs, 200\]"
CLASSES = "Expected labels of both test sets, classes from 0 to 255, int"


@pytest.mark.parametrize(
    ("judges", "labels", "message"),
    [
        ((MARGINS,), LABELS, JUDGES),
        ((MARGINS, (MARGINS[0],)), LABELS, JUDGES),
        ((MARGINS, MARGINS[::-1]), LABELS, JUDGES),
        ((MARGINS, (MARGINS[0][:2], MARGINS[1])), LABELS, JUDGES),
        ((MARGINS, (MARGINS[0], np.ones((3, 200), int))), LABELS, JUDGES),
        ((MARGINS, (MARGINS[0], np.full((3, 200), np.nan))), LABELS, JUDGES),
        ((MARGINS, (np.ones((0, 400)), np.ones((0, 200)))), LABELS, JUDGES),
        ((np.ones(400), np.ones(199)), LABELS, JUDGES),
        ((MARGINS, MARGINS), (LABELS.a,), CLASSES),
        ((MARGINS, MARGINS), (LABELS.a, LABELS.a), CLASSES),
        ((MARGINS, MARGINS), (LABELS.a, LABELS.b.astype(float)), CLASSES),
        ((MARGINS, MARGINS), (LABELS.a, LABELS.b - 1), CLASSES),
        ((MARGINS, MARGINS), (LABELS.a, LABELS.b.astype(bool)), CLASSES),
    ],
)
@pytest.mark.usefixtures("wrong_types")
def test_judges_and_labels_that_do_not_fit_are_refused(judges, labels, message):
    with pytest.raises(ValueError, match=message):
        difficulty.strata(judges, labels, Sides(400, 200))
