"""The two statements: what is said of which order of accuracies, and of which families."""

import numpy as np
import pytest

from autoaug import shift
from autoaug.shift import Cells, Outcome


def family(rng, aa, ab, ba, bb, runs=3, images=2_000):
    """A family whose runs are right with these chances; every image is as hard as any other."""
    return Cells(*(rng.random((runs, images)) < chance for chance in (aa, ab, ba, bb)))


@pytest.mark.parametrize(
    ("accuracies", "outcome", "in_the_way"),
    [
        ((0.90, 0.90, 0.90, 0.90), Outcome.NEITHER, ("gap_a", "gap_b", "home_a", "home_b")),
        ((0.90, 0.80, 0.90, 0.80), Outcome.HARDER, ("home_a", "home_b")),
        ((0.90, 0.80, 0.95, 0.75), Outcome.HARDER | Outcome.HOME_DISADVANTAGE, ("home_a", "home_b")),
        ((0.80, 0.90, 0.80, 0.90), Outcome.EASIER, ("gap_a", "gap_b", "home_a", "home_b")),
        ((0.90, 0.60, 0.60, 0.90), Outcome.DIFFERENT, ("gap_b",)),
        ((0.95, 0.70, 0.90, 0.80), Outcome.HARDER | Outcome.DIFFERENT, ()),
        ((0.70, 0.80, 0.60, 0.95), Outcome.EASIER | Outcome.DIFFERENT, ("gap_a", "gap_b")),
        ((0.60, 0.90, 0.90, 0.60), Outcome.HOME_DISADVANTAGE, ("gap_a", "home_a", "home_b")),
        ((0.95, 0.70, 0.95, 0.96), Outcome.COVERS_MORE, ("gap_b", "home_a")),
        ((0.96, 0.96, 0.70, 0.96), Outcome.COVERS_LESS, ("gap_a", "gap_b", "home_b")),
    ],
)
def test_what_is_said_of_an_order(accuracies, outcome, in_the_way):
    rng = np.random.default_rng(0)
    verdict = shift.compare([family(rng, *accuracies) for _ in range(2)], 0.95, rng, 500)
    assert (verdict.outcome, verdict.in_the_way) == (outcome, in_the_way)
    assert (verdict.harder, verdict.different) == (Outcome.HARDER in outcome, Outcome.DIFFERENT in outcome)
    assert (verdict.images, verdict.runs, verdict.families) == ((2_000, 2_000), (6, 6), 2)


def test_differences_and_accuracies_by_hand():
    rows = [[1, 1, 1, 1], [1, 0, 1, 0], [1, 1, 1, 0], [0, 0, 1, 0]]
    verdict = shift.compare([Cells(*(np.array([row], bool) for row in rows))], 0.95, np.random.default_rng(0))
    assert verdict.accuracies == Cells(aa=1, ab=0.5, ba=0.75, bb=0.25)
    assert [estimate.value for estimate in (verdict.gap_a, verdict.gap_b)] == [0.5, 0.5]
    assert [estimate.value for estimate in (verdict.home_a, verdict.home_b)] == [0.25, -0.25]


def test_covers_more_needs_to_know_that_little_is_lost():
    """A few images of B's models leave room for a loss as large as that of A's models: nothing is said."""
    verdicts = []
    for images in (2_000, 100):
        rng = np.random.default_rng(1)
        verdicts.append(shift.compare([family(rng, 0.9, 0.75, 0.9, 0.9, images=images)], 0.95, rng))
    large, small = verdicts
    assert large.outcome == Outcome.COVERS_MORE
    assert small.gap_a.low > 0 and small.home_b.low > 0 and small.outcome == Outcome.NEITHER


def test_fewer_than_three_seeds_on_a_side_make_no_statement_and_are_not_pooled():
    rng = np.random.default_rng(2)
    few = family(rng, 0.95, 0.5, 0.9, 0.6, runs=2)
    mixed = Cells(*family(rng, 0.95, 0.5, 0.9, 0.6)[:2], *few[2:])
    for families in ([few], [mixed], [few, mixed]):
        verdict = shift.compare(families, 0.95, rng, 200)
        assert verdict.few_seeds and verdict.outcome is None and not verdict.harder and not verdict.different
        assert (verdict.families, verdict.left_out) == (len(families), 0)
    enough = family(rng, 0.95, 0.9, 0.95, 0.9)
    verdict = shift.compare([few, enough, mixed], 0.95, rng, 200)
    assert not verdict.few_seeds and (verdict.families, verdict.left_out, verdict.runs) == (1, 2, (3, 3))
    assert verdict.accuracies == tuple(cell.mean() for cell in enough)


def test_a_familys_intervals_know_nothing_of_another_familys_seeds():
    """The pooled interval grows with a family whose seeds disagree, as the square root of a mean does."""
    rng = np.random.default_rng(3)
    calm = family(rng, 0.9, 0.6, 0.9, 0.6)
    wild = Cells(*(rng.random((3, 2_000)) < chance + np.array([[-0.1], [0], [0.1]]) for chance in (0.8, 0.6) * 2))
    alone, other, both = (shift.compare(f, 0.95, rng, 5_000).home_a for f in ([calm], [wild], [calm, wild]))
    width = [estimate.high - estimate.low for estimate in (alone, other, both)]
    assert width[0] < 0.05 < width[1] and width[2] == pytest.approx(width[1] / 2, rel=0.1)


def test_families_count_alike_whatever_their_number_of_runs():
    rng = np.random.default_rng(4)
    many, few = family(rng, 0.9, 0.6, 0.8, 0.7, runs=5), family(rng, 0.5, 0.4, 0.6, 0.3)
    pooled = shift.compare([many, few], 0.95, rng, 200)
    assert pooled.gap_a.value == pytest.approx(
        np.mean([shift.compare([one], 0.95, rng, 200).gap_a.value for one in (many, few)])
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"aa": np.ones((3, 50))}, r"Expected families of bool .* Received: aa float64 \(3, 50\), ab bool"),
        ({"aa": np.ones((0, 50), bool)}, "at least one run and image"),
        ({"ab": np.ones((4, 40), bool)}, "as many runs in aa as in ab"),
        ({"ba": np.ones((3, 41), bool)}, "as many images in aa as in ba"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, message):
    rng = np.random.default_rng(5)
    with pytest.raises(ValueError, match=message):
        shift.compare([family(rng, 0.5, 0.5, 0.5, 0.5, images=50)._replace(**change)], 0.95, rng)


def test_no_family_other_images_and_a_wrong_confidence_are_refused():
    rng = np.random.default_rng(6)
    one, larger = (family(rng, *[0.5] * 4, images=images) for images in (50, 60))
    with pytest.raises(ValueError, match="Expected families"):
        shift.compare([], 0.95, rng)
    with pytest.raises(ValueError, match="in every family"):
        shift.compare([one, larger], 0.95, rng)
    with pytest.raises(ValueError, match="confidence between 0 and 1"):
        shift.compare([one], 95, rng)
