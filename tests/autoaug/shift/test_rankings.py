"""Rankings of models on a reproduction, beside those on random subsets."""

import numpy as np
import pytest

from autoaug.files import ROOT
from autoaug.shift import published, rankings


def test_the_published_models_are_ranked_by_v6_about_as_random_subsets_do():
    right = published.read_right(ROOT / "results" / "published" / "cifar10.1-right.npz").right
    found = rankings.rank_agreement(right["cifar10"], right["cifar10.1-v6"], 0.95, np.random.default_rng(0), 200)
    assert found.tau == pytest.approx(0.86, abs=0.005)
    assert found.subsets == pytest.approx((0.92, 0.88, 0.96), abs=0.01)
    assert found.disjoint == pytest.approx((0.907, 0.863, 0.948), abs=0.01)


def test_a_subset_of_the_same_images_lies_within_the_middle_and_another_order_below():
    rng = np.random.default_rng(1)
    answers = rng.random((8, 3_000)) < np.linspace(0.5, 0.9, 8)[:, None]
    same = rankings.rank_agreement(answers[:, :2_400], answers[:, 2_400:], 0.99, rng, 100)
    assert same.disjoint.low <= same.tau <= same.disjoint.high
    turned = rankings.rank_agreement(answers[:, :2_400], answers[::-1, 2_400:], 0.99, rng, 100)
    assert turned.tau < -0.9 < 0.5 < turned.disjoint.low


def test_as_many_new_images_as_old_ones_are_refused():
    with pytest.raises(ValueError, match=r"fewer images in new. Received: bool \(2, 3\), bool \(2, 3\)"):
        rankings.rank_agreement(np.ones((2, 3), bool), np.ones((2, 3), bool), 0.95, np.random.default_rng(0))
