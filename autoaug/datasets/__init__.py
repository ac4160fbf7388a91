"""The data sets by name: their files, loading, channel statistics, and overlap between sets.

Every set lies in `data_dir/<name>/training/`, training and test batches together, in the format of `batch_file`. If
data_prep built the set, `manifest.json` in the same folder says where the images come from, and pixels and labels that
differ from the manifest are refused. A folder without a manifest is read as it is. A set of the user's own is known by
its manifest, so `spec` and `available` take the folder of the data sets.
"""

import dataclasses
import functools
import hashlib
import os
import pathlib

import numpy as np
from jaxtyping import Bool, Float64, Int, Int64, UInt8

from autoaug.datasets import manifest as manifests
from autoaug.datasets.batch_file import DatasetError, read_batch
from autoaug.datasets.catalogue import (
    CLASS_NAMES,
    DATASETS,
    DESIGNS,
    EMBEDDED,
    JUDGES,
    KNOWN_TRUTH,
    ORIGINALS,
    TITLES,
    Label,
    Spec,
    Truth,
)
from autoaug.recipes import did_you_mean

__all__ = ["CLASS_NAMES", "DESIGNS", "EMBEDDED", "JUDGES", "KNOWN_TRUTH", "Label", "Truth"]


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
    if not (known := spec(name, data_dir)).training_files:
        hint = f". To train on its training part: -p train_data {known.part_of}" if known.part_of else ""
        raise DatasetError(f"{name}: Expected a data set to train on. Received: a test set only{hint}")
    test, train = load_test(name, data_dir), _load(name, data_dir, "training")
    mean, std = channel_statistics(train.images)
    return Dataset(
        name, train.images, train.labels, test.images, test.labels, known.class_names, mean, std, train.source
    )


def load_test(name: str, data_dir: str | os.PathLike[str]) -> LabelledImages:
    """Reads only the test part of a data set, as `LabelledImages`; raises what `load` raises."""
    return _load(name, data_dir, "test")


def load_test_sets(dataset: Dataset, data_dir: str | os.PathLike[str]) -> list[LabelledImages]:
    """All test sets under `data_dir` of the same family as a training set.

    Load them before the training, so that a damaged file is found before the long work.
    """
    family = spec(dataset.name, data_dir).family
    return [load_test(name, data_dir) for name in available(data_dir, family, part="test")]


def _load(name: str, data_dir: str | os.PathLike[str], part: str) -> LabelledImages:
    """A part of a data set whose files are all there, checked against its manifest; empty if it has no such part."""
    found, folder = spec(name, data_dir), training_folder(name, data_dir)
    if missing := _missing(found, folder):
        files = ", ".join(file for part in found.sizes for file in found.files(part))
        remedy = f"{manifests.build_command(name, data_dir)}; or put {files} into {folder}"
        raise DatasetError(f"{folder}: Expected the data set {name!r}. Missing: {', '.join(missing)}. {remedy}")
    loaded, manifest = LabelledImages(name, *read_part(folder, found, part)), manifests.read(folder)
    if manifest is None or part not in found.sizes:
        return loaded
    loaded = dataclasses.replace(loaded, source=manifest["source"])
    if loaded.sha256 != (expected := manifest["parts"].get(part, {}).get("sha256")):
        hashes = f"Expected the {part} part of its manifest, SHA-256 {expected}. Received: {loaded.sha256}"
        remedy = manifests.rebuild_command(name, data_dir, manifest)
        raise DatasetError(f"{folder}: {hashes}. The folder is damaged or was changed. {remedy}")
    return loaded


def stated_hash(name: str, part: str, data_dir: str | os.PathLike[str]) -> str | None:
    """The hash of a part that its manifest states; None without a manifest."""
    manifest = manifests.read(training_folder(name, data_dir))
    return manifest["parts"].get(part, {}).get("sha256") if manifest else None


def read_part(
    folder: pathlib.Path, spec: Spec, part: str
) -> tuple[UInt8[np.ndarray, "n 32 32 3"], Int64[np.ndarray, " n"]]:
    """Reads the batch files of a part, which are of equal size: images and labels, none if there is no such part.

    Raises:
        DatasetError: a file is missing or malformed, or its number of images or its labels do not fit the spec.
    """
    files, size = spec.files(part), spec.sizes.get(part, 0)
    images, labels = np.empty((size, 32, 32, 3), np.uint8), np.empty(size, np.int64)
    count = size // max(len(files), 1)
    for number, file in enumerate(files):
        rows = slice(number * count, (number + 1) * count)
        planes, labels[rows] = read_batch(folder / file, count, spec.label_key, spec.num_classes)
        for channel in range(3):  # three strided copies take a third of the time of a transposed one
            images[rows, ..., channel] = planes[:, channel]
    return images, labels


def spec(name: str, data_dir: str | os.PathLike[str]) -> Spec:
    """What is known of a data set, a built-in one or one of the user's own; DatasetError if there is no such set."""
    known = DATASETS if name in DATASETS else DATASETS | manifests.own(data_dir)
    if name not in known:
        expected = f"Unknown data set. Expected one of {', '.join(known)}"
        raise DatasetError(f"{expected}. Received: {name!r}{did_you_mean(name, known)}")
    return known[name]


def available(data_dir: str | os.PathLike[str], family: str | None = None, part: str = "") -> list[str]:
    """Names of the data sets whose files are all on disk, built-in ones first.

    With `family`, only sets of this family; with `part`, "training" or "test", only sets that have this part.
    """
    return [
        name
        for name, spec in (DATASETS | manifests.own(data_dir)).items()
        if family in (None, spec.family)
        and (not part or part in spec.sizes)
        and not _missing(spec, training_folder(name, data_dir))
    ]


def know(data_dir: str | os.PathLike[str]) -> None:
    """Adds the user's own sets of a folder to ORIGINALS, TITLES and CLASS_NAMES, for reports, which know names only."""
    for name, own in manifests.own(data_dir).items():
        TITLES[name], CLASS_NAMES[name] = own.title, own.class_names
        ORIGINALS.update({name: own.original} if own.original and own.test_size else {})


def training_folder(name: str, data_dir: str | os.PathLike[str]) -> pathlib.Path:
    """The folder with the files of a data set, those of its test part included; absolute, with `~` expanded."""
    return pathlib.Path(data_dir).expanduser().absolute() / name / "training"


def _missing(spec: Spec, folder: pathlib.Path) -> list[str]:
    return [file for part in spec.sizes for file in spec.files(part) if not (folder / file).is_file()]


def channel_statistics(
    images: UInt8[np.ndarray, "n 32 32 3"],
) -> tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "3"]]:
    """Mean and population standard deviation of each channel, as fractions of 255; exact, by sums of integers."""
    rows, pixels = images.reshape(len(images), -1), len(images) * 32 * 32
    sums = rows.sum(axis=0, dtype=np.int64), np.einsum("ni,ni->i", rows, rows, dtype=np.int64)
    total, squares = (of.reshape(-1, 3).sum(axis=0).tolist() for of in sums)
    variance = [(pixels * square - linear**2) / pixels**2 for linear, square in zip(total, squares, strict=True)]
    return np.array(total) / pixels / 255, np.sqrt(variance) / 255


def content_hash(images: UInt8[np.ndarray, "n 32 32 3"], labels: Int[np.ndarray, " n"]) -> str:
    """SHA-256, in hexadecimal, of the pixels in row-major order followed by the labels as little-endian int64."""
    digest = hashlib.sha256(np.ascontiguousarray(images).data)
    digest.update(np.ascontiguousarray(labels, dtype="<i8").data)
    return digest.hexdigest()


def image_hashes(images: UInt8[np.ndarray, "n 32 32 3"]) -> list[bytes]:
    """A hash of each image's pixels."""
    return [hashlib.blake2b(image.data, digest_size=16).digest() for image in np.ascontiguousarray(images)]


def overlap(
    test_images: UInt8[np.ndarray, "test 32 32 3"], train_images: UInt8[np.ndarray, "train 32 32 3"]
) -> Bool[np.ndarray, " test"]:
    """Whether each test image has the same pixels as some training image."""
    known = set(image_hashes(train_images))
    return np.array([image in known for image in image_hashes(test_images)], bool)


def repeated(images: UInt8[np.ndarray, "n 32 32 3"]) -> Bool[np.ndarray, " n"]:
    """Whether each image has the same pixels as an earlier image."""
    first: dict[bytes, int] = {}
    return np.array([first.setdefault(image, index) != index for index, image in enumerate(image_hashes(images))], bool)
