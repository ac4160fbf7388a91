"""Every random choice of the augmentation, drawn as a plan before anything is computed."""

import numbers
from typing import Any

import numpy as np
from jaxtyping import Float64, Shaped

from autoaug.augment import policies
from autoaug.augment.kernel import PADDING, SIDE
from autoaug.augment.policies import Operation, Policy
from autoaug.recipes import require_known

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


def epoch_generator(seed: int, epoch: int) -> np.random.Generator:
    """The random generator of one epoch's plan: Philox, keyed by two integers in 0…2⁶⁴−1."""
    key = [checked_integer(name, value, 2**64) for name, value in (("seed", seed), ("epoch", epoch))]
    return np.random.Generator(np.random.Philox(key=np.array(key, np.uint64)))


def sample_plan(rng: np.random.Generator, n: int, policy: Policy = policies.CIFAR10) -> Shaped[np.ndarray, " n"]:
    """Draws every random choice for n images: a structured array of type PLAN.

    Args:
        rng: such as `epoch_generator(seed, epoch)`.
        policy: `()` for crop, flip and cutout only. These are drawn first, so they are the same with every policy.
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
            set_operation(steps[index, position], name, level)
            if not 0 <= chance <= 1:
                raise ValueError(f"Expected a probability in 0…1. Received: {name} with probability {chance}")
            probability[index, position] = chance
    return steps, probability


def set_operation(step: Any, name: str, level: Any) -> None:
    """Writes an operation and its level into a STEP; ValueError unless there are such."""
    require_known("op", name, Operation.__members__)
    step["operation"], step["level"] = Operation[name], checked_integer("level", level, policies.LEVELS)


def checked_integer(name: str, value: Any, end: int) -> int:
    """The value as an int; ValueError unless it is an integer in 0…end−1."""
    if not isinstance(value, numbers.Integral) or not 0 <= int(value) < end:
        raise ValueError(f"Expected {name}, an integer in 0…{end - 1}. Received: {name}={value}")
    return int(value)
