"""The augmentation operations and the AutoAugment policy for CIFAR-10, as data.

Source: Cubuk et al., "AutoAugment: Learning Augmentation Strategies from Data", CVPR 2019. The 95 sub-policies are
those of the authors' published code, in the same order; they are in `policy.csv`. A sub-policy is two `(operation,
probability, level)`, applied in turn.
"""

import csv
import enum
import pathlib

# An operation's number in plans is its place in this list; the compiled kernel relies on the order.
Operation = enum.IntEnum(
    "Operation",
    "ShearX ShearY TranslateX TranslateY Rotate AutoContrast Equalize Invert Posterize Solarize "
    "Color Contrast Brightness Sharpness Cutout",
    start=0,
)

SIGNED = tuple(Operation)[:5]
"""The geometric operations, whose magnitude gets a random sign."""

LEVELS = 10  # from 0 to 9

Policy = tuple[tuple[tuple[str, float, int], ...], ...]  # sub-policies, each two (operation, probability, level)

with pathlib.Path(__file__).with_name("policy.csv").open(newline="") as _file:
    CIFAR10: Policy = tuple(
        tuple((name, float(probability), int(level)) for name, probability, level in (row[:3], row[3:]))
        for row in list(csv.reader(_file))[1:]
    )

POLICIES: dict[str, Policy] = {"autoaugment": CIFAR10, "crop_flip_cutout": ()}
"""Name in `recipes.AUGMENTATIONS` → policy."""
