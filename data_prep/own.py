"""Data sets of the user's own: pictures by class, arrays or batch files become a data set like the others.

What the catalogue says of a built-in set stands in the manifest (`autoaug.datasets.own`).
"""

import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from autoaug import datasets
from autoaug.datasets import DatasetError
from autoaug.datasets import manifest as manifests
from autoaug.datasets.batch_file import read_batch
from autoaug.files import absolute
from data_prep import folders
from data_prep.folders import Part
from data_prep.reading import read_npz, read_pictures


class Described(msgspec.Struct, forbid_unknown_fields=True):
    """What the user says of a set.

    Args:
        test: a folder of pictures by class, an .npz file or a batch file; or a list of such. Empty for judges' images.
        train: the same; empty for a test set only.
        original: the set that it reproduces, or whose images it judges; it has the same classes.
        classes: names of the classes, if there is no original.
        title: name for readers.
        resize: "box" scales pictures to 32×32.
    """

    test: str | list[str] = []
    train: str | list[str] = []
    original: str = ""
    classes: Annotated[list[Annotated[datasets.Label, msgspec.Meta(max_length=60)]], msgspec.Meta(max_length=256)] = []
    title: Annotated[datasets.Label, msgspec.Meta(max_length=60)] | None = None
    resize: Literal["", "box"] = ""

    def __post_init__(self) -> None:
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("a class twice")
        if bool(self.original) == bool(self.classes) or len(self.classes) == 1:
            raise ValueError("not either original, the set that it reproduces, or classes, a list of names")
        given = [path for of in (self.test, self.train) for path in ([of] if isinstance(of, str) else of) if path]
        if len({absolute(path).resolve() for path in given}) < max(len(given), 1):
            raise ValueError("the same files twice, as in test and train" if given else "neither test nor train")


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
            checked[name] = msgspec.convert(said, Described)
        except msgspec.ValidationError as error:
            expected = f"values for {', '.join(Described.__struct_fields__)}"
            received = re.sub("Expected `str` matching regex '.*'", "no text, or one with <, >, & or $", str(error))
            raise DatasetError(f"own, {name}: Expected {expected}. Received: {received}") from error
        if (original := checked[name].original) and original not in own:
            datasets.spec(original, data_dir)  # raises unless there is such a set
    for name, said in checked.items():
        if said.original in checked and checked[said.original].original:
            expected = "Expected original, a set that is itself no reproduction"
            raise DatasetError(f"own, {name}: {expected}. Received: {said.original}")
    return checked


def build(name: str, said: Described, data_dir: pathlib.Path, rebuild: bool = False) -> str:
    """Writes `data_dir/<name>/training/` from the user's files; returns and raises what `folders.update` does."""
    family, class_names = name, tuple(said.classes)
    if said.original:
        original = datasets.spec(said.original, data_dir)
        family, class_names = original.family, original.class_names
    sources = {"training": said.train, "test": said.test}
    parts = {part: _read(paths, class_names, said) for part, paths in sources.items() if paths}
    sizes = {part: len(labels) for part, (_, labels) in parts.items()}
    said_of_it = {"train_size": sizes.get("training", 0), "test_size": sizes.get("test", 0), "classes": [*class_names]}
    said_of_it |= {"title": said.title or name, "family": family, "original": said.original}
    spec = manifests.spec_of(name, said_of_it)
    recipe = {
        "name": name,
        "source": spec.title,
        "own": said_of_it,
        "parts": {part: folders.describe(*arrays, spec.num_classes) for part, arrays in parts.items()},
    }
    folder = datasets.training_folder(name, data_dir)
    return folders.update(folder, recipe, lambda partial: folders.write_parts(spec, partial, parts), rebuild)


def _read(paths: str | list[str], class_names: Sequence[str], said: Described) -> Part:
    """The images and labels of folders of pictures, .npz files and batch files."""
    read = []
    for path in map(absolute, [paths] if isinstance(paths, str) else paths):
        if path.is_dir():
            read.append(read_pictures(path, class_names, said.resize))
        elif path.suffix == ".npz":
            read.append(read_npz(path, len(class_names)))
        else:
            planes, labels = read_batch(path, None, "labels", len(class_names))
            read.append((planes.transpose(0, 2, 3, 1), labels))
    return np.ascontiguousarray(np.concatenate([images for images, _ in read])), np.concatenate([of for _, of in read])
