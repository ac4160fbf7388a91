"""Reads data sets, built-in ones and the user's own, from `data_dir/<name>/training/`."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8

from autoaug.datasets import manifest as manifests
from autoaug.datasets.batch_file import DatasetError, read_batch
from autoaug.datasets.catalogue import DATASETS, ORIGINALS, TEST_PARTS, TITLES, Spec
from autoaug.datasets.images import channel_statistics, content_hash, image_hashes
from autoaug.recipes import did_you_mean


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledImages:
    """A test set; `source` as for `Dataset`."""

    name: str
    images: UInt8[np.ndarray, "n 32 32 3"]
    labels: Int64[np.ndarray, " n"]
    source: str = manifests.UNVERIFIED

    @functools.cached_property
    def sha256(self) -> str:
        """Of pixels and labels; computed on first use, since it takes as long as reading the files again."""
        return content_hash(self.images, self.labels)


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """A data set to train on; `mean` and `std` are of the training part's channels, as fractions of 255.

    `source` says where the images come from, such as "CIFAR-10" or "CIFAR-10 (JPEG copy)"; the report shows it.
    """

    name: str
    train_images: UInt8[np.ndarray, "train 32 32 3"]
    train_labels: Int64[np.ndarray, " train"]
    test_images: UInt8[np.ndarray, "test 32 32 3"]
    test_labels: Int64[np.ndarray, " test"]
    class_names: tuple[str, ...]
    mean: Float64[np.ndarray, "3"]
    std: Float64[np.ndarray, "3"]
    source: str = manifests.UNVERIFIED

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @functools.cached_property
    def sha256(self) -> str:
        """Of the training part, as for `LabelledImages`."""
        return content_hash(self.train_images, self.train_labels)

    @functools.cached_property
    def test_sha256(self) -> str:
        """Of the test part."""
        return content_hash(self.test_images, self.test_labels)

    def trained_on(self, images: UInt8[np.ndarray, "n 32 32 3"]) -> Bool[np.ndarray, " n"]:
        """Whether each image has the same pixels as some training image; these are hashed once."""
        return np.array([image in self._hashes for image in image_hashes(images)], bool)

    @functools.cached_property
    def _hashes(self) -> set[bytes]:
        return set(image_hashes(self.train_images))


def load(name: str, data_dir: str | os.PathLike[str]) -> Dataset:
    """Reads a data set from `data_dir/<name>/training/`.

    Raises:
        DatasetError: the name is unknown or belongs to a set without a training part, files are missing (the message
            says what to do), a file is malformed, or the images differ from the folder's manifest.
    """
    require_trainable(name, data_dir)
    spec, folder = _find(name, data_dir)
    manifest = manifests.read(folder)
    train_images, train_labels = read_images(folder, spec.training_files, spec.train_size, spec)
    test_images, test_labels = read_images(folder, spec.test_files, spec.test_size, spec)
    mean, std = channel_statistics(train_images)
    dataset = Dataset(name, train_images, train_labels, test_images, test_labels, spec.class_names, mean, std)
    if manifest is not None:
        dataset = dataclasses.replace(dataset, source=manifest["source"])
        hashes = {"training": dataset.sha256} | ({"test": dataset.test_sha256} if spec.test_file else {})
        manifests.require(folder, manifest, hashes)
    return dataset


def load_test(name: str, data_dir: str | os.PathLike[str]) -> LabelledImages:
    """Reads only the test part of a data set, as `LabelledImages`; raises what `load` raises."""
    spec, folder = _find(name, data_dir)
    manifest = manifests.read(folder)
    test = LabelledImages(name, *read_images(folder, spec.test_files, spec.test_size, spec))
    if manifest is not None:
        test = dataclasses.replace(test, source=manifest["source"])
        manifests.require(folder, manifest, {"test": test.sha256} if spec.test_file else {})
    return test


def read_images(
    folder: pathlib.Path, files: Sequence[str], size: int, spec: Spec
) -> tuple[UInt8[np.ndarray, "n 32 32 3"], Int64[np.ndarray, " n"]]:
    """Reads batch files of equal size in order: `size` images and their labels.

    Raises:
        DatasetError: a file is missing or malformed, or its number of images or its labels do not fit the spec.
    """
    images, labels = np.empty((size, 32, 32, 3), np.uint8), np.empty(size, np.int64)
    count = size // max(len(files), 1)
    for number, file in enumerate(files):
        part = slice(number * count, (number + 1) * count)
        planes, labels[part] = read_batch(folder / file, count, spec.label_key, spec.num_classes)
        for channel in range(3):  # three strided copies take a third of the time of a transposed one
            images[part, ..., channel] = planes[:, channel]
    return images, labels


def spec(name: str, data_dir: str | os.PathLike[str]) -> Spec:
    """What is known of a data set, a built-in one or one of the user's own in this folder.

    Raises:
        DatasetError: there is no such set.
    """
    if name in DATASETS:
        return DATASETS[name]
    own = manifests.own(data_dir)
    if name not in own:
        names = (*DATASETS, *own)
        raise DatasetError(
            f"Unknown data set. Expected one of {', '.join(names)}. Received: {name!r}{did_you_mean(name, names)}"
        )
    return own[name]


def available(data_dir: str | os.PathLike[str], family: str | None = None, part: str = "") -> list[str]:
    """Names of the data sets whose files are all on disk, built-in ones first.

    Args:
        data_dir: folder of the data sets.
        family: only sets of this family.
        part: "training" or "test": only sets that have this part.
    """
    return [
        name
        for name, spec in (DATASETS | manifests.own(data_dir)).items()
        if family in (None, spec.family)
        and {"training": spec.train_size, "test": spec.test_size}.get(part, 1)
        and not _missing(spec, training_folder(name, data_dir))
    ]


def originals(data_dir: str | os.PathLike[str]) -> dict[str, str]:
    """Reproduction → the data set that it reproduces, with the user's own."""
    return ORIGINALS | {name: own.original for name, own in manifests.own(data_dir).items() if own.original}


def know(data_dir: str | os.PathLike[str]) -> None:
    """Adds the user's own sets of a folder to the catalogue, for code that has names of sets and no folder: reports."""
    ORIGINALS.update(originals(data_dir))
    TITLES.update({name: own.title for name, own in manifests.own(data_dir).items()})


def partners(name: str, data_dir: str | os.PathLike[str] | None = None) -> tuple[str, ...]:
    """The sets whose models are compared with those of this set: its original, or its reproductions; often none."""
    known = ORIGINALS if data_dir is None else originals(data_dir)
    original = (known[name],) if name in known else ()
    return original + tuple(reproduction for reproduction, original in known.items() if original == name)


def title(name: str, data_dir: str | os.PathLike[str] | None = None) -> str:
    """The name of a data set for readers; the name in the code if it has no other."""
    if name in TITLES or data_dir is None:
        return TITLES.get(name, name)
    own = manifests.own(data_dir)
    return own[name].title if name in own else name


def training_folder(name: str, data_dir: str | os.PathLike[str]) -> pathlib.Path:
    """The folder with the files of a data set, those of its test part included; absolute, with `~` expanded."""
    return pathlib.Path(data_dir).expanduser().absolute() / name / "training"


def require_trainable(name: str, data_dir: str | os.PathLike[str]) -> None:
    """Raises DatasetError unless there is a data set of this name with a training part."""
    if not spec(name, data_dir).training_files:
        raise DatasetError(
            f"{name}: Expected a data set to train on. Received: a test set, without a training part"
            + (f". To train on its training part: -p train_data {TEST_PARTS[name]}" if name in TEST_PARTS else "")
        )


def _missing(spec: Spec, folder: pathlib.Path) -> list[str]:
    return [file for file in (*spec.training_files, *spec.test_files) if not (folder / file).is_file()]


def _find(name: str, data_dir: str | os.PathLike[str]) -> tuple[Spec, pathlib.Path]:
    """The specification and folder of a data set whose files are all there."""
    found, folder = spec(name, data_dir), training_folder(name, data_dir)
    if missing := _missing(found, folder):
        files = ", ".join((*found.training_files, *found.test_files))
        remedy = f"{manifests.build_command(name, data_dir)}; or put {files} into {folder}"
        raise DatasetError(f"{folder}: Expected the data set {name!r}. Missing: {', '.join(missing)}. {remedy}")
    return found, folder
