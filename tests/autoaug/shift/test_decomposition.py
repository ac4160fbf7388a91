"""Hardness and difference: their identity, by hand, and how often their intervals hold the truth."""

import numpy as np
import pytest
from scipy.special import expit

from autoaug.shift.decomposition import decompose, decompose_classes


def answers(rng, *accuracies, runs=2, images=50):
    """A family whose models are right with the probabilities AA, AB, BA, BB."""
    return [rng.random((runs, images)) < accuracy for accuracy in accuracies]


def test_by_hand():
    """AA, AB, BA, BB = 1, ½, ¾, ½: hardness ½(½ + ¼), difference ½(1 + ½ − ½ − ¾)."""
    rows = [[1, 1, 1, 1], [1, 0, 1, 0], [1, 1, 1, 0], [0, 0, 1, 1]]
    found = decompose([[np.array([row], bool) for row in rows]], 0.95, np.random.default_rng(0))
    assert (found.hardness.value, found.difference.value, found.gap.value) == (0.375, 0.125, 0.5)
    assert found.accuracies == (1, 0.5, 0.75, 0.5) and found.images == (4, 4) and found.runs == (1, 1)


def test_nothing_is_left_unexplained():
    rng = np.random.default_rng(1)
    for _ in range(20):
        families = [answers(rng, *rng.random(4), runs=runs) for runs in (1, 3)]
        found = decompose(families, 0.9, rng, 200)
        assert found.hardness.value + found.difference.value == pytest.approx(found.gap.value, abs=1e-12)
        for estimate in (found.hardness, found.difference, found.gap):
            assert estimate.low <= estimate.value <= estimate.high
        if not np.isnan(found.share.value):
            assert found.share.value == pytest.approx(found.hardness.value / found.gap.value)
            assert not found.gap.low <= 0 <= found.gap.high


def test_the_share_of_no_gap_is_not_a_number():
    rng = np.random.default_rng(2)
    assert np.isnan(decompose([answers(rng, 0.7, 0.7, 0.7, 0.7)], 0.95, rng, 200).share).all()


def test_families_count_alike_whatever_their_number_of_runs():
    rng = np.random.default_rng(3)
    many, one = answers(rng, 0.9, 0.6, 0.8, 0.7, runs=5), answers(rng, 0.5, 0.4, 0.6, 0.3, runs=1)
    pooled = decompose([many, one], 0.95, rng, 200)
    each = [decompose([family], 0.95, rng, 200) for family in (many, one)]
    assert pooled.hardness.value == pytest.approx(np.mean([found.hardness.value for found in each]))
    assert pooled.runs == (6, 6)


def test_seeds_that_disagree_widen_the_intervals():
    rng = np.random.default_rng(4)
    alike = answers(rng, 0.8, 0.6, 0.8, 0.6, runs=3, images=2_000)
    shifts = np.array([[-0.2], [0.0], [0.2]])
    apart = [rng.random((3, 2_000)) < accuracy + shifts * (cell % 2) for cell, accuracy in enumerate((0.8, 0.6) * 2)]
    narrow, wide = (decompose([family], 0.95, rng).hardness for family in (alike, apart))
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def study(rng, runs, seed_spread, images=400):
    """A family whose chances to be right depend on the image and, on each test set, on the seed, on the logit scale."""
    skill = {"aa": 2.5, "ab": 1.0, "ba": 1.8, "bb": 1.2}
    ease = {"a": rng.normal(0, 1.5, images), "b": rng.normal(0, 1.5, images)}
    return [
        rng.random((runs, images)) < expit(level + ease[cell[1]] + rng.normal(0, seed_spread, (runs, 1)))
        for cell, level in skill.items()
    ]


@pytest.mark.parametrize(("runs", "seed_spread"), [(3, 0.2), (1, 0.0)])
def test_intervals_cover_the_truth_in_2000_simulated_studies(runs, seed_spread):
    points, weights = np.polynomial.hermite_e.hermegauss(60)  # the mean over a normal distribution
    chances = expit(np.array([[2.5], [1.0], [1.8], [1.2]]) + np.hypot(1.5, seed_spread) * points)
    aa, ab, ba, bb = chances @ weights / weights.sum()
    truth = (aa - ab + ba - bb) / 2, (aa + bb - ab - ba) / 2, aa - ab, (aa - ab + ba - bb) / 2 / (aa - ab)
    rng, covered = np.random.default_rng(0), np.zeros(4)
    for _ in range(2_000):
        found = decompose([study(rng, runs, seed_spread)], 0.95, rng, replicates=500)
        estimates = found.hardness, found.difference, found.gap, found.share
        covered += [estimate.low <= value <= estimate.high for estimate, value in zip(estimates, truth, strict=True)]
    assert ((covered >= 0.93 * 2_000) & (covered <= 0.97 * 2_000)).all(), covered


def test_classes_are_decomposed_on_their_own_images():
    rng = np.random.default_rng(5)
    labels, other_labels = np.repeat([0, 1, 2], 20), np.repeat([0, 1], 25)
    family = [
        rng.random((2, 60)) < 0.9,
        rng.random((2, 50)) < 0.6,
        rng.random((2, 60)) < 0.8,
        rng.random((2, 50)) < 0.7,
    ]
    found = decompose_classes([family], labels, other_labels, 0.95, rng, 100)
    assert list(found) == [0, 1]  # the other has no image of class 2
    aa, ab, ba, bb = family
    cells = aa[:, 20:40], ab[:, 25:], ba[:, 20:40], bb[:, 25:]
    assert found[1].accuracies == pytest.approx([cell.mean() for cell in cells])
    assert found[1].images == (20, 25)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({0: np.ones((2, 50))}, r"Expected families of bool .* Received: aa float64 \(2, 50\), ab bool"),
        ({0: np.ones((0, 50), bool)}, "at least one run and image"),
        ({1: np.ones((3, 40), bool)}, "as many runs in aa as in ab"),
        ({2: np.ones((2, 41), bool)}, "as many images in aa as in ba"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, message):
    rng = np.random.default_rng(6)
    family = answers(rng, 0.5, 0.5, 0.5, 0.5)
    for cell, array in change.items():
        family[cell] = array
    with pytest.raises(ValueError, match=message):
        decompose([family], 0.95, rng)


def test_no_family_other_images_wrong_labels_and_confidence_are_refused():
    rng = np.random.default_rng(7)
    family, larger = answers(rng, *[0.5] * 4), answers(rng, *[0.5] * 4, images=60)
    with pytest.raises(ValueError, match="Expected families"):
        decompose([], 0.95, rng)
    with pytest.raises(ValueError, match="in every family"):
        decompose([family, larger], 0.95, rng)
    with pytest.raises(ValueError, match="confidence between 0 and 1"):
        decompose([family], 95, rng)
    with pytest.raises(ValueError, match=r"Expected labels \(50,\)"):
        decompose_classes([family], np.zeros(50, int), np.zeros(49, int), 0.95, rng)
