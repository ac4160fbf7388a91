"""The policy as data, and the distributions of the plans drawn from it."""

import hashlib
import json

import numpy as np
import pytest
from scipy import stats

from autoaug import augment, recipes
from autoaug.augment import policies
from autoaug.files import ROOT

N = 400_000


@pytest.fixture(scope="module")
def plan():
    return augment.sample_plan(augment.epoch_generator(7, 3), N)


def assert_uniform(values, count):
    """Each of 0…count−1, and no other value, about equally often; the seed is fixed, so the outcome is too."""
    frequencies = np.bincount(values, minlength=count)
    assert len(frequencies) == count
    assert stats.chisquare(frequencies).pvalue > 1e-3


def test_every_kind_of_augmentation_has_a_policy():
    assert tuple(policies.POLICIES) == recipes.AUGMENTATIONS


def test_the_policy_is_that_of_the_reference():
    digest = hashlib.sha256(json.dumps(policies.CIFAR10).encode()).hexdigest()
    assert digest == "0837a07cf4bd545bb9f6a0932a4d9231c39b2c5e160ca61997a9bce3ae19248c"
    assert len(policies.CIFAR10) == 95
    if (path := ROOT.parent / "shared" / "reference" / "policy.json").exists():  # else its hash has to do
        assert json.loads(path.read_text()) == json.loads(json.dumps(policies.CIFAR10))


def test_steps_are_those_of_the_sub_policy(plan):
    operations = [[policies.Operation[name] for name, _, _ in sub_policy] for sub_policy in policies.CIFAR10]
    levels = [[level for _, _, level in sub_policy] for sub_policy in policies.CIFAR10]
    np.testing.assert_array_equal(plan["steps"]["operation"], np.array(operations)[plan["sub_policy"]])
    np.testing.assert_array_equal(plan["steps"]["level"], np.array(levels)[plan["sub_policy"]])


def test_each_operation_acts_with_its_probability(plan):
    for index, sub_policy in enumerate(policies.CIFAR10):
        acts = plan["steps"]["acts"][plan["sub_policy"] == index]
        for position, (_, probability, _) in enumerate(sub_policy):
            acted = acts[:, position]
            assert stats.binomtest(int(acted.sum()), len(acted), probability).pvalue > 1e-4
        if all(0 < probability < 1 for _, probability, _ in sub_policy):  # and the two act independently
            table = np.histogram2d(acts[:, 0], acts[:, 1], bins=2)[0]
            assert stats.chi2_contingency(table).pvalue > 1e-4


def test_sub_policies_offsets_centres_signs_and_flips_are_uniform(plan):
    assert_uniform(plan["sub_policy"], 95)
    for name, count in (("crop_row", 8), ("crop_column", 8), ("cutout_row", 32), ("cutout_column", 32), ("flip", 2)):
        assert_uniform(plan[name], count)
    for name, count in (("negate", 2), ("center_row", 32), ("center_column", 32)):
        for position in (0, 1):
            assert_uniform(plan["steps"][name][:, position], count)


def test_choices_are_independent_of_each_other(plan):
    steps = plan["steps"]
    columns = [plan[name] for name in ("sub_policy", "crop_row", "crop_column", "flip", "cutout_row", "cutout_column")]
    columns += [steps[name][:, position] for name in ("negate", "center_row", "center_column") for position in (0, 1)]
    correlations = np.corrcoef(np.array(columns, float))[np.triu_indices(len(columns), 1)]
    assert np.abs(correlations).max() < 4.5 / np.sqrt(N)


def test_a_plan_is_fixed_by_seed_and_epoch():
    plans = [
        augment.sample_plan(augment.epoch_generator(seed, epoch), 50).tobytes()
        for seed, epoch in ((0, 0), (0, 0), (0, 1), (1, 0), (1, 1), (2**64 - 1, 0))
    ]
    assert plans[0] == plans[1]
    assert len(set(plans)) == 5


def test_without_a_policy_crop_flip_and_cutout_are_the_same_and_nothing_acts():
    with_policy = augment.sample_plan(augment.epoch_generator(0, 0), 1000)
    without = augment.sample_plan(augment.epoch_generator(0, 0), 1000, ())
    for name in ("crop_row", "crop_column", "flip", "cutout_row", "cutout_column"):
        np.testing.assert_array_equal(with_policy[name], without[name])
    assert not without["steps"]["acts"].any()
    assert (without["sub_policy"] == -1).all()


@pytest.mark.parametrize(
    ("seed", "policy", "message"),
    [
        (0, ((("Blur", 0.5, 1), ("Color", 0.5, 1)),), "op, one of ShearX.*op='Blur'"),
        (0, ((("Color", 0.5, 10), ("Color", 0.5, 1)),), "level, an integer in 0…9. Received: level=10"),
        (0, ((("Color", 1.5, 1), ("Color", 0.5, 1)),), "probability in 0…1. Received: Color with probability 1.5"),
        (0, ((("Color", 0.5, 1),),), "two operations in each sub-policy. Received: "),
        (-1, (), "seed, an integer in .* Received: seed=-1"),
    ],
)
def test_wrong_policies_and_seeds_are_named(seed, policy, message):
    with pytest.raises(ValueError, match=message):
        augment.sample_plan(augment.epoch_generator(seed, 0), 4, policy)
