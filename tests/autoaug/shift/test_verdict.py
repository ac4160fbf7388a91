"""What is said of which accuracies, in numbers and in words, and of which families."""

import dataclasses

import numpy as np
import pytest
import scipy.stats
from shift_worlds import World

from autoaug import shift
from autoaug.shift import Cells, Estimate, Sides, contrasts, verdict


def family(rng, aa, ab, ba, bb, runs=3, images=2_000):
    """A family whose runs are right with these chances; every image is as hard as any other."""
    return Cells(*(rng.random((runs, images)) < chance for chance in (aa, ab, ba, bb)))


def judged(rng, families, margins=None):
    """`compare` with judges who find all images alike."""
    sizes = contrasts.sizes(families)
    judges = margins or [[rng.normal(1, 1, (3, size)) for size in sizes] for _ in range(2)]
    return shift.compare(families, 0.95, rng, judges, [np.zeros(size, int) for size in sizes])


@pytest.mark.parametrize(
    ("accuracies", "harder", "different"),
    [
        ((0.90, 0.90, 0.90, 0.90), False, False),
        ((0.90, 0.80, 0.90, 0.80), True, False),
        ((0.80, 0.90, 0.80, 0.90), False, False),
        ((0.90, 0.60, 0.60, 0.90), False, True),
        ((0.95, 0.70, 0.90, 0.80), True, True),
        ((0.95, 0.70, 0.80, 0.69), True, True),  # B's training set is weaker, which hides its own home advantage
        ((0.60, 0.90, 0.90, 0.60), False, False),
    ],
)
def test_what_is_said_of_an_order(accuracies, harder, different):
    rng = np.random.default_rng(0)
    families = [family(rng, *accuracies) for _ in range(2)]
    found = judged(rng, families)
    assert (found.harder, found.different, found.comparable) == (harder, different, True)
    assert (found.images, found.runs) == ((2_000, 2_000), (6, 6))
    alone = shift.compare(families, 0.95, rng)
    assert alone.different is (None if different else False)  # not separated from difficulty
    assert (alone.home_within, alone.home_within_at_most, alone.comparable) == (None, None, None)


def test_differences_by_hand_and_without_any_spread_the_interval_is_of_one_image():
    rows = [[1, 1, 1, 1], [1, 0, 1, 0], [1, 1, 1, 0], [0, 0, 1, 0]]
    found = shift.compare([Cells(*(np.array([row], bool) for row in rows))], 0.95, np.random.default_rng(0))
    values = [getattr(found, name).value for name in ("gap_a", "gap_b", "home_a", "home_b", "home")]
    assert values == [0.5, 0.5, 0.25, -0.25, 0]
    same = Cells(*[np.ones((3, 50), bool)] * 4)
    found = shift.compare([same], 0.95, np.random.default_rng(0))
    half = scipy.stats.t.ppf(0.975, 1e6) * np.sqrt(2) / 50
    assert found.gap_a == pytest.approx((0, -half, half)) and (found.harder, found.different) == (False, False)
    assert found.home == pytest.approx((0, -half / np.sqrt(2), half / np.sqrt(2))) and "not" not in shift.said(found)
    for a, b in ((2_000, 500), (1, 6), (500, 200)):  # whose shares have sums that are not exactly 1
        all_right = Cells(*(np.ones((3, images), bool) for images in (a, b, a, b)))
        assert judged(np.random.default_rng(0), [all_right]).harder is False


def test_interval_and_bounds_are_those_of_the_formula():
    """V − W + S, and Student's t with Satterthwaite's degrees of freedom, for the mean home advantage of one family."""
    rng = np.random.default_rng(1)
    one = family(rng, 0.9, 0.8, 0.85, 0.8, images=300)
    aa, ab, ba, bb = (cell.astype(float) for cell in one)
    images = sum(np.var((x.mean(0) - y.mean(0)) / 2, ddof=1) / 300 for x, y in ((aa, ba), (bb, ab)))
    residual = sum(cell.var(axis=0, ddof=1).mean() / 4 / 900 for cell in (aa, ab, ba, bb))
    seeds = [np.var((x.mean(1) - y.mean(1)) / 2, ddof=1) / 3 for x, y in ((aa, ab), (bb, ba))]
    variance = max(images - residual, 1 / 300**2) + sum(seeds)  # here one image in each accuracy
    degrees = variance**2 / sum(seed**2 / 2 for seed in seeds)
    found = shift.compare([one], 0.9, rng)
    value = (aa.mean() - ba.mean() + bb.mean() - ab.mean()) / 2
    half = scipy.stats.t.ppf(0.95, degrees) * np.sqrt(variance)
    assert found.home == pytest.approx((value, value - half, value + half))
    assert found.home_at_most == pytest.approx(value + scipy.stats.t.ppf(0.9, degrees) * np.sqrt(variance))
    assert found.gap_at_most == min(contrasts.contrast([one], gap).at_most(0.9) for gap in verdict.GAPS)


def test_known_difficulty_takes_the_place_of_judges():
    """Models of B specialise in difficulty: θ is above zero, and not within strata of what is known."""
    rng = np.random.default_rng(3)
    study = World(gap=0.15, special=(0.04, 0.03)).study(rng)
    found = shift.compare([study.family], 0.95, rng, study.difficulty, study.labels)
    assert found.home.low > 0 > found.home_within.low and found.different is False
    assert found.home_within.value == pytest.approx((found.home_a_within.value + found.home_b_within.value) / 2)


def test_images_that_are_not_alike_leave_it_open():
    rng = np.random.default_rng(4)
    found = judged(rng, [family(rng, 0.9, 0.6, 0.6, 0.9)], (rng.normal(4, 1, 2_000), rng.normal(0, 1, 2_000)))
    assert found.comparable is False and found.different is None
    alike, labels = [np.zeros(2_000)] * 2, (np.zeros(2_000, int), np.ones(2_000, int))
    apart = shift.compare([family(rng, 0.9, 0.6, 0.6, 0.9)], 0.95, rng, alike, labels)
    assert (apart.comparable, apart.home_within, apart.different) == (False, None, None)


def test_fewer_than_three_seeds_on_a_side_make_no_statement_and_are_not_pooled():
    rng = np.random.default_rng(5)
    few = family(rng, 0.95, 0.5, 0.9, 0.6, runs=2)
    mixed = Cells(*family(rng, 0.95, 0.5, 0.9, 0.6)[:2], *few[2:])
    for families in ([few], [mixed], [few, mixed]):
        found = shift.compare(families, 0.95, rng)
        assert found.few_seeds and found.harder is None and found.different is None
        assert (found.left_out, found.exceptions) == ((), ())
    enough = family(rng, 0.95, 0.9, 0.95, 0.9)
    found = shift.compare({"few": few, "enough": enough, "mixed": mixed}, 0.95, rng)
    assert not found.few_seeds and (found.left_out, found.runs) == (("few", "mixed"), (3, 3))


def test_families_count_alike_whatever_their_number_of_runs_and_those_of_which_it_is_not_shown_are_named():
    rng = np.random.default_rng(6)
    strong, flat = family(rng, 0.9, 0.6, 0.9, 0.6, runs=5), family(rng, 0.9, 0.9, 0.9, 0.9)
    found = shift.compare({"strong": strong, "flat": flat}, 0.95, rng)
    assert found.harder and found.exceptions == ("flat",)
    both = {"loses": family(rng, 0.9, 0.88, 0.9, 0.88), "gains": family(rng, 0.8, 0.95, 0.8, 0.95)}
    average = shift.compare(both, 0.95, rng)
    assert average.gap_at_most < verdict.NEGLIGIBLE and average.exceptions == ("loses",)
    assert shift.compare([strong, flat], 0.95, rng).exceptions == ("family 2",)
    alone = [shift.compare([one], 0.95, rng) for one in (strong, flat)]
    assert alone[0].exceptions == ()
    assert found.gap_a.value == pytest.approx(np.mean([one.gap_a.value for one in alone]))


ZERO = Estimate(0, -0.02, 0.02)
WITHIN = {"home_within": Estimate(0, 0, 0), "home_within_at_most": 0.004}
SAID = verdict.Verdict(
    harder=False, different=False, gap_a=ZERO, gap_b=ZERO, home_a=ZERO, home_b=ZERO, home=ZERO, home_within=None,
    home_a_within=None, home_b_within=None, gap_at_most=0.02, home_at_most=0.02, home_within_at_most=None,
    comparable=None, images=Sides(9, 9), runs=Sides(3, 3), few_seeds=False, left_out=(), exceptions=(),
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "harder is undecided (AA − AB −2.0 to 2.0, BA − BB −2.0 to 2.0 points); different"),
        ({}, "; different is undecided (θ −2.0 to 2.0 points)"),
        ({"gap_at_most": 0.009, "home_at_most": 0.009}, "not harder by more than 1 point; not different by more"),
        ({"harder": True, "exceptions": ("WRN",)}, "harder (not shown for WRN, taken alone); different is undecided"),
        (
            {"gap_at_most": 0.009, "exceptions": ("WRN",)},
            "not harder by more than 1 point (not shown for WRN, taken alone)",
        ),
        ({"harder": True, "gap_at_most": 0.005}, "harder, but not by more than 1 point; "),
        ({"different": True, "comparable": True}, "points); different"),
        ({"different": True, "home_at_most": 0.005}, "; different, but not by more than 1 point"),
        (WITHIN | {"comparable": True}, "not different by more than 1 point, once difficulty is taken off"),
        (WITHIN | {"comparable": True, "home_within_at_most": 0.02}, "2.0 points, 0.0 to 0.0 at like difficulty)"),
        (WITHIN | {"comparable": False}, "θ −2.0 to 2.0 points)"),
        ({"different": None}, "different is not separated from difficulty (nobody has judged it)"),
        ({"different": None, "comparable": False}, "(the images cannot be compared at like difficulty)"),
        ({"few_seeds": True}, "too few seeds to say"),
    ],
)
def test_what_is_said_in_words(changes, text):
    assert text in verdict.said(dataclasses.replace(SAID, **changes))
    assert "(weak judges)" in verdict.said(dataclasses.replace(SAID, different=None, comparable=None), "weak judges")


FITS = family(np.random.default_rng(8), 0.5, 0.5, 0.5, 0.5, images=50)
LARGER = family(np.random.default_rng(9), 0.5, 0.5, 0.5, 0.5, images=60)


@pytest.mark.parametrize(
    ("families", "options", "message"),
    [
        ([FITS._replace(aa=np.ones((3, 50)))], {}, r"families of bool .* Received: aa float64 \(3, 50\), ab bool"),
        ([FITS._replace(aa=np.ones((0, 50), bool))], {}, "at least one run and image"),
        ([FITS._replace(aa=np.ones(50, bool))], {}, "at least one run and image"),
        ([FITS._replace(ab=np.ones((4, 50), bool))], {}, "as many runs in aa as in ab"),
        ([FITS._replace(ba=np.ones((3, 41), bool))], {}, "as many images in aa as in ba"),
        ([FITS, LARGER], {}, "in every family"),
        ([FITS[:3]], {}, "Expected families"),
        ([], {}, "Expected families"),
        ([FITS], {"confidence": 95}, "confidence between 0 and 1"),
        ([FITS], {"judges": (np.ones(50), np.ones(50))}, "Expected labels of both test sets"),
        ([FITS], {"judges": (np.ones(50), np.ones(50)), "labels": [np.full(50, 10**9)] * 2}, "classes from 0 to 255"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(families, options, message):
    with pytest.raises(ValueError, match=message):
        shift.compare(families, **{"confidence": 0.95, "rng": np.random.default_rng(10)} | options)
