"""A run's answer for each image of a test set: `predictions/<test set>.npz` in the run's folder.

    answers uint8 [n], labels uint8 [n], overlap bool [n]; and for runs that judge difficulty, margins float16 [n]

A margin is the logit of the image's label minus the largest other logit.
"""

import dataclasses
import io
import os
import pathlib
import zipfile
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float16, Real, Shaped, UInt8

from autoaug.files import require_regular, write_atomically
from autoaug.runs.record import reading

_MOST_BYTES = 2**24
_TYPES = {"answers": np.uint8, "labels": np.uint8, "overlap": np.bool_, "margins": np.float16}


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
    """A run's answers; `overlap` marks the images that are, pixel for pixel, among its training images."""

    answers: UInt8[np.ndarray, " n"]
    labels: UInt8[np.ndarray, " n"]
    overlap: Bool[np.ndarray, " n"]
    margins: Float16[np.ndarray, " n"] | None = None

    @property
    def right(self) -> Bool[np.ndarray, " n"]:
        """Whether each image's answer is its label."""
        return self.answers == self.labels


def margins(logits: Real[np.ndarray, "n classes"], labels: Real[np.ndarray, " n"]) -> Float16[np.ndarray, " n"]:
    """The logit of each image's label minus the largest other logit."""
    every, others = np.arange(len(labels)), logits.astype(np.float64)
    of_labels = others[every, labels]
    others[every, labels] = -np.inf
    largest = float(np.finfo(np.float16).max)
    return (of_labels - others.max(axis=1)).clip(-largest, largest).astype(np.float16)


def write(path: str | os.PathLike[str], predictions: Predictions) -> None:
    """Write the file; no reader sees half of it."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{name: array for name, array in vars(predictions).items() if array is not None})
    write_atomically(path, buffer.getvalue())


def read(path: str | os.PathLike[str]) -> Predictions:
    """The predictions in a file; a RecordError names it, what was expected and what was received."""
    with reading(path, "the predictions of a run"):
        found = arrays(path, _MOST_BYTES)
        if found.keys() | {"margins"} != _TYPES.keys():
            raise ValueError(f"the arrays {', '.join(found) or 'none'}")
        images = found["labels"].shape
        for name, array in found.items():
            if array.dtype != _TYPES[name] or array.shape != images or len(images) != 1 or not images[0]:
                raise ValueError(f"{name} {array.dtype} {array.shape}, labels {images}")
        if found["overlap"].view(np.uint8).max() > 1 or not np.isfinite(found.get("margins", 0)).all():
            raise ValueError("an overlap that is neither true nor false, or margins that are not finite")
        return Predictions(**found)


def arrays(
    path: str | os.PathLike[str], most_bytes: int, names: Sequence[str] = ()
) -> dict[str, Shaped[np.ndarray, "..."]]:
    """The arrays of an .npz file, all or some, or the one of an .npy file, whose name is empty.

    Nothing is unpacked that has more bytes, and no code is run.
    """
    require_regular(path, most_bytes)
    if not zipfile.is_zipfile(path):
        with pathlib.Path(path).open("rb") as file:
            return {"": np.lib.format.read_array(file, allow_pickle=False)}
    with zipfile.ZipFile(path) as archive:  # `numpy.load` would open it a second time
        members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
        if sum(member.file_size for member in members.values()) > most_bytes:
            raise ValueError(f"more than {most_bytes:,} bytes")
        found = {}
        for name in names or members:
            with archive.open(members[name]) as file:
                found[name] = np.lib.format.read_array(file, allow_pickle=False)
        return found
