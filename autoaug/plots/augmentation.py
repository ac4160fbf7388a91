"""The augmentation as the network sees it: pictures in which transparent pixels have the training set's mean colour."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from autoaug import augment, plots
from autoaug.augment import policies

CENTRE = (16, 16)  # of Cutout where only one picture is shown


def augmented(image, operations, mean):
    """`image`, uint8 [32, 32, 3], after `operations`; `mean` float [3] as a fraction of 255."""
    colours, opaque = augment.apply_operations(image, operations)
    return np.where(opaque[..., None], colours, np.rint(np.multiply(mean, 255)).astype(np.uint8))


def displayable(batch, mean, std):
    """Normalised float32 [n, 32, 32, 3] as uint8, the inverse of `augment.normalize`."""
    return np.rint((batch * np.asarray(std) + mean) * 255).astype(np.uint8)


def operation(images, mean, image_index, name, level, negate=False, ax=None):
    """One of the images, the same after one operation, and their absolute difference, enlarged."""
    image = images[image_index]
    after = augmented(image, [_operation(name, level, negate)], mean)
    difference = np.abs(after.astype(int) - image).astype(np.uint8)
    ax = plt.subplots(figsize=(6, 2.5), layout="constrained")[1] if ax is None else ax
    return plots.image_grid([image, after, difference], [f"image {image_index}", f"{name} {level}", "difference"], ax)


def operations_by_level(image, mean, operations=policies.Operation, negate=False, ax=None):
    """A row for each operation, levels 0 to 9 from left to right."""
    pictures, labels = [], []
    for operation in operations:
        for level in range(policies.LEVELS):
            pictures.append(augmented(image, [_operation(operation.name, level, negate)], mean))
            labels.append(str(level) if level else f"{operation.name} 0")
    return plots.image_grid(pictures, labels, ax, columns=policies.LEVELS)


def sub_policies(image, mean, policy=policies.CIFAR10, ax=None):
    """Every sub-policy with both of its operations acting, signs positive; probabilities are in the labels."""
    images, labels = [], []
    for sub_policy in policy:
        images.append(augmented(image, [_operation(name, level) for name, _, level in sub_policy], mean))
        labels.append("\n".join(f"{name} {level}, {probability}" for name, probability, level in sub_policy))
    if ax is None:  # larger than other grids, for the labels
        ax = plt.subplots(figsize=(10, 1.6 * math.ceil(len(policy) / 8)), layout="constrained")[1]
    return plots.image_grid(images, labels, ax, columns=8)


def effects(images, plan, mean):
    """What a plan does to its images, uint8 [n, 32, 32, 3], per operation.

    Returns: DataFrame indexed by operation: `share`, the fraction of the images on which it acts; `change`, the mean
    absolute difference that it alone makes to those, in levels of 0…255; `untouched`, the fraction of those that it
    leaves equal. The last two are not a number where it acts on none.
    """
    rows = {}
    for operation in policies.Operation:
        acts = plan["steps"]["acts"] & (plan["steps"]["operation"] == operation)
        changes = pd.Series(
            [
                np.abs(augmented(image, [_of_step(step)], mean).astype(int) - image).mean()
                for image, steps, chosen in zip(images, plan["steps"], acts, strict=True)
                for step in steps[chosen]
            ],
            dtype=float,
        )
        rows[operation.name] = acts.any(1).mean(), changes.mean(), (changes == 0).mean()
    return pd.DataFrame.from_dict(rows, orient="index", columns=["share", "change", "untouched"])


def _operation(name, level, negate=False, center=CENTRE):
    return {"op": name, "level": level, "negate": negate, "center": center}


def _of_step(step):
    center = step["center_column"], step["center_row"]
    return _operation(policies.Operation(step["operation"]).name, step["level"], step["negate"], center)
