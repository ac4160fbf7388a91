"""Data sets of the user's own: pictures by class, arrays or batch files become a data set like the others.

What the catalogue says of a built-in set stands in the manifest (`autoaug.datasets.own`).
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autoaug import datasets
from autoaug.datasets import DatasetError
from autoaug.datasets import manifest as manifests
from autoaug.datasets.batch_file import read_batch, write_batch
from autoaug.recipes import did_you_mean
from data_prep import folders, pictures
from data_prep.folders import Part
from data_prep.reading import check_arrays, load_arrays

_KEYS = ("train", "test", "original", "title", "classes", "resize", "label_key")


def check(own: Any, data_dir: pathlib.Path) -> dict[str, dict[str, Any]]:
    """The descriptions of own sets: name → values of `_KEYS`, all there.

    Raises:
        DatasetError: a name or a value is not as expected; nothing is read from the user's files.
    """
    if not isinstance(own, Mapping):
        raise DatasetError(f"Expected own, such as {{my10: {{test: my/test, original: cifar10}}}}. Received: {own!r}")
    return {name: _check(name, said, list(own), data_dir) for name, said in own.items()}


def _check(name: Any, said: Any, names: list[Any], data_dir: pathlib.Path) -> dict[str, Any]:
    manifests.require_own_name(name)
    if not isinstance(said, Mapping):
        raise DatasetError(f"own, {name}: Expected values for {', '.join(_KEYS)}. Received: {said!r}")
    for key in said:
        if key not in _KEYS:
            meant = did_you_mean(str(key), _KEYS)
            raise DatasetError(f"own, {name}: Expected some of {', '.join(_KEYS)}. Received: {key!r}{meant}")
    values = {"train": [], "original": "", "title": name, "classes": [], "resize": "", "label_key": "labels", **said}
    for part in ("train", "test"):
        paths = values.get(part)
        paths = [paths] if isinstance(paths, str) else paths
        if (
            not isinstance(paths, list)
            or not all(isinstance(path, str) for path in paths)
            or (part, paths) == ("test", [])
        ):
            expected = "Expected a folder of pictures by class, an .npz file, or one or more batch files"
            raise DatasetError(f"own, {name}, {part}: {expected}. Received: {paths!r}")
        values[part] = [pathlib.Path(path).expanduser() for path in paths]
    if values["resize"] not in pictures.RESIZES:
        raise DatasetError(f"own, {name}, resize: Expected box, or nothing. Received: {values['resize']!r}")
    original, classes = values["original"], values["classes"]
    if original:
        if original not in names and (not isinstance(original, str) or original not in datasets.available(data_dir)):
            datasets.spec(original, data_dir)  # raises unless it is a built-in set, which may be built later
        if classes:
            raise DatasetError(f"own, {name}: Expected classes or original, whose classes it has. Received: both")
    elif not isinstance(classes, list) or len(classes) < 2 or not all(map(manifests.is_label, classes)):
        raise DatasetError(
            f"own, {name}: Expected original, the set that it reproduces, or classes, a list of names. "
            f"Received: original {original!r}, classes {classes!r}"
        )
    if not manifests.is_label(values["title"]) or len(values["title"]) > 60:
        raise DatasetError(f"own, {name}, title: Expected 1 to 60 visible characters. Received: {values['title']!r}")
    return values


def build(name: str, said: Mapping[str, Any], data_dir: pathlib.Path, rebuild: bool = False) -> str:
    """Writes `data_dir/<name>/training/` from the user's files.

    Args:
        name: of the set.
        said: its description, from `check`.
        data_dir: folder of the data sets.
        rebuild: whether to write the set again if it is damaged.

    Returns:
        "written", or "there already" if the folder holds the same images and labels.

    Raises:
        DatasetError: the user's files are not as described, or the folder holds other files.
    """
    family, class_names = name, tuple(said["classes"])
    if said["original"]:
        original = datasets.spec(said["original"], data_dir)
        family, class_names = original.family, original.class_names
    parts = {
        part: _read(said[key], class_names, said["resize"], said["label_key"], f"own, {name}, {key}")
        for part, key in (("training", "train"), ("test", "test"))
        if said[key]
    }
    described = {part: folders.describe(*arrays, len(class_names)) for part, arrays in parts.items()}
    sizes = {part: len(labels) for part, (_, labels) in parts.items()}
    recipe = {
        "name": name,
        "source": said["title"],
        "own": {
            "title": said["title"],
            "family": family,
            "classes": list(class_names),
            "original": said["original"],
            "train_size": sizes.get("training", 0),
            "test_size": sizes["test"],
        },
        "parts": described,
    }
    folder = datasets.training_folder(name, data_dir)
    condition = folders.condition(folder, recipe)
    if condition == "foreign" or (condition == "damaged" and not rebuild):
        remedy = "move them" if condition == "foreign" else "to write it again: -p rebuild True"
        raise DatasetError(f"{folder}: Expected nothing, or what was built here. Received: {condition} files; {remedy}")
    if condition == "whole":
        return "there already"
    overlap = _overlap(parts, said["original"], data_dir)
    folders.write(folder, recipe | {"overlap": overlap}, lambda partial: _write(name, partial, parts))
    return "written"


def _write(name: str, folder: pathlib.Path, parts: Mapping[str, Part]) -> dict[str, Any]:
    for part, (images, labels) in parts.items():
        write_batch(folder / f"{name}_{'train' if part == 'training' else 'test'}", images, labels)
    return {}


def _read(paths: Sequence[pathlib.Path], class_names: Sequence[str], resize: str, label_key: str, where: str) -> Part:
    """The images and labels of a folder of pictures, an .npz file, or batch files."""
    read = []
    for path in paths:
        if not path.exists():
            raise DatasetError(f"{where}: Expected a folder or file. Received: {path.absolute()}, which is not there")
        if path.is_dir():
            read.append(pictures.read_folder(path, class_names, resize))
        elif path.suffix == ".npz":
            images, labels = load_arrays(path, lambda arrays: (arrays["images"], arrays["labels"]))
            read.append(check_arrays(path, images, labels, len(class_names)))
        else:
            planes, labels = read_batch(path, None, label_key, len(class_names))
            read.append((planes.transpose(0, 2, 3, 1), labels))
    images, labels = zip(*read, strict=True)
    return np.ascontiguousarray(np.concatenate(images)), np.concatenate(labels)


def _overlap(parts: Mapping[str, Part], original: str, data_dir: pathlib.Path) -> dict[str, int]:
    """How many test images are among the training images, here and in the original, and repeat one another."""
    test = parts["test"][0]
    counts = {"test images that repeat another": int(datasets.repeated(test).sum())}
    if "training" in parts:
        counts["test images in its training part"] = int(datasets.overlap(test, parts["training"][0]).sum())
    if original in datasets.available(data_dir) and datasets.spec(original, data_dir).training_files:
        known = datasets.load(original, data_dir)
        counts[f"test images in the training part of {original}"] = int(
            datasets.overlap(test, known.train_images).sum()
        )
        counts[f"test images in the test part of {original}"] = int(datasets.overlap(test, known.test_images).sum())
    return counts
