"""The data sets by name: their files, loading, channel statistics, and overlap between sets.

Every set lies in `data_dir/<name>/training/`, training and test batches together, in the format of `batch_file`. If
data_prep built the set, `manifest.json` in the same folder says where the images come from, and pixels and labels that
differ from the manifest are refused. A folder without a manifest is read as it is.
"""

import concurrent.futures
import dataclasses
import functools
import hashlib
import os
import pathlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64, Int, Int64, UInt8

from autoaug.datasets import manifest as manifests
from autoaug.datasets.batch_file import DatasetError, read_batch
from autoaug.datasets.catalogue import (
    CLASS_NAMES,
    DATASETS,
    DESIGNS,
    EMBEDDED,
    HALVES,
    JUDGES,
    KNOWN_TRUTH,
    ORIGINAL_TESTS,
    ORIGINALS,
    TEST_PARTS,
    Spec,
    Truth,
    partners,
)
from autoaug.datasets.overview import overview
from autoaug.recipes import did_you_mean

__all__ = [
    "CLASS_NAMES", "DATASETS", "DESIGNS", "EMBEDDED", "HALVES", "JUDGES", "KNOWN_TRUTH", "ORIGINALS",
    "ORIGINAL_TESTS", "TEST_PARTS", "Dataset", "DatasetError", "LabelledImages", "Spec", "Truth", "available",
    "channel_statistics", "content_hash", "load", "load_test", "overlap", "overlap_tables", "overview", "partners",
    "read_images", "repeated", "require_trainable", "training_folder",
]  # fmt: skip


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
        return np.array([_image_hash(image) in self._hashes for image in images], bool)

    @functools.cached_property
    def _hashes(self) -> set[bytes]:
        return {_image_hash(image) for image in self.train_images}


def load(name: str, data_dir: str | os.PathLike[str]) -> Dataset:
    """Reads a data set from `data_dir/<name>/training/`.

    Raises:
        DatasetError: the name is unknown or belongs to a set without a training part, files are missing (the message
            says what to do), a file is malformed, or the images differ from the folder's manifest.
    """
    require_trainable(name)
    spec, folder = _find(name, data_dir)
    manifest = manifests.read(folder)
    train_images, train_labels = read_images(folder, spec.training_files, spec.train_size, spec)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        statistics = pool.submit(channel_statistics, train_images)  # while the test part is read
        test_images, test_labels = read_images(folder, _files(spec)[len(spec.training_files) :], spec.test_size, spec)
    mean, std = statistics.result()
    parts, names = (train_images, train_labels, test_images, test_labels), CLASS_NAMES[spec.family]
    if manifest is None:
        return Dataset(name, *parts, names, mean, std)
    dataset = Dataset(name, *parts, names, mean, std, manifest["source"])
    hashes = {"training": dataset.sha256} | ({"test": dataset.test_sha256} if spec.test_file else {})
    manifests.require(folder, manifest, hashes)
    return dataset


def require_trainable(name: str) -> None:
    """Raises DatasetError unless there is a data set of this name with a training part."""
    if name in DATASETS and not DATASETS[name].training_files:
        raise DatasetError(
            f"{name}: Expected a data set to train on. Received: a test set, without a training part"
            + (f". To train on its training part: -p train_data {TEST_PARTS[name]}" if name in TEST_PARTS else "")
        )
    _require_known(name)


def load_test(name: str, data_dir: str | os.PathLike[str]) -> LabelledImages:
    """Reads only the test part of a data set, as `LabelledImages`; raises what `load` raises."""
    spec, folder = _find(name, data_dir)
    manifest = manifests.read(folder)
    images, labels = read_images(folder, (spec.test_file,), spec.test_size, spec)
    if manifest is None:
        return LabelledImages(name, images, labels)
    test = LabelledImages(name, images, labels, manifest["source"])
    manifests.require(folder, manifest, {"test": test.sha256})
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
    copies = []
    with concurrent.futures.ThreadPoolExecutor(1) as pool:  # copies pixels while the next file is read
        for number, file in enumerate(files):
            part = slice(number * count, (number + 1) * count)
            planes, labels[part] = read_batch(folder / file, count, spec.label_key, spec.num_classes)
            copies.append(pool.submit(_interleave, planes, images[part]))
            del planes  # or it would be held while the next file is read
    for copy in copies:
        copy.result()  # raises what the copying raised
    return images, labels


def available(data_dir: str | os.PathLike[str], family: str | None = None) -> list[str]:
    """Names of the data sets (of one family, if given) whose files are all on disk."""
    return [
        name
        for name, spec in DATASETS.items()
        if family in (None, spec.family) and not _missing(spec, training_folder(name, data_dir))
    ]


def channel_statistics(
    images: UInt8[np.ndarray, "n 32 32 3"],
) -> tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "3"]]:
    """Mean and population standard deviation of each channel, as fractions of 255.

    Exact: the squares of 256 values of at most 255 add up to less than 2²⁴, and float32 holds every integer below that.
    """
    total, squares = np.zeros(images[0].size, int), np.zeros(images[0].size, int)
    for start in range(0, len(images), 256):
        chunk = images[start : start + 256].reshape(-1, images[0].size).astype(np.float32)
        total += chunk.sum(axis=0).astype(int)
        squares += np.square(chunk, out=chunk).sum(axis=0).astype(int)
    pixels = len(images) * 32 * 32
    total, squares = (sums.reshape(-1, 3).sum(axis=0).tolist() for sums in (total, squares))
    variance = [(pixels * square - linear**2) / pixels**2 for linear, square in zip(total, squares, strict=True)]
    return np.array(total) / pixels / 255, np.sqrt(variance) / 255


def content_hash(images: UInt8[np.ndarray, "n 32 32 3"], labels: Int[np.ndarray, " n"]) -> str:
    """SHA-256, in hexadecimal, of the pixels in row-major order followed by the labels as little-endian int64."""
    digest = hashlib.sha256(np.ascontiguousarray(images).data)
    digest.update(np.ascontiguousarray(labels, dtype="<i8").data)
    return digest.hexdigest()


def overlap(
    test_images: UInt8[np.ndarray, "test 32 32 3"], train_images: UInt8[np.ndarray, "train 32 32 3"]
) -> Bool[np.ndarray, " test"]:
    """Whether each test image has the same pixels as some training image."""
    known = {_image_hash(image) for image in train_images}
    return np.array([_image_hash(image) in known for image in test_images], bool)


def repeated(images: UInt8[np.ndarray, "n 32 32 3"]) -> Bool[np.ndarray, " n"]:
    """Whether each image has the same pixels as an earlier image."""
    first: dict[bytes, int] = {}
    return np.array([first.setdefault(_image_hash(image), index) != index for index, image in enumerate(images)], bool)


def overlap_tables(data_dir: str | os.PathLike[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Counts images with the same pixels, for all data sets on disk; holds the images of one set at a time.

    Returns:
        Two DataFrames of int. The first has a row per training set and a column per test set: how many of the test
        images are among the training images. The second has a row per data set and the columns `training` and `test`:
        how many images of this part repeat an earlier image of the part.
    """
    training, test = {}, {}
    names = available(data_dir)
    for name in names:
        if DATASETS[name].training_files:
            dataset = load(name, data_dir)
            training[name] = [_image_hash(image) for image in dataset.train_images]
            if len(dataset.test_images):
                test[name] = [_image_hash(image) for image in dataset.test_images]
        else:
            test[name] = [_image_hash(image) for image in load_test(name, data_dir).images]
    known = {name: set(hashes) for name, hashes in training.items()}
    counts = [[sum(image in images for image in hashes) for hashes in test.values()] for images in known.values()]
    overlaps = pd.DataFrame(counts, index=list(known), columns=list(test), dtype=int)
    repeats = [[len(hashes) - len(set(hashes)) for hashes in (training.get(n, []), test.get(n, []))] for n in names]
    return overlaps, pd.DataFrame(repeats, index=names, columns=["training", "test"], dtype=int)


def _image_hash(image: UInt8[np.ndarray, "32 32 3"]) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()


def training_folder(name: str, data_dir: str | os.PathLike[str]) -> pathlib.Path:
    """The folder with the files of a data set, those of its test part included."""
    return pathlib.Path(data_dir) / name / "training"


def _files(spec: Spec) -> tuple[str, ...]:
    return (*spec.training_files, *filter(None, [spec.test_file]))


def _missing(spec: Spec, folder: pathlib.Path) -> list[str]:
    return [file for file in _files(spec) if not (folder / file).is_file()]


def _find(name: str, data_dir: str | os.PathLike[str]) -> tuple[Spec, pathlib.Path]:
    """The specification and folder of a data set whose files are all there."""
    _require_known(name)
    spec, folder = DATASETS[name], training_folder(name, data_dir)
    if missing := _missing(spec, folder):
        remedy = f"{manifests.build_command(name, data_dir)}; or put {', '.join(_files(spec))} into {folder.absolute()}"
        raise DatasetError(f"{folder}: Expected the data set {name!r}. Missing: {', '.join(missing)}. {remedy}")
    return spec, folder


def _require_known(name: str) -> None:
    if name not in DATASETS:
        meant = did_you_mean(name, DATASETS)
        raise DatasetError(f"Unknown data set. Expected one of {', '.join(DATASETS)}. Received: {name!r}{meant}")


def _interleave(planes: UInt8[np.ndarray, "n 3 32 32"], images: UInt8[np.ndarray, "n 32 32 3"]) -> None:
    """Copies planes into images; three strided copies take a third of the time of a transposed one."""
    for channel in range(3):
        images[..., channel] = planes[:, channel]
