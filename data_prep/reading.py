"""Reads the published files of a data set without unpickling: batches, .npy and .npz."""

import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autoaug import datasets
from autoaug.datasets import DatasetError
from data_prep import copies
from data_prep.folders import Part


def read_published(name: str, paths: Sequence[pathlib.Path]) -> tuple[dict[str, Part], list[str]]:
    """The parts of a published data set.

    Args:
        name: of the set, as in `sources.FILES`.
        paths: of its files or unpacked folders, in that order.

    Returns:
        "training" (if there is one) and "test" → images and labels; and notes for the manifest: what was not read in
        the files, or is not as expected.

    Raises:
        DatasetError: the message names the file, what was expected and what was received.
    """
    spec = datasets.DATASETS[name]
    if paths[0].is_dir() and copies.is_parquet(paths[0]):
        return copies.read_parquet(name, paths[0]), []
    if paths[0].is_dir():
        training = datasets.read_images(paths[0], spec.training_files, spec.train_size, spec)
        return {
            "training": training,
            "test": datasets.read_images(paths[0], (spec.test_file,), spec.test_size, spec),
        }, []
    if paths[0].suffix == ".npy":
        images, labels = (load_arrays(path, lambda array: array[...]) for path in paths)
        return {"test": _checked(paths[0], images, labels, spec.test_size, spec.num_classes)}, []
    parts, notes = {}, []
    for part, path in zip(("training", "test")[-len(paths) :], paths, strict=True):
        size = spec.train_size if part == "training" else spec.test_size
        images, labels = load_arrays(path, lambda arrays: (arrays["images"], arrays["labels"]))
        parts[part] = _checked(path, images, labels, size, spec.num_classes)
        notes += _label_names(path, datasets.CLASS_NAMES[spec.family])
    return parts, notes


def content_hashes(name: str, path: pathlib.Path) -> dict[str, str]:
    """Part → `datasets.content_hash` of a published set, from its file or folder; raises what `read_published` does."""
    parts, _ = read_published(name, [path])
    return {part: datasets.content_hash(images, labels) for part, (images, labels) in parts.items()}


def load_arrays(path: pathlib.Path, choose: Callable[[Any], Any]) -> Any:
    """The value of `choose` for the array of an .npy file, or for the arrays of an .npz file.

    Raises:
        DatasetError: the file is missing or damaged, or holds an array of objects, which is a pickle.
    """
    try:
        with path.open("rb") as file:
            return choose(np.load(file, allow_pickle=False))
    except Exception as error:  # NumPy and zipfile raise a dozen kinds of errors for damaged files
        raise DatasetError(f"{path}: Expected NumPy arrays. Received: {error}") from error


def _checked(path: pathlib.Path, images: Any, labels: Any, size: int, num_classes: int) -> Part:
    """The arrays, labels as int64, if they are `size` images with labels in 0…num_classes - 1."""
    labels = np.ravel(labels)
    if images.dtype != np.uint8 or images.shape != (size, 32, 32, 3):
        raise DatasetError(
            f"{path}: Expected images, uint8 {(size, 32, 32, 3)}. Received: {images.dtype} {images.shape}"
        )
    expected = f"{path}: Expected {size} whole labels in 0…{num_classes - 1}. Received: "
    if labels.dtype.kind not in "iu" or labels.shape != (size,):
        raise DatasetError(f"{expected}{labels.dtype} {labels.shape}")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise DatasetError(f"{expected}{labels.min()}…{labels.max()}")
    return images, labels.astype(np.int64)


def _label_names(path: pathlib.Path, expected: Sequence[str]) -> list[str]:
    """A note, unless the names of the classes are the expected ones in the expected order."""
    try:
        names = load_arrays(path, lambda arrays: [str(name) for name in arrays["label_names"].tolist()])
    except DatasetError:
        return [f"{path.name}: label_names could not be read without unpickling; assumed to be in CIFAR-10's order"]
    return [] if names == list(expected) else [f"{path.name}: label_names are {', '.join(names)[:200]}"]
