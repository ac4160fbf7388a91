"""Difficulty in strata, origins of images, matched ability: what they tell apart that the four accuracies cannot."""

import numpy as np
import pytest
from scipy.special import ndtr

from autoaug.shift import Cells, Outcome, Sides, compare, matched_ability
from autoaug.shift.origins import by_origin
from autoaug.shift.strata import by_difficulty


def study(rng, difficulty, skill_a, skill_b, runs=3):
    """A family whose chances to be right fall with difficulty; skills are (level, slope) on A and on B."""
    return Cells(
        *(
            rng.random((runs, len(side))) < ndtr(level - slope * side)
            for skills in (skill_a, skill_b)
            for side, (level, slope) in zip(difficulty, skills, strict=True)
        )
    )


def difficulties(rng, hardness=1.5, images=3_000):
    """Of A's and of B's images; B's are harder."""
    return Sides(rng.standard_normal(images), rng.standard_normal(images) + hardness)


def test_a_home_advantage_in_difficulty_alone_vanishes_within_strata():
    """A's models are better on easy images of either set, B's on hard ones."""
    rng = np.random.default_rng(0)
    difficulty = difficulties(rng)
    families = [study(rng, difficulty, [(1.5, 1.6)] * 2, [(0.7, 0.7)] * 2) for _ in range(2)]
    whole = compare(families, 0.95, rng)
    strata = by_difficulty(families, difficulty, 0.95, rng)
    assert whole.different and strata.specialising and not strata.adjusted.different
    easiest, *_, hardest = strata.verdicts
    assert easiest.home_a.low > 0 > easiest.home_b.high and hardest.home_a.high < 0 < hardest.home_b.low
    assert len(strata.verdicts) == len(strata.edges) - 1 == 4


def test_a_home_advantage_in_content_stays_and_hardness_goes():
    rng = np.random.default_rng(1)
    difficulty = difficulties(rng, hardness=0.5)
    families = [study(rng, difficulty, [(1.5, 1), (0.7, 1)], [(0.7, 1), (1.5, 1)])]
    strata = by_difficulty(families, difficulty, 0.95, rng)
    assert strata.adjusted.different and not strata.specialising
    families = [study(rng, difficulty, [(1.5, 1)] * 2, [(1.5, 1)] * 2)]
    strata = by_difficulty(families, difficulty, 0.95, rng, strata=20)
    assert compare(families, 0.95, rng).harder and not strata.adjusted.harder
    assert abs(strata.adjusted.gap_a.value) < 0.02


def test_adjusted_accuracies_by_hand():
    """One easy and three hard images of A, three easy and one hard of B: each stratum counts one half."""
    easy_a, easy_b = np.array([1, 0, 0, 0], bool), np.array([1, 1, 1, 0], bool)
    family = Cells(*(np.tile(side, (3, 1)) for side in (easy_a, easy_b, easy_a, easy_b)))
    strata = by_difficulty(
        [family], Sides(1.0 - easy_a, 1.0 - easy_b), 0.95, np.random.default_rng(0), strata=2, replicates=100
    )
    assert strata.adjusted.accuracies == pytest.approx((0.5, 0.5, 0.5, 0.5))
    assert [verdict.accuracies.ab for verdict in strata.verdicts] == [1, 0]
    assert [verdict.images for verdict in strata.verdicts] == [(1, 3), (3, 1)]
    assert strata.adjusted.images == (4, 4)


def test_sets_that_share_no_difficulty_cannot_be_stratified():
    rng = np.random.default_rng(2)
    difficulty = Sides(np.zeros(50), np.ones(50))
    families = [study(rng, difficulty, [(1, 1)] * 2, [(1, 1)] * 2)]
    with pytest.raises(ValueError, match="Expected images of both test sets in some stratum"):
        by_difficulty(families, difficulty, 0.95, rng)
    with pytest.raises(ValueError, match="Expected a value for each image"):
        by_difficulty(families, Sides(np.zeros(50), np.ones(49)), 0.95, rng)


def test_dilution_hides_a_difference_and_origins_show_it():
    """40 % of B are new, and A's models lose on these only."""
    rng = np.random.default_rng(3)
    new = np.arange(2_000) < 800
    ab = rng.random((3, 2_000)) < np.where(new, 0.5, 0.95)
    aa, ba, bb = (rng.random((3, 2_000)) < chance for chance in (0.95, 0.9, 0.9))
    origins = by_origin([Cells(aa=aa, ab=ab, ba=ba, bb=bb)], new, 0.95, rng)
    assert origins.new.different and origins.new.images == Sides(2_000, 800)
    assert not origins.old.different and origins.old.images == Sides(2_000, 1_200)
    assert origins.new.home_b.value == pytest.approx(0.4, abs=0.04)
    with pytest.raises(ValueError, match="Expected new and old images"):
        by_origin([Cells(aa=aa, ab=ab, ba=ba, bb=bb)], np.ones(2_000, bool), 0.95, rng)


def test_how_far_above_the_line_by_hand():
    """A's models lie on probit(B) = probit(A) − ½; one of B with Φ(1) on A and Φ(0.8) on B is above."""
    abilities = np.array([0.0, 0.5, 1.0, 1.5])
    curve = ndtr(np.stack([abilities, abilities - 0.5], axis=1))
    images = 100_000
    places = np.arange(images) / images
    family = Cells(*(np.tile(places < ndtr(level), (3, 1)) for level in (1.5, 1.0, 1.0, 0.8)))
    above = matched_ability.above_line([curve] * 3, family, 0.95, np.random.default_rng(0))
    assert above.value == pytest.approx(ndtr(0.8) - ndtr(0.5), abs=1e-4)
    assert above.low < above.value < above.high
    disagreeing = [curve, curve * [1, 0.95], curve * [1, 1.05]]
    wider = matched_ability.above_line(disagreeing, family, 0.95, np.random.default_rng(0))
    assert wider.high - wider.low > 3 * (above.high - above.low)


@pytest.mark.parametrize("curves", [[], [np.array([[0.5, 0.4], [0.6, 0.5]])]])
def test_a_line_needs_three_abilities(curves):
    rng = np.random.default_rng(4)
    family = Cells(*(rng.random((3, 50)) < 0.5 for _ in range(4)))
    with pytest.raises(ValueError, match="Expected curves of at least three accuracies"):
        matched_ability.above_line(curves, family, 0.95, rng)
    assert compare([family], 0.95, rng).outcome == Outcome.NEITHER
