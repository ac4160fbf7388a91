"""Reads images without running anything in their files: batches, archives, .npy and .npz, pictures, contact sheets."""

import contextlib
import functools
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageOps
from jaxtyping import UInt8

from autoaug import datasets
from autoaug.datasets import DatasetError
from autoaug.datasets.batch_file import checked_labels
from autoaug.files import require_regular, unpack
from autoaug.runs import predictions
from data_prep.folders import Part

LARGEST = 2**31  # bytes, of an archive and of an array file, and of all that is unpacked
_LARGEST_PICTURE = 2**25
_MODES = ("1", "L", "LA", "P", "RGB", "RGBA")  # of pictures: eight bits a channel


def read_published(name: str, paths: Sequence[pathlib.Path]) -> dict[str, Part]:
    """The parts of a published data set.

    Args:
        name: of the set, as in `sources.FILES`.
        paths: of its files, in that order: an archive of batches or a folder of them, .npy or .npz.

    Returns:
        "training" (if there is one) and "test" → images and labels.

    Raises:
        DatasetError, files.ArchiveError: the message names the file, what was expected and what was received.
    """
    spec = datasets.DATASETS[name]
    if name == "cinic10":
        return _read_cinic10(paths[0], spec.class_names)
    if paths[0].is_dir():
        return {part: datasets.read_part(paths[0], spec, part) for part in spec.sizes}
    if paths[0].suffix not in (".npy", ".npz"):
        wanted = {file for part in spec.sizes for file in spec.files(part)}
        with _unpacked(paths[0], lambda file: file.name in wanted) as files:
            if len(files) != len(wanted):
                expected = f"{paths[0]}: Expected an archive with each of {', '.join(sorted(wanted))}"
                raise DatasetError(f"{expected}. Received: {', '.join(path.name for path in files)[:200] or 'none'}")
            return read_published(name, [files[0].parent])
    if paths[0].suffix == ".npy":
        labels = load_arrays(paths[1], lambda found: found[""])
        check = functools.partial(_checked, labels=labels, num_classes=spec.num_classes, size=spec.test_size)
        return {"test": load_arrays(paths[0], lambda found: check(found[""]))}
    parts = zip(spec.sizes.items(), paths, strict=True)
    return {part: read_npz(path, spec.num_classes, size) for (part, size), path in parts}


@contextlib.contextmanager
def _unpacked(archive: pathlib.Path, take: Callable[[pathlib.PurePosixPath], bool]) -> Iterator[list[pathlib.Path]]:
    """The files of an archive that are to be taken, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="autoaug-") as folder:
        yield [pathlib.Path(folder, file) for file in sorted(unpack(archive, folder, take, LARGEST))]


def load_arrays(path: pathlib.Path, choose: Callable[[dict[str, Any]], Any]) -> Any:
    """The value of `choose` for `images` and `labels` of an .npz file, or for the array of an .npy file.

    Raises:
        DatasetError: the file is missing or damaged, or holds an array of objects, which is a pickle.
    """
    try:
        return choose(predictions.arrays(path, LARGEST, ("images", "labels")))
    except Exception as error:  # NumPy and zipfile raise a dozen kinds of errors for damaged files
        expected = "NumPy arrays: images, uint8 [n, 32, 32, 3], and labels, integers from 0, [n]"
        received = f"none called {error}" if isinstance(error, KeyError) else str(error)
        raise DatasetError(f"{path}: Expected {expected}. Received: {received}") from error


def read_npz(path: pathlib.Path, num_classes: int, size: int | None = None) -> Part:
    """The arrays `images` and `labels` of an .npz file; raises what `load_arrays` does if they are not as expected."""
    return load_arrays(path, lambda found: _checked(**found, num_classes=num_classes, size=size))


def _checked(images: Any, labels: Any, num_classes: int, size: int | None) -> Part:
    """The arrays, if they are `size` images (None: any) and their labels."""
    count = size or max(np.size(labels), 1)
    if images.dtype != np.uint8 or images.shape != (count, 32, 32, 3):
        raise ValueError(f"images of type {images.dtype} and shape {images.shape}, not uint8 and {(count, 32, 32, 3)}")
    return images, checked_labels(labels, count, num_classes)


def read_pictures(folder: pathlib.Path, class_names: Sequence[str], resize: str = "") -> Part:
    """The pictures of a folder with a folder for each class, sorted by class and name, and their labels.

    Args:
        folder: it may hold `<class>/*.png` and `*.jpg`; names that begin with a point are passed over.
        class_names: in the order of the labels; a class without a folder has no pictures.
        resize: "": pictures have 32×32 pixels; "box": each is scaled to 32×32 as a whole, by the mean of the pixels.

    Raises:
        DatasetError: there are no pictures, a folder is no class, or a file is no such picture; the message names it.
    """
    expected = f"{folder.absolute()}: Expected pictures in a folder for each class, {', '.join(class_names)[:200]}"
    found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    if strange := [path.name for path in found if path.name not in class_names or not path.is_dir()]:
        raise DatasetError(f"{expected}. Received: {', '.join(map(repr, strange))[:200]}")
    images, labels = [], []
    for label, name in enumerate(class_names):
        place = folder / name
        for path in sorted(place.iterdir()) if place in found else ():
            if not path.name.startswith("."):
                images.append(_read_picture(path, resize))
                labels.append(label)
    if not images:
        raise DatasetError(f"{expected}. Received: none")
    return np.stack(images), np.array(labels, np.int64)


def _read_picture(path: pathlib.Path, resize: str) -> UInt8[np.ndarray, "32 32 3"]:
    try:
        require_regular(path, _LARGEST_PICTURE)
        with PIL.Image.open(path, formats=["PNG", "JPEG"]) as picture:  # it refuses 180 million pixels
            if picture.mode not in _MODES:
                raise ValueError(f"one in mode {picture.mode}")
            if picture.size != (32, 32) and not resize:
                raise ValueError(f"{picture.width}×{picture.height} pixels. To scale pictures, say resize: box")
            upright = PIL.ImageOps.exif_transpose(picture).convert("RGB")
            return np.asarray(upright.resize((32, 32), PIL.Image.Resampling.BOX))  # 32×32 pixels stay as they are
    except Exception as error:  # Pillow raises a dozen kinds of errors for damaged files
        expected = "a PNG or JPEG picture" if resize else "a PNG or JPEG picture of 32×32 pixels"
        raise DatasetError(f"{path.absolute()}: Expected {expected}. Received: {error}") from error


def _read_cinic10(path: pathlib.Path, class_names: Sequence[str]) -> dict[str, Part]:
    """The pictures of CINIC-10's archive, in its own splits, `<split>/<class>/….png`, without those of CIFAR-10."""
    splits = {"train": "training", "test": "test"}

    def is_picture(file: pathlib.PurePosixPath) -> bool:
        *_, split, label, name = ("", "", *file.parts)
        return split in splits and label in class_names and not name.startswith("cifar10-")

    with _unpacked(path, is_picture) as files:
        places = {file.parents[1] for file in files}
        if sorted(place.name for place in places) != sorted(splits):
            raise DatasetError(f"{path}: Expected pictures in {', '.join(splits)}. Received: {len(files)} pictures")
        return {splits[place.name]: read_pictures(place, class_names) for place in places}


def read_sheets(paths: Sequence[pathlib.Path], class_names: Sequence[str]) -> Part:
    """The distinct tiles of CINIC-10's contact sheets in order, and their labels.

    The sheets are lossless: all tiles that are images of CIFAR-10 equal them bit for bit. Tiles have 32×32 pixels and a
    border of one pixel: the tile in row r and column c begins at pixel (1 + 33 r, 1 + 33 c).

    Args:
        paths: files `cinic-<class>-….png`.
        class_names: in the order of the labels.

    Raises:
        DatasetError: a file is not an RGB picture made of such tiles.
    """
    found: dict[bytes, int] = {}
    for path in paths:
        try:
            with PIL.Image.open(path, formats=["PNG"]) as picture:
                sheet = np.asarray(picture)
            rows, columns = (size // 33 for size in sheet.shape[:2])
            if sheet.dtype != np.uint8 or sheet.shape != (1 + 33 * rows, 1 + 33 * columns, 3):
                raise ValueError(f"{sheet.dtype} {sheet.shape}")
        except Exception as error:  # as for pictures
            expected = "a contact sheet, a PNG in RGB with tiles of 33 pixels and a border"
            raise DatasetError(f"{path}: Expected {expected}. Received: {error}") from error
        label = class_names.index(path.name.split("-")[1])
        tiles = sheet[1:, 1:].reshape(rows, 33, columns, 33, 3)[:, :32, :, :32].swapaxes(1, 2)
        for tile in tiles.reshape(-1, 32, 32, 3):
            found.setdefault(tile.tobytes(), label)
    pixels = np.frombuffer(b"".join(found), np.uint8).reshape(-1, 32, 32, 3)
    return pixels, np.fromiter(found.values(), int)
