"""A run's answer for each image of a test set: `predictions/<test set>.npz` in the run's folder.

    answers uint8 [n], labels uint8 [n], overlap bool [n]; and for runs that judge difficulty, margins float16 [n]

A margin is the logit of the image's label minus the largest other logit.
"""

import dataclasses
import io
import lzma
import math
import os
import pathlib
import tokenize
import zipfile
import zlib
from typing import Any

import numpy as np
import numpy.lib.format
from jaxtyping import Bool, Float16, Real, UInt8

from autoaug.files import require_regular, write_atomically
from autoaug.runs.record import PREDICTIONS, Record, RecordError

_MOST_IMAGES = 1_000_000
_MOST_BYTES = 2**24
_TYPES = {"answers": np.uint8, "labels": np.uint8, "overlap": np.bool_, "margins": np.float16}
_DAMAGE = (
    *(OSError, ValueError, LookupError, TypeError, EOFError, MemoryError, RuntimeError, SyntaxError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, tokenize.TokenError),
)  # errors that damaged npz files have raised


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
    """A run's answers for the images of a test set.

    `overlap` marks the images that are, pixel for pixel, among the run's training images. `margins` is None unless the
    run judges difficulty.
    """

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
    arrays = {name: getattr(predictions, name) for name in _TYPES}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{name: array for name, array in arrays.items() if array is not None})
    write_atomically(path, buffer.getvalue())


def read(path: str | os.PathLike[str]) -> Predictions:
    """The predictions in a file. Shapes and types are checked before anything is unpacked.

    Raises:
        RecordError: the message names the file, what was expected and what was received.
    """
    try:
        require_regular(path, _MOST_BYTES)
        with zipfile.ZipFile(path) as archive:
            predictions = Predictions(**_read_arrays(archive))
        if predictions.margins is not None and not np.isfinite(predictions.margins).all():
            raise ValueError("margins that are not finite")
        if predictions.overlap.view(np.uint8).max() > 1:
            raise ValueError("an overlap that is neither true nor false")
        return predictions
    except _DAMAGE as error:
        raise RecordError(f"{path}: Expected the predictions of a run. Received: {error}") from error


def are_kept(run_dir: str | os.PathLike[str], record: Record, name: str, sha256: str) -> bool:
    """Whether a run holds its predictions on a test set with this hash, undamaged."""
    if name not in record.tests or record.tests[name].sha256 != sha256:
        return False
    try:
        read(pathlib.Path(run_dir) / PREDICTIONS / f"{name}.npz")
    except RecordError:
        return False
    return True


def _read_arrays(archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
    """The arrays of an npz file, all of whose headers are checked before the first array is read."""
    headers = {}
    for member in archive.namelist():
        with archive.open(member) as file:
            headers[member.removesuffix(".npy")] = _read_header(file)
    _require_form(headers)
    arrays = {}
    for name, (shape, dtype) in headers.items():
        size = math.prod(shape) * dtype.itemsize
        with archive.open(f"{name}.npy") as file:
            _read_header(file)
            content = file.read(size + 1)
        if len(content) != size:
            raise ValueError(f"{name}: {len(content)} bytes, expected {size}")
        arrays[name] = np.frombuffer(content, dtype).reshape(shape)
    return arrays


def _read_header(file: Any) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of the array that follows."""
    if numpy.lib.format.read_magic(file) != (1, 0):
        raise ValueError("an array in another version of NumPy's format than 1.0")
    shape, _, dtype = numpy.lib.format.read_array_header_1_0(file)
    return shape, dtype


def _require_form(headers: dict[str, tuple[tuple[int, ...], np.dtype]]) -> None:
    """Raise ValueError unless names, shapes and types are those of predictions."""
    if headers.keys() | {"margins"} != _TYPES.keys():
        raise ValueError(f"the arrays {', '.join(headers)[:200] or 'none'}")
    images = headers["labels"][0]
    for name, (shape, dtype) in headers.items():
        if dtype != _TYPES[name] or len(shape) != 1 or shape != images or not 1 <= shape[0] <= _MOST_IMAGES:
            raise ValueError(f"{name} {dtype} {shape}, labels {images}")
