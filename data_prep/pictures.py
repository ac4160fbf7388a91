"""Reads pictures by class: a folder `<class>/*.png` or `*.jpg`, and CINIC-10's archive, which has such folders."""

import io
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import PIL.Image
import PIL.ImageOps
from jaxtyping import UInt8

from autoaug.datasets import DatasetError
from autoaug.files import require_regular
from data_prep.folders import Part
from data_prep.reading import unpacked

SUFFIXES = (".png", ".jpg", ".jpeg")
_MOST_BYTES, _MOST_PIXELS = 2**25, 2**26  # of one picture
_MODES = ("1", "L", "LA", "P", "RGB", "RGBA")  # eight bits a channel


def read_folder(folder: pathlib.Path, class_names: Sequence[str], resize: str = "") -> Part:
    """The pictures of a folder with a folder for each class, sorted by class and name, and their labels.

    Args:
        folder: it may hold `<class>/*.png`, `*.jpg` and `*.jpeg`; names that begin with a point are passed over.
        class_names: in the order of the labels; a class without a folder has no pictures.
        resize: "": pictures have 32×32 pixels; "box": each is scaled to 32×32 as a whole, by the mean of the pixels.

    Raises:
        DatasetError: there are no pictures, a folder is no class, or a file is no such picture; the message names it.
    """
    found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    if strange := [path.name for path in found if path.name not in class_names or not path.is_dir()]:
        raise DatasetError(
            f"{folder.absolute()}: Expected a folder for each class: {', '.join(class_names)[:200]}. "
            f"Received: {', '.join(map(repr, strange))[:200]}"
        )
    images, labels = [], []
    for label, name in enumerate(class_names):
        place = folder / name
        for path in sorted(place.iterdir()) if place in found else ():
            if not path.name.startswith("."):
                images.append(_read(path, resize))
                labels.append(label)
    if not images:
        raise DatasetError(f"{folder.absolute()}: Expected pictures in {', '.join(class_names)[:200]}. Received: none")
    return np.stack(images), np.array(labels, np.int64)


def read_archive(
    path: pathlib.Path, class_names: Sequence[str], parts: Mapping[str, str], leave_out: str
) -> dict[str, Part]:
    """The pictures of a tar archive with a folder for each part in it, and for each class in that; 32×32 pixels.

    Args:
        path: of the archive.
        class_names: in the order of the labels.
        parts: folder in the archive → part.
        leave_out: beginning of the names of pictures that are left out.

    Returns:
        Part → its images, sorted by class and name, and labels.

    Raises:
        DatasetError: the archive is damaged or too large, or a picture is.
    """

    def is_picture(file: pathlib.PurePosixPath) -> bool:
        *_, folder, label, name = ("", "", *file.parts)
        return folder in parts and label in class_names and not name.startswith(leave_out)

    with unpacked(path, is_picture) as files:
        places = {file.parents[1] for file in files}
        if sorted(place.name for place in places) != sorted(parts):
            raise DatasetError(f"{path}: Expected pictures in {', '.join(parts)}. Received: {len(files)} pictures")
        return {parts[place.name]: read_folder(place, class_names) for place in places}


def _read(path: pathlib.Path, resize: str) -> UInt8[np.ndarray, "32 32 3"]:
    if path.suffix.lower() not in SUFFIXES:
        raise DatasetError(f"{path.absolute()}: Expected a picture, {', '.join(SUFFIXES)}. Received: another file")
    try:
        require_regular(path, _MOST_BYTES)
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path.absolute()}: Expected a picture. Received: {error}") from error
    return _decode(content, str(path.absolute()), resize)


def _decode(content: bytes, name: str, resize: str) -> UInt8[np.ndarray, "32 32 3"]:
    """The pixels of a PNG or JPEG file; DatasetError names the file."""
    try:
        with PIL.Image.open(io.BytesIO(content), formats=["PNG", "JPEG"]) as picture:
            if picture.width * picture.height > _MOST_PIXELS or picture.mode not in _MODES:
                raise ValueError(f"{picture.width}×{picture.height} pixels in mode {picture.mode}")
            if not resize and picture.size != (32, 32):
                remedy = "To scale pictures, say resize: box"
                raise ValueError(f"{picture.width}×{picture.height} pixels. {remedy}")
            if not resize:
                return np.asarray(picture.convert("RGB"))
            upright = PIL.ImageOps.exif_transpose(picture).convert("RGB")
            return np.asarray(upright.resize((32, 32), PIL.Image.Resampling.BOX))
    except Exception as error:  # Pillow raises a dozen kinds of errors for damaged files
        expected = "a PNG or JPEG picture" if resize else "a PNG or JPEG picture of 32×32 pixels"
        raise DatasetError(f"{name}: Expected {expected}. Received: {error}") from error
