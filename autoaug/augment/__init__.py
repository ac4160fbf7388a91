"""AutoAugment on 32×32 images. All random choices are drawn first, as a plan; a compiled kernel then applies the plan.

For each image, in this order: one sub-policy of two operations, zero padding by 4 and a crop, a left-right flip, a
16×16 cutout. Padding, cutout and transparent pixels are zero after normalisation, which is the channel mean.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Shaped, UInt8

from autoaug.augment import kernel, policies
from autoaug.augment.geometry import geometric_sources
from autoaug.augment.kernel import AREA, SIDE
from autoaug.augment.plan import PLAN, STEP, checked_integer, epoch_generator, sample_plan, set_operation

__all__ = ["PLAN", "STEP", "apply_operations", "augment_batch", "epoch_generator", "sample_plan"]


def augment_batch(
    images: UInt8[np.ndarray, "n 32 32 3"],
    plan: Shaped[np.ndarray, " n"],
    mean: Float[np.ndarray, "3"],
    std: Float[np.ndarray, "3"],
) -> Float32[np.ndarray, "n 32 32 3"]:
    """Augments and normalises images. The same plan gives the same bits with any division into batches.

    The interpreter's lock is released, so threads can augment batches side by side.

    Args:
        images: to change; the array stays as it is.
        plan: from `sample_plan`.
        mean, std: the training set's, as fractions of 255.
    """
    images = _checked("images", images)
    steps, out = _checked_steps(plan, len(images)), np.empty(images.shape, np.float32)
    normalization = np.ascontiguousarray(_normalization(mean, std).T)
    pixels = np.require(images, requirements=["C", "W"]).reshape(len(images), AREA, 3)
    plan = np.require(plan, requirements=["C", "W"])  # one memory layout for all calls: the kernel is compiled once
    kernel.augment_images(pixels, steps, plan, normalization, geometric_sources(), out)
    return out


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
    image = _checked("image", image, ndim=3)
    steps = np.zeros(len(operations), STEP)
    for step, operation in zip(steps, operations, strict=True):
        _fill_step(step, operation)
    pixels = np.empty(AREA, np.uint32)
    table = np.empty((3, 256), np.uint8)
    kernel.pack(np.require(image, requirements=["C", "W"]).reshape(AREA, 3), pixels)
    if kernel.apply_steps(pixels, table, steps, geometric_sources()):
        kernel.apply_table(pixels, table)
    red_green_blue_alpha = pixels.astype("<u4").view(np.uint8).reshape(SIDE, SIDE, 4)
    return red_green_blue_alpha[..., :3].copy(), red_green_blue_alpha[..., 3] == 255


def _fill_step(step: Any, operation: Mapping[str, Any]) -> None:
    if not {"op", "level"} <= operation.keys() <= {"op", "level", "negate", "center"}:
        raise ValueError(f"Expected 'op' and 'level', perhaps 'negate' and 'center'. Received: {operation}")
    center = operation.get("center")
    if operation["op"] == "Cutout" and center is None:
        raise ValueError("Expected a center (column, row) for Cutout. Received: center=None")
    set_operation(step, operation["op"], operation["level"])
    step["acts"] = True
    step["negate"] = operation.get("negate", False)
    if center is not None:
        step["center_column"], step["center_row"] = (checked_integer("center", value, SIDE) for value in center)


def _normalization(mean: Any, std: Any) -> Float32[np.ndarray, "256 3"]:
    """(value/255 − mean)/std, computed in float64 and rounded once."""
    mean, std = np.asarray(mean, np.float64), np.asarray(std, np.float64)
    if mean.shape != (3,) or std.shape != (3,) or not (std > 0).all():
        raise ValueError(f"Expected mean and std > 0 of 3 channels. Received: mean={mean}, std={std}")
    return ((np.arange(256)[:, None] / 255 - mean) / std).astype(np.float32)


def _checked(name: str, array: Any, ndim: int = 4) -> UInt8[np.ndarray, "..."]:
    """The array; ValueError unless it holds images of 32×32 pixels."""
    array = np.asarray(array)
    if array.dtype != np.uint8 or array.ndim != ndim or array.shape[-3:] != (SIDE, SIDE, 3):
        shape = "[n, 32, 32, 3]" if ndim == 4 else "[32, 32, 3]"
        raise ValueError(f"Expected {name}: uint8 {shape}. Received: {array.dtype} {array.shape}")
    return array


def _checked_steps(plan: Any, n: int) -> Shaped[np.ndarray, "n 2"]:
    """The plan's steps, after a check of all numbers that the kernel uses as indices."""
    plan = np.asarray(plan)
    if plan.dtype != PLAN or plan.shape != (n,):
        raise ValueError(f"Expected a plan from sample_plan for {n} images. Received: {plan.dtype} {plan.shape}")
    steps = np.ascontiguousarray(plan["steps"])
    for name, end in (("operation", len(policies.Operation)), ("level", policies.LEVELS)):
        for extreme in (np.min, np.max):
            checked_integer(f"{name} in the plan", extreme(steps[name], initial=0), end)
    return steps
