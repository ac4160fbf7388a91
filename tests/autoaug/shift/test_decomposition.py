"""Main effect and home advantage: their identity, by hand, on three scales, and by class."""

import numpy as np
import pytest
from scipy.special import logit, ndtri

from autoaug.shift import Cells, Sides
from autoaug.shift.decomposition import decompose, decompose_classes, depends_on_scale, scales


def family(rng, aa, ab, ba, bb, runs=3, images=50):
    """A family whose runs are right with these chances."""
    return Cells(*(rng.random((runs, images)) < chance for chance in (aa, ab, ba, bb)))


def exactly(*right, images=1_000):
    """A family of three runs that are right about so many images of the four cells."""
    return Cells(*(np.tile(np.arange(images) < count, (3, 1)) for count in right))


def test_by_hand():
    """AA, AB, BA, BB = 1, ½, ¾, ½: main effect ½(½ + ¼), home advantage ½(¼ + 0)."""
    rows = [[1, 1, 1, 1], [1, 0, 1, 0], [1, 1, 1, 0], [0, 0, 1, 1]]
    part = decompose([Cells(*(np.array([row], bool) for row in rows))], 0.95, np.random.default_rng(0))
    assert (part.main_effect.value, part.home_advantage.value, part.gap.value) == (0.375, 0.125, 0.5)
    assert part.accuracies == Cells(aa=1, ab=0.5, ba=0.75, bb=0.5)
    assert part.images == Sides(4, 4) and part.runs == Sides(1, 1)


def test_nothing_is_left_unexplained():
    rng = np.random.default_rng(1)
    for _ in range(20):
        part = decompose([family(rng, *rng.random(4), runs=runs) for runs in (1, 3)], 0.9, rng, 200)
        assert part.main_effect.value + part.home_advantage.value == pytest.approx(part.gap.value, abs=1e-12)
        for estimate in (part.main_effect, part.home_advantage, part.gap):
            assert estimate.low <= estimate.value <= estimate.high


def test_seeds_that_disagree_widen_the_intervals():
    rng = np.random.default_rng(4)
    alike = family(rng, 0.8, 0.6, 0.8, 0.6, images=2_000)
    shifts = np.array([[-0.2], [0.0], [0.2]])
    apart = Cells(*(rng.random((3, 2_000)) < chance + shifts * (chance < 0.7) for chance in (0.8, 0.6) * 2))
    narrow, wide = (decompose([one], 0.95, rng).main_effect for one in (alike, apart))
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def test_the_scales_of_the_embedded_harder_set():
    """AA 98.4, AB 64.8, BA 78.3, BB 53.5: the main effect is 87 % of the gap, 70 on probit, 66 on logit."""
    by_scale = scales([exactly(984, 648, 783, 535)], 0.95, np.random.default_rng(0))
    assert {name: round(scale.share.value, 2) for name, scale in by_scale.items()} == {
        "linear": 0.87,
        "probit": 0.7,
        "logit": 0.66,
    }
    for name, to in {"probit": ndtri, "logit": logit}.items():
        aa, ab, ba, bb = to([0.984, 0.648, 0.783, 0.535])
        assert by_scale[name].main_effect.value == pytest.approx((aa - ab + ba - bb) / 2)
        assert by_scale[name].home_advantage.value == pytest.approx((aa + bb - ab - ba) / 2)
    assert depends_on_scale(by_scale)
    assert not depends_on_scale(scales([exactly(600, 500, 590, 500)], 0.95, np.random.default_rng(0)))


def test_half_an_image_keeps_the_scales_finite():
    by_scale = scales([exactly(1_000, 500, 1_000, 0)], 0.95, np.random.default_rng(0))
    assert by_scale["probit"].main_effect.value == pytest.approx((3 * ndtri(1 - 0.0005)) / 2)
    assert np.isfinite([estimate for scale in by_scale.values() for estimate in scale]).all()


def test_no_gap_has_no_share():
    rng = np.random.default_rng(2)
    by_scale = scales([family(rng, 0.7, 0.7, 0.7, 0.7)], 0.95, rng, 200)
    assert all(np.isnan(scale.share).all() for scale in by_scale.values())
    assert not depends_on_scale(by_scale)


def test_classes_are_decomposed_on_their_own_images():
    rng = np.random.default_rng(5)
    labels = Sides(np.repeat([0, 1, 2], 20), np.repeat([0, 1], 25))
    aa, ab, ba, bb = cells = Cells(*(rng.random((2, n)) < p for n, p in ((60, 0.9), (50, 0.6), (60, 0.8), (50, 0.7))))
    classes = decompose_classes([cells], labels, 0.95, rng, 100)
    assert list(classes) == [0, 1]  # B has no image of class 2
    expected = [cell.mean() for cell in (aa[:, 20:40], ab[:, 25:], ba[:, 20:40], bb[:, 25:])]
    assert classes[1].accuracies == pytest.approx(expected)
    assert classes[1].images == Sides(20, 25)
    with pytest.raises(ValueError, match="Expected a value for each image"):
        decompose_classes([cells], Sides(labels.a, labels.b[1:]), 0.95, rng)


def test_no_family_and_a_wrong_confidence_are_refused():
    rng = np.random.default_rng(7)
    for function in (decompose, scales):
        with pytest.raises(ValueError, match="Expected families"):
            function([], 0.95, rng)
        with pytest.raises(ValueError, match="confidence between 0 and 1"):
            function([family(rng, *[0.5] * 4)], 95, rng)
