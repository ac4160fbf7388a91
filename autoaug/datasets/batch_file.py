"""Batch files of the CIFAR "python version" format: a pickled dictionary with `data` and labels.

`data` is uint8 [n, 3072] (red, green, blue planes, row-major), the labels are a list of integers. Nothing that a file
names is imported or called: names and calls become notes, which are read if they describe an array.
"""

import dataclasses
import io
import os
import pathlib
import pickle
import pickletools
from typing import Any

import numpy as np
from jaxtyping import Int64, Integer, UInt8

from autoaug.files import require_regular

PIXELS = 3 * 32 * 32
_BYTES_PER_IMAGE = 10_000  # pixels as UTF-8 (Python 3 writing protocol 2) take up to 6,144, a file name a few dozen
_NAMES = ("_reconstruct", "_frombuffer", "scalar", "ndarray", "dtype", "encode")  # of numpy, and of _codecs the last
_TYPES = ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8")


class DatasetError(ValueError):
    """A data set that is missing, incomplete or malformed; the message names the file or folder."""


def read_batch(
    path: str | os.PathLike[str], count: int | None, label_key: str, num_classes: int
) -> tuple[UInt8[np.ndarray, "n 3 32 32"], Int64[np.ndarray, " n"]]:
    """Reads one batch file: its images as colour planes, and their labels.

    Args:
        path: the file.
        count: the number of images that it must hold; None: any number.
        label_key: the key of the labels, "labels" or "fine_labels".
        num_classes: labels must lie in [0, num_classes).

    Raises:
        DatasetError: the file is not such a batch, or cannot be read.
    """
    path = pathlib.Path(path)
    try:
        require_regular(path, most_bytes=(count or 400_000) * _BYTES_PER_IMAGE + 2**16)
        content = path.read_bytes()
        steps = sum(1 for _ in pickletools.genops(content))  # of which none declares more than there is
        if steps > len(content) // PIXELS * 20 + 1000:  # a label of NumPy's takes 14
            raise ValueError("more steps than a batch of images takes")
        batch = _Unpickler(io.BytesIO(content), encoding="latin-1").load()
        if not isinstance(batch, dict) or not all(key in batch or key.encode() in batch for key in ("data", label_key)):
            raise ValueError(f"no dictionary with data and {label_key}")
        pixels, said = (batch.get(key, batch.get(key.encode())) for key in ("data", label_key))
        data = _array(pixels)
        shape = (count or max(data.size // PIXELS, 1), PIXELS)
        if data.dtype != np.uint8 or data.shape != shape:
            raise ValueError(f"data of type {data.dtype} and shape {data.shape}, not uint8 and {shape}")
        if isinstance(said, list):  # of integers, or of NumPy's
            labels = np.array([x if type(x) is int else _array(x).item() for x in said])
        else:
            labels = _array(said)
        return data.reshape(-1, 3, 32, 32), checked_labels(labels, len(data), num_classes)
    except OSError as error:
        raise DatasetError(f"{path}: Expected a readable file. Received: {error.strerror}") from error
    except Exception as error:  # of a damaged file, every line of the unpickler can fail in its own way
        expected = f"a batch of {f'{count} ' if count else ''}images with labels in 0…{num_classes - 1}"
        received = str(error)[:200] if isinstance(error, ValueError) else f"a malformed pickle, {error!r:.200}"
        raise DatasetError(f"{path}: Expected {expected}. Received: {received}") from error


def write_batch(
    path: str | os.PathLike[str],
    images: UInt8[np.ndarray, "n 32 32 3"],
    labels: Integer[np.ndarray, " n"],
    label_key: str = "labels",
) -> None:
    """Writes images and their labels, pickled in protocol 2 as the published batches are; the same bytes every time."""
    rows = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).reshape(len(images), PIXELS)
    with pathlib.Path(path).open("wb") as file:
        pickle.dump({"data": rows, label_key: labels.tolist()}, file, protocol=2)


def checked_labels(labels: np.ndarray, count: int, num_classes: int) -> Int64[np.ndarray, " n"]:
    """The labels, one after another; ValueError unless they are `count` whole numbers in 0…num_classes - 1."""
    labels = labels.ravel()
    if labels.dtype.kind not in "iu" or labels.shape != (count,):
        raise ValueError(f"labels of type {labels.dtype} and shape {labels.shape}")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(f"labels in {labels.min()}…{labels.max()}")
    return labels.astype(np.int64)


@dataclasses.dataclass
class _Note:
    """A name in a pickle, or a call of it, which is not made, and the state that its result would get."""

    name: str
    arguments: tuple[Any, ...] = ()
    state: Any = None

    def __call__(self, *arguments: Any) -> Any:
        if len(arguments) > 4:
            raise ValueError("a call with more arguments than an array's")
        if self.name == "encode" and arguments[1:] == ("latin1",):
            return arguments[0]  # protocol 2 writes bytes as Latin-1 text, and so they stay
        return _Note(self.name, arguments)

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _array(value: Any) -> np.ndarray:
    """The array or scalar that notes describe; ValueError for other notes and values."""
    match value:
        case _Note("_reconstruct", _, (1, shape, dtype, fortran, raw)):
            order: Any = "F" if fortran else "C"
        case _Note("_frombuffer", (raw, dtype, shape, order)):
            pass
        case _Note("scalar", (dtype, raw)):
            shape, order = (), "C"
        case _:
            raise ValueError(f"{type(value).__name__} in place of an array or a whole number")
    match dtype:
        case _Note("dtype", (str(code), *_), (3, "|" | "<" | ">" as byte_order, *_)) if code in _TYPES:
            raw = raw.encode("latin-1") if isinstance(raw, str) else raw
            return np.frombuffer(raw, byte_order + code).reshape(shape, order=order)
    raise ValueError("an array of other things than whole numbers")


class _Unpickler(pickle._Unpickler):
    """Python's own unpickler: it keeps its memo in a dictionary, so that a large index allocates nothing."""

    stack: list[Any]

    def find_class(self, module: str, name: str) -> _Note:
        if module.split(".")[0] not in ("numpy", "_codecs") or name not in _NAMES:
            raise ValueError(f"the name {module[:40]!r} {name[:40]!r}, which no batch of images holds")
        return _Note(name)

    def load_setitems(self) -> None:
        if not all(isinstance(key, str | bytes) for key in self.stack[::2]):
            raise ValueError("a key that is no text")
        super().load_setitems()  # type: ignore[misc]

    dispatch = pickle._Unpickler.dispatch | {pickle.SETITEMS[0]: load_setitems}  # type: ignore[assignment]
    for _opcode in ("SETITEM", "DICT", "EMPTY_SET", "FROZENSET"):  # the hash of nested tuples would take for ever
        del dispatch[getattr(pickle, _opcode)[0]]
