"""How often statements are made and intervals hold the truth, in simulated studies whose truth is known.

The rates wanted were written down before the first simulation. docs/method.md has all worlds with 4,000 studies each
(`tests/benchmarks/rates.py`). Here are fewer: a rate fails if it would be as bad in less than one of a thousand draws.
"""

import numpy as np
import pytest
import scipy.stats
from shift_worlds import WORLDS, World

from autoaug.shift import compare
from autoaug.shift.verdict import NEGLIGIBLE

STUDIES = 40
FALSE, UNLIKELY = 0.03, 0.001
POWER = {"different by .9": 0.5, "different by 1.9": 0.95, "different by 3.1": 0.99, "40 % of a new look": 0.99}
JUDGED = [
    "same; 10,000 images of A",
    "same; B's training set weaker",
    "harder by 5; specialised by 1 and 1",
    "harder by 15; specialised by 4 and 3",
    "harder by 2 near the ceiling (98 %); specialised by .5",
    "10 % wrong labels; B's training set weaker",
    "other class frequencies",
    "judges share part of B's training images; harder by 5, specialised by 1 and 1",
    "500 images of each; harder by 15, specialised by 4 and 3",
    "a tail of easy images; harder by about 15, specialised",
    *POWER,
]


def drawn(world, studies=STUDIES, seed=0):
    rng = np.random.default_rng(seed)
    of_world = [world.study(rng) for _ in range(studies)]
    return [compare([study.family], 0.95, rng, study.judges, study.labels) for study in of_world]


def often(count, rate, studies):
    """Whether a count is as high as one of this rate would be."""
    return count >= scipy.stats.binom.ppf(UNLIKELY, studies, rate)


@pytest.mark.parametrize("name", JUDGED)
def test_false_statements_are_rare_and_true_ones_are_made(name):
    world, verdicts = WORLDS[name], drawn(WORLDS[name])
    different = sum(verdict.different is True for verdict in verdicts)
    if world.different:
        assert often(different, POWER[name], STUDIES)
    else:
        assert different <= scipy.stats.binom.isf(UNLIKELY, STUDIES, FALSE)
        within = [estimate.low <= 0 <= estimate.high for estimate in (verdict.home_within for verdict in verdicts)]
        assert often(sum(within), 0.93, STUDIES)
    if name == "same; 10,000 images of A":
        assert often(sum(verdict.home_at_most < NEGLIGIBLE for verdict in verdicts), 0.75, STUDIES)
    if world.harder is False:
        assert sum(verdict.harder for verdict in verdicts) <= scipy.stats.binom.isf(UNLIKELY, STUDIES, FALSE)


@pytest.mark.parametrize(
    "worlds",
    [
        [World(gap=0.05, images=500)],
        [World(aa=0.98, gap=0.02, images=500)],
        [World(images=500, runs=10), World(gap=0.1, images=500, runs=3)],
    ],
    ids=["one family", "near the ceiling", "two families"],
)
def test_intervals_hold_the_truth_as_often_as_they_promise(worlds):
    """The gaps have intervals over images and seeds; θ is zero."""
    studies, rng, held = 400, np.random.default_rng(1), np.zeros(3)
    for _ in range(studies):
        families = [world.study(rng).family for world in worlds]
        found = compare(families, 0.95, rng)
        truth = np.mean([world.gap for world in worlds])
        for place, (estimate, value) in enumerate(((found.gap_a, truth), (found.gap_b, truth), (found.home, 0))):
            held[place] += estimate.low <= value <= estimate.high
    low, high = scipy.stats.binom.ppf(UNLIKELY, studies, 0.93), scipy.stats.binom.isf(UNLIKELY, studies, 0.97)
    assert ((low <= held) & (held <= high)).all(), held / studies


@pytest.mark.parametrize(
    ("name", "truth"),
    [
        ("40 % of a new look", 0.0568),
        ("harder by 5; specialised by 2 and 2", -0.0003),
        ("different by 1 near the ceiling (98 %)", 0.0106),
    ],
)
def test_the_home_advantage_at_like_difficulty_is_right_on_average_and_its_error_as_large_as_said(name, truth):
    """The truth is that of 200,000 images (`tests/benchmarks/rates.py`)."""
    home, low, high = np.transpose([verdict.home_within for verdict in drawn(WORLDS[name], studies=150)])
    assert home.mean() == pytest.approx(truth, abs=4 * home.std() / np.sqrt(150))
    error = np.mean(high - low) / 2 / scipy.stats.t.ppf(0.975, 15)  # of about 15 degrees of freedom
    assert error == pytest.approx(home.std(ddof=1), rel=0.15)
