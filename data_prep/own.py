"""Data sets of the user's own: pictures by class, arrays or batch files become a data set like the others.

What the catalogue says of a built-in set stands in the manifest (`autoaug.datasets.own`).
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from autoaug import datasets
from autoaug.datasets import DatasetError
from autoaug.datasets import manifest as manifests
from autoaug.datasets.batch_file import read_batch, write_batch
from data_prep import folders, pictures
from data_prep.folders import Part
from data_prep.reading import check_arrays, load_arrays

_Label = Annotated[datasets.Label, msgspec.Meta(max_length=60)]


class Described(msgspec.Struct, forbid_unknown_fields=True):
    """What the user says of a set.

    Args:
        test: a folder of pictures by class, an .npz file or a batch file; or a list of such.
        train: the same; empty for a test set only.
        original: the set that it reproduces, whose classes it has.
        classes: names of the classes, if there is no original.
        title: name for readers.
        resize: "box" scales pictures to 32×32.
        label_key: of labels in batch files.
    """

    test: str | list[str]
    train: str | list[str] = []
    original: str = ""
    classes: list[_Label] = []
    title: _Label | None = None
    resize: Literal["", "box"] = ""
    label_key: str = "labels"


def check(own: Any, data_dir: pathlib.Path) -> dict[str, Described]:
    """The descriptions of own sets by name.

    Raises:
        DatasetError: a name or a value is not as expected; nothing is read from the user's files.
    """
    if not isinstance(own, Mapping):
        raise DatasetError(f"Expected own, such as {{my10: {{test: my/test, original: cifar10}}}}. Received: {own!r}")
    checked = {}
    for name, said in own.items():
        manifests.require_own_name(name)
        try:
            checked[name] = described = msgspec.convert(said, Described)
        except msgspec.ValidationError as error:
            expected = f"values for {', '.join(Described.__struct_fields__)}"
            raise DatasetError(f"own, {name}: Expected {expected}. Received: {error}") from error
        if bool(described.original) == bool(described.classes) or len(described.classes) == 1 or not described.test:
            expected = "test, and either original, the set that it reproduces, or classes, a list of names"
            raise DatasetError(f"own, {name}: Expected {expected}. Received: {said!r}")
        if described.original and described.original not in own:
            datasets.spec(described.original, data_dir)  # raises unless there is such a set
    return checked


def build(name: str, said: Described, data_dir: pathlib.Path, rebuild: bool = False) -> str:
    """Writes `data_dir/<name>/training/` from the user's files.

    Args:
        name: of the set.
        said: its description.
        data_dir: folder of the data sets.
        rebuild: whether to write the set again if it is damaged.

    Returns:
        "written", or "there already" if the folder holds the same images and labels.

    Raises:
        DatasetError: the user's files are not as described, or the folder holds other files.
    """
    family, class_names = name, tuple(said.classes)
    if said.original:
        original = datasets.spec(said.original, data_dir)
        family, class_names = original.family, original.class_names
    parts = {
        part: _read(paths, class_names, said, f"own, {name}")
        for part, paths in (("training", said.train), ("test", said.test))
        if paths
    }
    described = {part: folders.describe(*arrays, len(class_names)) for part, arrays in parts.items()}
    title, sizes = said.title or name, {part: len(labels) for part, (_, labels) in parts.items()}
    recipe = {
        "name": name,
        "source": title,
        "own": {
            "title": title,
            "family": family,
            "classes": list(class_names),
            "original": said.original,
            "train_size": sizes.get("training", 0),
            "test_size": sizes["test"],
        },
        "parts": described,
    }
    folder = datasets.training_folder(name, data_dir)
    folders.require_writable(name, folder, rebuild)
    if folders.condition(folder, recipe) == "whole":
        return "there already"
    overlap = _overlap(parts, said.original, data_dir)
    folders.write(folder, recipe | {"overlap": overlap}, lambda partial: _write(name, partial, parts))
    return "written"


def _write(name: str, folder: pathlib.Path, parts: Mapping[str, Part]) -> dict[str, Any]:
    for part, (images, labels) in parts.items():
        write_batch(folder / f"{name}_{'train' if part == 'training' else 'test'}", images, labels)
    return {}


def _read(paths: str | list[str], class_names: Sequence[str], said: Described, where: str) -> Part:
    """The images and labels of folders of pictures, .npz files and batch files."""
    read = []
    for path in map(pathlib.Path, [paths] if isinstance(paths, str) else paths):
        path = path.expanduser().absolute()
        if not path.exists():
            raise DatasetError(f"{where}: Expected a folder or file. Received: {path}, which is not there")
        if path.is_dir():
            read.append(pictures.read_folder(path, class_names, said.resize))
        elif path.suffix == ".npz":
            images, labels = load_arrays(path, lambda arrays: (arrays["images"], arrays["labels"]))
            read.append(check_arrays(path, images, labels, len(class_names)))
        else:
            planes, labels = read_batch(path, None, said.label_key, len(class_names))
            read.append((planes.transpose(0, 2, 3, 1), labels))
    images, labels = zip(*read, strict=True)
    return np.ascontiguousarray(np.concatenate(images)), np.concatenate(labels)


def _overlap(parts: Mapping[str, Part], original: str, data_dir: pathlib.Path) -> dict[str, int]:
    """How many test images are among the training images, here and in the original, and repeat one another."""
    test, known = parts["test"][0], {}
    if "training" in parts:
        known["its training part"] = parts["training"][0]
    if original in datasets.available(data_dir, part="training"):
        dataset = datasets.load(original, data_dir)
        known |= {f"the training part of {original}": dataset.train_images}
        known |= {f"the test part of {original}": dataset.test_images}
    counts = {f"test images in {place}": int(datasets.overlap(test, images).sum()) for place, images in known.items()}
    return {"test images that repeat another": int(datasets.repeated(test).sum())} | counts
