"""What the processes of a cluster train, as bytes: in the file that the chief reads, and in its message to workers.

The file has no name, so nothing is left of it when the processes end, for whatever reason.
"""

import dataclasses
import io
import json
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from autoaug.datasets import Dataset, LabelledImages
from autoaug.recipes import Recipe
from autoaug.training.options import RunOptions


class Assignment(NamedTuple):
    """A run to train. The data set comes without its test part, and the test sets come without their source."""

    recipe: Recipe
    dataset: Dataset
    options: RunOptions
    test_sets: Sequence[LabelledImages] = ()
    first_step: int = 0
    """The step with which the other workers begin."""


def pack(assignment: Assignment) -> bytes:
    """The assignment as bytes."""
    dataset = assignment.dataset
    texts = {
        "recipe": dataclasses.asdict(assignment.recipe),
        "options": dataclasses.asdict(assignment.options) | {"run_dir": str(assignment.options.run_dir)},
        "dataset": {"name": dataset.name, "class_names": dataset.class_names, "source": dataset.source},
        "test_sets": [test.name for test in assignment.test_sets],
        "first_step": assignment.first_step,
    }
    arrays = {name: getattr(dataset, name) for name in ("train_images", "train_labels", "mean", "std")}
    for number, test in enumerate(assignment.test_sets):
        arrays |= {f"test_images_{number}": test.images, f"test_labels_{number}": test.labels}
    buffer = io.BytesIO()
    np.savez(buffer, texts=json.dumps(texts), **arrays)
    return buffer.getvalue()


def unpack(content: bytes) -> Assignment:
    """The assignment that `pack` has written."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        texts: dict[str, Any] = json.loads(str(arrays["texts"]))
        images, labels, mean, std = (arrays[name] for name in ("train_images", "train_labels", "mean", "std"))
        test_sets = [
            LabelledImages(name, arrays[f"test_images_{number}"], arrays[f"test_labels_{number}"])
            for number, name in enumerate(texts["test_sets"])
        ]
    names, options = texts["dataset"], texts["options"]
    dataset = Dataset(
        names["name"], images, labels, images[:0], labels[:0], tuple(names["class_names"]), mean, std, names["source"]
    )
    options = RunOptions(**options | {"run_dir": pathlib.Path(options["run_dir"])})
    return Assignment(Recipe(**texts["recipe"]), dataset, options, test_sets, texts["first_step"])
