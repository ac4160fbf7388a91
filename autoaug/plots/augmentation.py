"""Pictures of the augmentation as the network sees it: transparent pixels have the training set's mean colour."""

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from ipywidgets import Checkbox, Dropdown, HBox, IntSlider, Layout, VBox, dlink, interactive_output
from jaxtyping import Float, Shaped, UInt8
from matplotlib.axes import Axes

from autoaug import augment, plots
from autoaug.augment import policies

CENTRE = (16, 16)  # of Cutout, in pictures of one operation


def augmented(
    image: UInt8[np.ndarray, "32 32 3"], operations: Sequence[Mapping[str, Any]], mean: Float[np.ndarray, "3"]
) -> UInt8[np.ndarray, "32 32 3"]:
    """The image after operations (see `augment.apply_operations`); `mean` is a fraction of 255."""
    colours, opaque = augment.apply_operations(image, operations)
    return np.where(opaque[..., None], colours, np.rint(np.multiply(mean, 255)).astype(np.uint8))


def operation(
    images: UInt8[np.ndarray, "n 32 32 3"],
    mean: Float[np.ndarray, "3"],
    image_index: int,
    name: str,
    level: int,
    negate: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """One of the images, the same image after one operation, and the enlarged absolute difference of the two."""
    image = images[image_index]
    after = augmented(image, [_operation(name, level, negate)], mean)
    difference = np.abs(after.astype(int) - image).astype(np.uint8)
    labels = [f"image {image_index}", f"{name} {level}", "difference"]
    return plots.image_grid(np.stack([image, after, difference]), labels, plots.axes(ax, 6, 2.5))


def operations_by_level(
    image: UInt8[np.ndarray, "32 32 3"],
    mean: Float[np.ndarray, "3"],
    operations: Iterable[policies.Operation] = policies.Operation,
    negate: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """A row for each operation, levels 0 to 9 from left to right."""
    pictures, labels = [], []
    for operation in operations:
        for level in range(policies.LEVELS):
            pictures.append(augmented(image, [_operation(operation.name, level, negate)], mean))
            labels.append(str(level) if level else f"{operation.name} 0")
    return plots.image_grid(np.stack(pictures), labels, ax, columns=policies.LEVELS)


def sub_policies(
    image: UInt8[np.ndarray, "32 32 3"],
    mean: Float[np.ndarray, "3"],
    policy: policies.Policy = policies.CIFAR10,
    ax: Axes | None = None,
) -> Axes:
    """Every sub-policy with both of its operations acting, signs positive; probabilities are in the labels."""
    images, labels = [], []
    for sub_policy in policy:
        images.append(augmented(image, [_operation(name, level) for name, _, level in sub_policy], mean))
        labels.append("\n".join(f"{name} {level}, {probability}" for name, probability, level in sub_policy))
    ax = plots.axes(ax, 10, 1.6 * math.ceil(len(policy) / 8))  # larger than other grids, for the labels
    return plots.image_grid(np.stack(images), labels, ax, columns=8)


def effects(
    images: UInt8[np.ndarray, "n 32 32 3"], plan: Shaped[np.ndarray, " n"], mean: Float[np.ndarray, "3"]
) -> pd.DataFrame:
    """What a plan (`augment.sample_plan`) does to its images, a row for each operation.

    `share` is the fraction of images on which it acts. About these only, NaN if there are none: `change`, the mean
    absolute change by this operation alone, in levels of 0…255; `untouched`, the fraction that it leaves equal.
    """
    rows = {}
    for operation in policies.Operation:
        acts = plan["steps"]["acts"] & (plan["steps"]["operation"] == operation)
        changed = [
            np.abs(augmented(image, [_of_step(step)], mean).astype(int) - image).mean()
            for image, steps, chosen in zip(images, plan["steps"], acts, strict=True)
            for step in steps[chosen]
        ]
        changes = pd.Series(changed, dtype=float)
        rows[operation.name] = acts.any(1).mean(), changes.mean(), (changes == 0).mean()
    return pd.DataFrame.from_dict(rows, orient="index", columns=["share", "change", "untouched"])


def plan_table(plan: Shaped[np.ndarray, " n"]) -> pd.DataFrame:
    """A plan as a table, a row for each image; a dash means that the operation does not act."""
    frame = pd.DataFrame({"sub-policy": plan["sub_policy"]})
    for place, steps in zip(("first", "second"), plan["steps"].T, strict=True):
        names = [f"{policies.Operation(step['operation']).name} {step['level']}" for step in steps]
        frame[f"{place} operation"] = np.where(steps["acts"], names, "–")
    return frame.assign(**{name.replace("_", " "): plan[name] for name in (plan.dtype.names or ())[2:]})


def choose(images: UInt8[np.ndarray, "n 32 32 3"], mean: Float[np.ndarray, "3"], **chosen: Any) -> VBox:
    """`operation` with widgets; `chosen`: its `image_index`, `name`, `level` and `negate` at the beginning."""
    wide, names = Layout(width="100%", max_width="900px"), list(policies.Operation.__members__)
    image = IntSlider(chosen["image_index"], 0, len(images) - 1, description="image", layout=wide)
    name = Dropdown(options=names, value=chosen["name"], description="operation")
    level = IntSlider(chosen["level"], 0, policies.LEVELS - 1, description="level")
    sign = Checkbox(chosen["negate"], description="other sign")
    dlink((name, "value"), (sign, "disabled"), lambda name: policies.Operation[name] not in policies.SIGNED)
    choices = {"image_index": image, "name": name, "level": level, "negate": sign}
    picture = interactive_output(functools.partial(operation, images, mean), choices)
    return VBox([image, HBox([name, level, sign]), picture])


def _operation(name: str, level: int, negate: bool = False, center: tuple[int, int] = CENTRE) -> dict[str, Any]:
    return {"op": name, "level": level, "negate": negate, "center": center}


def _of_step(step: Any) -> dict[str, Any]:
    center = int(step["center_column"]), int(step["center_row"])
    name = policies.Operation(step["operation"]).name
    return _operation(name, int(step["level"]), bool(step["negate"]), center)
