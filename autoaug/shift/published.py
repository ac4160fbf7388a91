"""Numbers published by others, from `results/published`: right answers image by image, accuracies, lines, and the
accuracies that their line predicts on CIFAR-10.2. Sources: results/published/README.md.
"""

import pathlib
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool

from autoaug.shift.line_fit import SCALES

CAVEAT = (
    "None of these models was trained on the reproduction, so they cannot tell a test set that is harder from one that "
    "is different."
)
"""For the captions of figures and tables that rest on published models alone."""

EXPECTATION = (
    "An expectation, not a measurement: it comes from a probit line that was published for at least 150 other models."
)
"""For the captions of figures and tables that show `expected_accuracies`."""


class RightAnswers(NamedTuple):
    """Names of the `models`, and `right`: test set → whether each model is right about each image, in its order."""

    models: tuple[str, ...]
    right: dict[str, Bool[np.ndarray, "models images"]]


def read_right(path: pathlib.Path) -> RightAnswers:
    """The right answers in `cifar10.1-right.npz`, as bits of each model and image.

    Raises:
        ValueError: the file holds something else.
    """
    with np.load(path, allow_pickle=False) as arrays:
        if "models" not in arrays:
            raise ValueError(f"{path}: Expected models and right/<test set>. Received: {', '.join(arrays)}")
        models = tuple(str(model) for model in arrays["models"])
        right = {}
        for name in (key.removeprefix("right/") for key in arrays if key.startswith("right/")):
            bits, images = arrays[f"right/{name}"], int(arrays[f"images/{name}"])
            if bits.shape != (len(models), -(-images // 8)):
                expected = f"Expected right/{name} for {len(models)} models and {images} images"
                raise ValueError(f"{path}: {expected}. Received: {bits.shape}")
            right[name] = np.unpackbits(bits, axis=1, count=images).astype(bool)
    return RightAnswers(models, right)


def expected_accuracies(accuracies: pd.DataFrame, lines: pd.DataFrame, test_set: str) -> pd.DataFrame:
    """The accuracies on another test set that the published line predicts from accuracies on CIFAR-10.

    Args:
        accuracies: table with the columns model and accuracy, on CIFAR-10, as `autoaugment-accuracies.csv`.
        lines: table of `lines.csv`, with the columns test_set, scale, slope and intercept.
        test_set: one of its test sets.

    Returns:
        Table with the columns model, accuracy, and `expected`. The line came without intervals, so there are none.

    Raises:
        ValueError: no line, or more than one, was published for the test set.
    """
    chosen = lines[lines["test_set"] == test_set]
    if len(chosen) != 1:
        raise ValueError(f"Expected test_set, one of {', '.join(lines['test_set'])}. Received: {test_set!r}")
    line = chosen.iloc[0]
    to, back = SCALES[line["scale"]]
    expected = back(line["intercept"] + line["slope"] * to(accuracies["accuracy"].to_numpy(float)))
    return accuracies[["model", "accuracy"]].assign(expected=expected)
