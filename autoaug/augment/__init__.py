"""AutoAugment on 32×32 images. All random choices are drawn first, as a plan; a compiled kernel then applies the plan.

For each image, in this order: one sub-policy of two operations, zero padding by 4 and a crop, a left-right flip, a
16×16 cutout. Padding, cutout and transparent pixels are zero after normalisation, which is the channel mean.
"""

import functools
import numbers
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Shaped, UInt8

from autoaug.augment import kernel, policies
from autoaug.augment.geometry import geometric_sources
from autoaug.augment.kernel import AREA, PADDING, SIDE
from autoaug.augment.policies import Policy

# One operation on one image. Only the five geometric operations read `negate`, and only Cutout the centre.
STEP = np.dtype(
    [
        ("operation", np.int8),  # number in policies.Operation
        ("level", np.int8),
        ("acts", np.bool_),
        ("negate", np.bool_),
        ("center_column", np.int8),
        ("center_row", np.int8),
    ]
)

# The choices for one image.
PLAN = np.dtype(
    [
        ("sub_policy", np.int16),  # its index; −1 without a policy
        ("steps", STEP, 2),  # the sub-policy's two operations
        ("crop_row", np.int8),  # 0…7; 4 is the centre
        ("crop_column", np.int8),
        ("flip", np.bool_),
        ("cutout_row", np.int8),  # the centre of the final cutout, 0…31
        ("cutout_column", np.int8),
    ]
)

_geometric_sources = functools.cache(geometric_sources)


def epoch_generator(seed: int, epoch: int) -> np.random.Generator:
    """The random generator of one epoch's plan: Philox, keyed by two integers in 0…2⁶⁴−1."""
    for name, value in (("seed", seed), ("epoch", epoch)):
        if not 0 <= value < 2**64:
            raise ValueError(f"Expected {name} in 0…2⁶⁴−1. Received: {name}={value}")
    return np.random.Generator(np.random.Philox(key=np.array([seed, epoch], np.uint64)))


def sample_plan(rng: np.random.Generator, n: int, policy: Policy = policies.CIFAR10) -> Shaped[np.ndarray, " n"]:
    """Draws every random choice for n images.

    Args:
        rng: such as `epoch_generator(seed, epoch)`.
        n: number of images.
        policy: `()` for crop, flip and cutout only. These are drawn first, so they are the same with every policy.

    Returns: structured array of type PLAN.
    """
    plan = np.zeros(n, PLAN)
    plan["crop_row"], plan["crop_column"] = rng.integers(0, 2 * PADDING, (2, n))  # 8, the last offset, is never drawn
    plan["flip"] = rng.integers(0, 2, n)
    plan["cutout_row"], plan["cutout_column"] = rng.integers(0, SIDE, (2, n))
    plan["sub_policy"] = -1
    if policy:
        table, probability = _policy_arrays(policy)
        plan["sub_policy"] = sub_policy = rng.integers(0, len(policy), n)
        steps = table[sub_policy]
        steps["acts"] = rng.random((n, 2)) < probability[sub_policy]
        steps["negate"] = rng.integers(0, 2, (n, 2))
        steps["center_column"], steps["center_row"] = rng.integers(0, SIDE, (2, n, 2))
        plan["steps"] = steps
    return plan


def _policy_arrays(policy: Policy) -> tuple[Shaped[np.ndarray, "policies 2"], Float64[np.ndarray, "policies 2"]]:
    """The operations and levels, of type STEP, and the probabilities."""
    steps = np.zeros((len(policy), 2), STEP)
    probability = np.empty((len(policy), 2))
    for index, sub_policy in enumerate(policy):
        if len(sub_policy) != 2:
            raise ValueError(f"Expected two operations in each sub-policy. Received: {sub_policy}")
        for position, (name, chance, level) in enumerate(sub_policy):
            steps[index, position]["operation"] = _operation_number(name)
            steps[index, position]["level"] = _checked_integer("level", level, policies.LEVELS)
            if not 0 <= chance <= 1:
                raise ValueError(f"Expected a probability in 0…1. Received: {name} with probability {chance}")
            probability[index, position] = chance
    return steps, probability


def augment_batch(
    images: UInt8[np.ndarray, "n 32 32 3"],
    plan: Shaped[np.ndarray, " n"],
    mean: Float[np.ndarray, "3"],
    std: Float[np.ndarray, "3"],
    out: Float32[np.ndarray, "n 32 32 3"] | None = None,
    threads: int = 1,
) -> Float32[np.ndarray, "n 32 32 3"]:
    """Augments and normalises images. The same plan gives the same bits with any division into batches or threads.

    Args:
        images: to augment.
        plan: from `sample_plan`.
        mean, std: the training set's, as fractions of 255.
        out: C-contiguous array to write to; a new array if None.
        threads: Python threads that share the batch; the kernel releases the interpreter's lock.

    Raises:
        ValueError: an argument is not as described.
    """
    images = _checked_images(images)
    n = len(images)
    steps = _checked_steps(plan, n)
    if threads < 1:
        raise ValueError(f"Expected threads ≥ 1. Received: threads={threads}")
    out = _checked_out(np.empty(images.shape, np.float32) if out is None else out, images.shape)
    normalization = np.ascontiguousarray(_normalization(mean, std).T)
    pixels = np.require(images, requirements=["C", "W"]).reshape(n, AREA, 3)
    plan = np.require(plan, requirements=["C", "W"])  # one memory layout for all calls: the kernel is compiled once

    def augment(part: slice) -> None:
        kernel.augment_images(pixels[part], steps[part], plan[part], normalization, _geometric_sources(), out[part])

    if threads == 1:
        augment(slice(None))
        return out
    bounds = np.linspace(0, n, 4 * threads + 1).astype(int)  # several parts a thread, as some images take longer
    parts = map(slice, bounds[:-1], bounds[1:])

    def augment_parts() -> None:
        for part in parts:
            augment(part)

    with ThreadPoolExecutor(threads - 1) as pool:
        others = [pool.submit(augment_parts) for _ in range(threads - 1)]
        augment_parts()
    for other in others:
        other.result()
    return out


def normalize(
    images: UInt8[np.ndarray, "n 32 32 3"], mean: Float[np.ndarray, "3"], std: Float[np.ndarray, "3"]
) -> Float32[np.ndarray, "n 32 32 3"]:
    """(value/255 − mean)/std, with the same rounding as in `augment_batch`."""
    return _normalization(mean, std)[_checked_images(images), np.arange(3)]


def apply_operations(
    image: UInt8[np.ndarray, "32 32 3"], operations: Sequence[Mapping[str, Any]]
) -> tuple[UInt8[np.ndarray, "32 32 3"], Bool[np.ndarray, "32 32"]]:
    """Applies operations to one image, with the same code as `augment_batch`.

    Args:
        image: to change.
        operations: dicts with `op` (a name in `policies.Operation`), `level` (0…9), for the geometric operations
            `negate` (bool, default False), for Cutout `center` (column, row; each 0…31).

    Returns:
        The image, and where it is opaque; the other pixels are zero after normalisation.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.shape != (SIDE, SIDE, 3):
        raise ValueError(f"Expected image: uint8 [32, 32, 3]. Received: {image.dtype} {image.shape}")
    steps = np.zeros(len(operations), STEP)
    for step, operation in zip(steps, operations, strict=True):
        _fill_step(step, operation)
    pixels = np.empty(AREA, np.uint32)
    table = np.empty((3, 256), np.uint8)
    kernel.pack(np.require(image, requirements=["C", "W"]).reshape(AREA, 3), pixels)
    if kernel.apply_steps(pixels, table, steps, _geometric_sources()):
        kernel.apply_table(pixels, table)
    red_green_blue_alpha = pixels.astype("<u4").view(np.uint8).reshape(SIDE, SIDE, 4)
    return red_green_blue_alpha[..., :3].copy(), red_green_blue_alpha[..., 3] == 255


def _fill_step(step: Any, operation: Mapping[str, Any]) -> None:
    if not {"op", "level"} <= operation.keys() <= {"op", "level", "negate", "center"}:
        raise ValueError(f"Expected 'op' and 'level', perhaps 'negate' and 'center'. Received: {operation}")
    center = operation.get("center")
    if operation["op"] == "Cutout" and center is None:
        raise ValueError("Expected a center (column, row) for Cutout. Received: center=None")
    step["operation"] = _operation_number(operation["op"])
    step["level"] = _checked_integer("level", operation["level"], policies.LEVELS)
    step["acts"] = True
    step["negate"] = operation.get("negate", False)
    if center is not None:
        step["center_column"] = _checked_integer("center column", center[0], SIDE)
        step["center_row"] = _checked_integer("center row", center[1], SIDE)


def _normalization(mean: Any, std: Any) -> Float32[np.ndarray, "256 3"]:
    """(value/255 − mean)/std, computed in float64 and rounded once."""
    mean, std = np.asarray(mean, np.float64), np.asarray(std, np.float64)
    if mean.shape != (3,) or std.shape != (3,) or not (std > 0).all():
        raise ValueError(f"Expected mean and std > 0 of 3 channels. Received: mean={mean}, std={std}")
    return ((np.arange(256)[:, None] / 255 - mean) / std).astype(np.float32)


def _operation_number(name: str) -> int:
    if name not in policies.Operation.__members__:
        raise ValueError(f"Expected op to be one of {', '.join(policies.Operation.__members__)}. Received: op={name!r}")
    return policies.Operation[name]


def _checked_integer(name: str, value: Any, end: int) -> int:
    if not isinstance(value, numbers.Integral):
        raise ValueError(f"Expected an integer {name}. Received: {name}={value}")
    number = int(value)
    if not 0 <= number < end:
        raise ValueError(f"Expected {name} in 0…{end - 1}. Received: {name}={number}")
    return number


def _checked_images(images: Any) -> UInt8[np.ndarray, "n 32 32 3"]:
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE, 3):
        raise ValueError(f"Expected images: uint8 [n, 32, 32, 3]. Received: {images.dtype} {images.shape}")
    return images


def _checked_out(out: np.ndarray, shape: tuple[int, ...]) -> Float32[np.ndarray, "n 32 32 3"]:
    if out.shape != shape or out.dtype != np.float32 or not out.flags.carray:
        raise ValueError(f"Expected out: writable, C-contiguous, float32 {shape}. Received: {out.dtype} {out.shape}")
    return out


def _checked_steps(plan: Any, n: int) -> Shaped[np.ndarray, "n 2"]:
    """The plan's steps, after a check of all numbers that the kernel uses as indices."""
    plan = np.asarray(plan)
    if plan.dtype != PLAN or plan.shape != (n,):
        raise ValueError(f"Expected a plan from sample_plan for {n} images. Received: {plan.dtype} {plan.shape}")
    steps = np.ascontiguousarray(plan["steps"])
    for name, end in (("operation", len(policies.Operation)), ("level", policies.LEVELS)):
        for extreme in (np.min, np.max):
            _checked_integer(f"{name} in the plan", extreme(steps[name], initial=0), end)
    return steps
