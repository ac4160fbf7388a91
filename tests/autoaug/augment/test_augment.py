"""The compiled kernel against Pillow and the reference's cases: equal in every bit."""

import json

import hypothesis
import numpy as np
import pillow_oracle
import pytest
from hypothesis import strategies

from autoaug import augment
from autoaug.augment import policies
from autoaug.files import ROOT

SHARED = ROOT.parent / "shared"
MEAN, STD = np.array([0.4914, 0.4822, 0.4465]), np.array([0.2470, 0.2435, 0.2616])
NAMES = [operation.name for operation in policies.Operation]

IMAGE_KINDS = {
    "photograph": pillow_oracle.photograph,
    "noise": lambda rng: rng.integers(0, 256, (32, 32, 3)),
    "narrow noise": lambda rng: rng.integers(100, 104, (32, 32, 3)),
    "constant": lambda rng: np.full((32, 32, 3), rng.integers(0, 256, 3)),
    "two values": lambda rng: rng.choice(rng.integers(0, 256, 2), (32, 32, 3)),
    "one other pixel": lambda rng: np.where(np.arange(3072).reshape(32, 32, 3) < 3, 255, rng.integers(0, 256)),
    "gradient": lambda rng: np.linspace(rng.integers(0, 256, (1, 3)), rng.integers(0, 256, (32, 3)), 32, axis=1),
}


def image_of(kind, rng):
    return IMAGE_KINDS[kind](rng).astype(np.uint8)


def random_operation(rng):
    return {
        "op": NAMES[rng.integers(len(NAMES))],
        "level": int(rng.integers(10)),
        "negate": bool(rng.integers(2)),
        "center": tuple(rng.integers(0, 32, 2).tolist()),
    }


def assert_equals_pillow(image, operations):
    expected = pillow_oracle.apply_with_pillow(image, operations)
    result, opaque = augment.apply_operations(image, operations)
    assert np.array_equal(result, expected[..., :3]), f"colours after {operations}"
    assert np.array_equal(opaque, expected[..., 3] == 255), f"transparency after {operations}"


def batch(n, seed=0, policy=policies.CIFAR10):
    rng = np.random.default_rng(seed)
    images = np.stack([image_of(rng.choice(list(IMAGE_KINDS)), rng) for _ in range(n)])
    return images, augment.sample_plan(augment.epoch_generator(seed, 0), n, policy)


def assert_same_bits(result, expected):
    np.testing.assert_array_equal(result.view(np.uint32), expected.view(np.uint32))


def test_every_case_of_the_reference_is_equal():
    path = SHARED / "reference" / "augment.npz"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    with np.load(path) as reference:
        images, outputs, cases = reference["images"], reference["outputs"], json.loads(str(reference["cases"]))
    assert len(cases) == len(outputs) == 985
    for case, output in zip(cases, outputs, strict=True):
        image, opaque = augment.apply_operations(images[case["image"]], case["ops"])
        np.testing.assert_array_equal(image, output[..., :3], err_msg=str(case))
        np.testing.assert_array_equal(opaque, output[..., 3] == 255, err_msg=str(case))
        expected = pillow_oracle.apply_with_pillow(images[case["image"]], case["ops"])
        np.testing.assert_array_equal(expected, output, err_msg=f"the tests' Pillow, {case}")


@pytest.mark.parametrize("kind", IMAGE_KINDS)
def test_each_operation_at_each_level_and_sign_equals_pillow(kind):
    rng = np.random.default_rng(1)
    for name in NAMES:
        for level in range(policies.LEVELS):
            for negate in (False, True):
                center = tuple(rng.integers(0, 32, 2).tolist())
                operation = {"op": name, "level": level, "negate": negate, "center": center}
                assert_equals_pillow(image_of(kind, rng), [operation])


@hypothesis.settings(max_examples=250, deadline=None)
@hypothesis.given(strategies.integers(0, 2**32 - 1), strategies.sampled_from(sorted(IMAGE_KINDS)))
def test_chains_of_operations_equal_pillow(seed, kind):
    rng = np.random.default_rng(seed)
    for _ in range(50):  # × 250 examples: 12,500 images and chains
        assert_equals_pillow(image_of(kind, rng), [random_operation(rng) for _ in range(rng.integers(1, 5))])


@pytest.mark.parametrize("certain", [False, True])
def test_each_sub_policy_equals_pillow(certain):
    """From uint8 to the normalised float, with crop, flip and cutout; `certain`: both operations act."""
    for index, sub_policy in enumerate(policies.CIFAR10):
        policy = tuple((name, 1.0 if certain else chance, level) for name, chance, level in sub_policy)
        images, plan = batch(14, seed=index, policy=(policy,))
        expected = [pillow_oracle.augment_with_pillow(*row, MEAN, STD) for row in zip(images, plan, strict=True)]
        assert_same_bits(augment.augment_batch(images, plan, MEAN, STD), np.stack(expected))


@pytest.mark.parametrize("policy", [policies.CIFAR10, ()])
def test_split_and_order_change_no_bit_nor_does_it_change_its_input(policy):
    images, plan = batch(101, policy=policy)
    images.flags.writeable = plan.flags.writeable = False
    expected = augment.augment_batch(images, plan, MEAN, STD)
    parts = [augment.augment_batch(images[i : i + 7], plan[i : i + 7], MEAN, STD) for i in range(0, 101, 7)]
    assert_same_bits(np.concatenate(parts), expected)
    backwards = augment.augment_batch(images[::-1], plan[::-1], MEAN, STD)
    assert_same_bits(np.ascontiguousarray(backwards[::-1]), expected)


def test_an_empty_batch_and_no_operations():
    images, plan = batch(3)
    for some in (images[:0], images):
        assert augment.augment_batch(some, plan[: len(some)], MEAN, STD).shape == some.shape
    assert len(augment.kernel.augment_images.signatures) == 1  # so the set-up, without images, compiles it for all
    image, opaque = augment.apply_operations(images[0], [])
    np.testing.assert_array_equal(image, images[0])
    assert opaque.all()


ZEROS = np.zeros((3, 32, 32, 3), np.uint8)


def of_batch(**change):
    """`augment_batch` on three images, with an argument changed."""
    images, plan = batch(3)
    return augment.augment_batch(**{"images": images, "plan": plan, "mean": MEAN, "std": STD} | change)


def of_operation(**operation):
    return augment.apply_operations(ZEROS[0], [operation])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: of_batch(images=ZEROS.astype(float)), "images: uint8.*float64"),
        (lambda: of_batch(images=ZEROS[..., 0]), r"images: uint8.*\(3, 32, 32\)"),
        (lambda: of_batch(images=ZEROS[:2]), r"plan .*for 2 images.*\(3,\)"),
        (lambda: of_batch(plan=np.zeros(3)), "plan .*for 3 images.*float64"),
        (lambda: of_batch(plan=np.full(3, 99, augment.PLAN)), "operation in the plan, .* 0…14. Received: .*=99"),
        (lambda: of_batch(mean=[0.5, 0.5]), "3 channels"),
        (lambda: of_batch(std=[0.2, 0.2, 0]), "std > 0"),
        (lambda: of_operation(op="Rotate", level=11), "level, an integer in 0…9. Received: level=11"),
        (lambda: of_operation(op="Rotate", level=2.5), "level, an integer .*Received: level=2.5"),
        (lambda: of_operation(op="Blur", level=1), "one of ShearX.* Received: op='Blur'"),
        (lambda: of_operation(op="Cutout", level=1), "center .*for Cutout. Received: center=None"),
        (lambda: of_operation(op="Cutout", level=1, center=(32, 0)), "center, an integer in 0…31. Received: center=32"),
        (lambda: of_operation(op="Rotate"), "'op' and 'level'.*Received: {'op': 'Rotate'}"),
        (lambda: of_operation(op="Rotate", level=1, sign=-1), "'op' and 'level'.*'sign'"),
        (lambda: augment.apply_operations(ZEROS[0, :8, :8], []), r"image: uint8 .* Received: uint8 \(8, 8, 3\)"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("wrong_types")
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
