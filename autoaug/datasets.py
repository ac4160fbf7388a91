"""The data sets by name: their files, loading, channel statistics, and overlap between sets.

Every set lies in `data_dir/<name>/training/`, training and test batches together, in the format of `autoaug.batches`.
"""

import concurrent.futures
import dataclasses
import functools
import hashlib
import pathlib

import numpy as np

from autoaug.batches import DatasetError, read_batch

CLASS_NAMES = {
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    "cifar100": tuple(
        """
        apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
        castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
        elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster
        man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck
        pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
        skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger
        tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
        """.split()  # noqa: SIM905
    ),
    "synthetic10": ("disc", "ring", "square", "triangle", "cross", "star", "crescent", "bar", "chevron", "dumbbell"),
}


@dataclasses.dataclass(frozen=True)
class Spec:
    """The files of a data set. A model is evaluated on the test sets of its `family`, whose classes are the same."""

    training_files: tuple[str, ...]
    test_file: str
    train_size: int
    test_size: int
    family: str = "cifar10"
    label_key: str = "labels"

    @property
    def num_classes(self):
        return len(CLASS_NAMES[self.family])


_CIFAR10_FILES = tuple(f"data_batch_{number}" for number in range(1, 6))
_SYNTHETIC = Spec(("train_batch",), "test_batch", 5_120, 2_000, family="synthetic10")

DATASETS = {
    "cifar10": Spec(_CIFAR10_FILES, "test_batch", 50_000, 10_000),
    "cifar100": Spec(("train",), "test", 50_000, 10_000, family="cifar100", label_key="fine_labels"),
    "cifar10_10k": Spec(("cifar10_10k_train_py27",), "cifar10_10k_test_py27", 8_000, 2_000),
    "cifar10_30k": Spec(("cifar10_30k_train_py27",), "cifar10_30k_test_py27", 24_000, 6_000),
    "cifar102": Spec(("cifar102_min_overlap_train_v4_py27",), "cifar102_min_overlap_test_v4_py27", 8_000, 2_000),
    "cifar102_30k": Spec(("cifar102_30k_train_py27",), "cifar102_30k_test_py27", 24_000, 6_000),
    "cifar10_12k": Spec(("cifar10_12k_train",), "cifar10_12k_test", 10_000, 2_000),
    "cifar105": Spec(("cifar105_train",), "cifar105_test", 10_000, 2_000),
    "synthetic10": _SYNTHETIC,
    "synthetic10_harder": _SYNTHETIC,
    "synthetic10_different": _SYNTHETIC,
}


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledImages:
    """A test set: images uint8 [n, 32, 32, 3], labels int64 [n]."""

    name: str
    images: np.ndarray
    labels: np.ndarray

    @functools.cached_property
    def sha256(self):
        """Of pixels and labels; computed on first use, since it takes as long as reading the files again."""
        return content_hash(self.images, self.labels)


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """Images uint8 [n, 32, 32, 3], labels int64 [n]; `mean` and `std` float64 [3] of the training part, of 255."""

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    class_names: tuple[str, ...]
    mean: np.ndarray
    std: np.ndarray

    @property
    def num_classes(self):
        return len(self.class_names)

    @functools.cached_property
    def sha256(self):
        """Of the training part, as for `LabelledImages`."""
        return content_hash(self.train_images, self.train_labels)

    @functools.cached_property
    def test_sha256(self):
        return content_hash(self.test_images, self.test_labels)


def load(name, data_dir):
    """Reads a data set from `data_dir/<name>/training/`.

    Raises:
        DatasetError: the name is unknown, files are missing (the message says what to do), or a file is malformed.
    """
    spec, folder = _find(name, data_dir)
    train_images, train_labels = _read(folder, spec.training_files, spec.train_size, spec)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        statistics = pool.submit(channel_statistics, train_images)  # while the test part is read
        test_images, test_labels = _read(folder, (spec.test_file,), spec.test_size, spec)
    mean, std = statistics.result()
    names = CLASS_NAMES[spec.family]
    return Dataset(name, train_images, train_labels, test_images, test_labels, names, mean, std)


def load_test(name, data_dir):
    """Reads only the test part of a data set, as `LabelledImages`; raises what `load` raises."""
    spec, folder = _find(name, data_dir)
    return LabelledImages(name, *_read(folder, (spec.test_file,), spec.test_size, spec))


def available(data_dir, family=None):
    """Names of the data sets (of one family) whose files are all on disk."""
    return [
        name
        for name, spec in DATASETS.items()
        if family in (None, spec.family) and not _missing(spec, _folder(name, data_dir))
    ]


def channel_statistics(images):
    """Mean and population standard deviation per channel, each float64 [3], of uint8 images [n, 32, 32, 3] as of 255.

    Exact: 256 squares of at most 255 add up to less than 2²⁴, up to where float32 holds every integer.
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


def content_hash(images, labels):
    """SHA-256, in hexadecimal, of the pixels in row-major order followed by the labels as little-endian int64."""
    digest = hashlib.sha256(np.ascontiguousarray(images))
    digest.update(np.ascontiguousarray(labels, dtype="<i8"))
    return digest.hexdigest()


def overlap(test_images, train_images):
    """bool [n_test]: the same pixels occur among the training images, uint8 [n, 32, 32, 3]."""
    known = {_image_hash(image) for image in train_images}
    return np.array([_image_hash(image) in known for image in test_images], bool)


def _image_hash(image):
    return hashlib.blake2b(np.ascontiguousarray(image), digest_size=16).digest()


def _folder(name, data_dir):
    return pathlib.Path(data_dir) / name / "training"


def _missing(spec, folder):
    return [file for file in (*spec.training_files, spec.test_file) if not (folder / file).is_file()]


def _find(name, data_dir):
    """The specification and folder of a data set whose files are all there."""
    if name not in DATASETS:
        raise DatasetError(f"Unknown data set. Expected one of {', '.join(DATASETS)}. Received: {name!r}")
    spec, folder = DATASETS[name], _folder(name, data_dir)
    if missing := _missing(spec, folder):
        if spec.family == "synthetic10":
            remedy = f"To make it, run: papermill notebooks/build_datasets.ipynb -p data_dir {data_dir}"
        else:
            remedy = f"Put {', '.join((*spec.training_files, spec.test_file))} into {folder.absolute()}"
        raise DatasetError(f"{folder}: Expected the data set {name!r}. Missing: {', '.join(missing)}. {remedy}")
    return spec, folder


def _read(folder, files, size, spec):
    """Reads batches of equal size into one array: images uint8 [size, 32, 32, 3], labels int64 [size]."""
    images, labels = np.empty((size, 32, 32, 3), np.uint8), np.empty(size, np.int64)
    count = size // len(files)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:  # copies pixels while the next file is read
        for number, file in enumerate(files):
            part = slice(number * count, (number + 1) * count)
            planes, labels[part] = read_batch(folder / file, count, spec.label_key, spec.num_classes)
            pool.submit(_interleave, planes, images[part])
            del planes  # or it would be held while the next file is read
    return images, labels


def _interleave(planes, images):
    """Copies uint8 [n, 3, 32, 32] to [n, 32, 32, 3]; three strided copies take a third of a transposed one's time."""
    for channel in range(3):
        images[..., channel] = planes[:, channel]
