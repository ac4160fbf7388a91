"""Reads the published files of a data set without running anything in them: batches, archives, .npy and .npz."""

import contextlib
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from autoaug import datasets
from autoaug.datasets import DatasetError
from autoaug.files import ArchiveError, require_regular, unpack
from data_prep.folders import Part

LARGEST = 2**31  # bytes, of an archive and of an array file, and of all that is unpacked


def read_published(name: str, paths: Sequence[pathlib.Path]) -> dict[str, Part]:
    """The parts of a published data set.

    Args:
        name: of the set, as in `sources.FILES`.
        paths: of its files, in that order: an archive of batches or a folder of them, .npy or .npz.

    Returns:
        "training" (if there is one) and "test" → images and labels.

    Raises:
        DatasetError: the message names the file, what was expected and what was received.
    """
    spec = datasets.DATASETS[name]
    if paths[0].is_dir():
        return _read_batches(paths[0], spec)
    if paths[0].suffix not in (".npy", ".npz"):
        wanted = {*spec.training_files, spec.test_file}
        with unpacked(paths[0], lambda file: file.name in wanted) as files:
            if len(files) != len(wanted):
                expected = f"{paths[0]}: Expected an archive with each of {', '.join(sorted(wanted))}"
                raise DatasetError(f"{expected}. Received: {', '.join(path.name for path in files)[:200] or 'none'}")
            return _read_batches(files[0].parent, spec)
    if paths[0].suffix == ".npy":
        images, labels = (load_arrays(path, lambda array: array[...]) for path in paths)
        return {"test": check_arrays(paths[0], images, labels, spec.num_classes, spec.test_size)}
    parts = {}
    for part, path in zip(("training", "test")[-len(paths) :], paths, strict=True):
        size = spec.train_size if part == "training" else spec.test_size
        images, labels = load_arrays(path, lambda arrays: (arrays["images"], arrays["labels"]))
        parts[part] = check_arrays(path, images, labels, spec.num_classes, size)
    return parts


@contextlib.contextmanager
def unpacked(archive: pathlib.Path, take: Callable[[pathlib.PurePosixPath], bool]) -> Iterator[list[pathlib.Path]]:
    """The files of an archive that are to be taken, in a temporary folder; DatasetError for what `unpack` refuses."""
    with tempfile.TemporaryDirectory(prefix="autoaug-") as folder:
        try:
            yield [pathlib.Path(folder, file) for file in sorted(unpack(archive, folder, take, LARGEST))]
        except ArchiveError as error:
            raise DatasetError(str(error)) from error


def content_hashes(name: str, path: pathlib.Path) -> dict[str, str]:
    """Part → `datasets.content_hash` of a published set, from its file or folder; raises what `read_published` does."""
    return {part: datasets.content_hash(*arrays) for part, arrays in read_published(name, [path]).items()}


def _read_batches(folder: pathlib.Path, spec: datasets.Spec) -> dict[str, Part]:
    return {part: datasets.read_part(folder, spec, part) for part in spec.sizes}


def load_arrays(path: pathlib.Path, choose: Callable[[Any], Any]) -> Any:
    """The value of `choose` for the array of an .npy file, or for the arrays of an .npz file.

    Raises:
        DatasetError: the file is missing or damaged, or holds an array of objects, which is a pickle.
    """
    try:
        require_regular(path, LARGEST)
        with path.open("rb") as file:
            arrays: Any = np.load(file, allow_pickle=False)
            if isinstance(arrays, np.lib.npyio.NpzFile):
                unpacked = sum(member.file_size for member in getattr(arrays.zip, "filelist", ()))
                if unpacked > LARGEST:
                    raise ValueError(f"{unpacked:,} bytes unpacked, more than {LARGEST:,}")
            return choose(arrays)
    except Exception as error:  # NumPy and zipfile raise a dozen kinds of errors for damaged files
        raise DatasetError(f"{path}: Expected NumPy arrays. Received: {error}") from error


def check_arrays(path: pathlib.Path, images: Any, labels: Any, num_classes: int, size: int | None = None) -> Part:
    """The arrays, labels as int64, if they are `size` images (None: any) with labels in 0…num_classes - 1."""
    labels, count = np.ravel(labels), size or max(np.size(labels), 1)
    if images.dtype != np.uint8 or images.shape != (count, 32, 32, 3):
        raise DatasetError(
            f"{path}: Expected images, uint8 {(count, 32, 32, 3)}. Received: {images.dtype} {images.shape}"
        )
    expected = f"{path}: Expected {count} whole labels in 0…{num_classes - 1}. Received: "
    if labels.dtype.kind not in "iu" or labels.shape != (count,):
        raise DatasetError(f"{expected}{labels.dtype} {labels.shape}")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise DatasetError(f"{expected}{labels.min()}…{labels.max()}")
    return images, labels.astype(np.int64)
