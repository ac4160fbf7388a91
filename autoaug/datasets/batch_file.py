"""Batch files of the CIFAR "python version" format: a pickled dictionary with `data` and labels.

`data` is uint8 [n, 3072] (red, green, blue planes, row-major), the labels are a list of integers. Nothing that a file
names is imported or called: a name is a text, and a call is a note, which is read if it describes an array.
"""

import dataclasses
import io
import os
import pathlib
import pickle
from typing import Any

import numpy as np
from jaxtyping import Int64, Integer, UInt8

from autoaug.files import require_regular

PIXELS = 3 * 32 * 32
_BYTES_PER_IMAGE = 10_000  # pixels as UTF-8 (Python 3 writing protocol 2) take up to 6,144, a file name a few dozen
_MOST_IMAGES = 400_000  # where the number is not known
_NAMES = ("_reconstruct", "_frombuffer", "scalar", "ndarray", "dtype", "encode")  # of numpy, and of _codecs the last
_TYPES = ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8")
_OPCODES = [
    getattr(pickle, name)[0]
    for name in """
PROTO STOP NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT BINSTRING SHORT_BINSTRING BINUNICODE
SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8 EMPTY_LIST APPEND APPENDS SETITEM SETITEMS EMPTY_TUPLE
TUPLE TUPLE1 TUPLE2 TUPLE3 MARK BINPUT LONG_BINPUT MEMOIZE BINGET LONG_BINGET GLOBAL STACK_GLOBAL
    """.split()  # noqa: SIM905
]


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
        require_regular(path, most_bytes=(count or _MOST_IMAGES) * _BYTES_PER_IMAGE + 2**16)
        batch = _Unpickler(_File(path.read_bytes()), encoding="latin-1").load()
        if not isinstance(batch, _Batch) or not {"data", label_key} <= batch.keys():
            raise ValueError(f"no dictionary with data and {label_key}")
        data = _array(batch["data"])
        shape = (count or max(data.size // PIXELS, 1), PIXELS)
        if data.dtype != np.uint8 or data.shape != shape:
            raise ValueError(f"data of type {data.dtype} and shape {data.shape}, not uint8 and {shape}")
        return data.reshape(-1, 3, 32, 32), _labels(batch[label_key], len(data), num_classes)
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


def _labels(value: Any, count: int, num_classes: int) -> Int64[np.ndarray, " n"]:
    """Labels from an array, or from a list of integers or of NumPy's integers."""
    if type(value) is list:
        labels = np.array([x if type(x) is int else _array(x).item() for x in value])
    else:
        labels = _array(value)
    return checked_labels(labels, count, num_classes)


def checked_labels(labels: np.ndarray, count: int, num_classes: int) -> Int64[np.ndarray, " n"]:
    """The labels, one after another; ValueError unless they are `count` whole numbers in 0…num_classes - 1."""
    labels = labels.ravel()
    if labels.dtype.kind not in "iu" or labels.shape != (count,):
        raise ValueError(f"labels of type {labels.dtype} and shape {labels.shape}")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(f"labels in {labels.min()}…{labels.max()}")
    return labels.astype(np.int64)


@dataclasses.dataclass
class _Call:
    """A call in a pickle, which is not made, and the state that its result would get."""

    name: Any
    arguments: Any
    state: Any = None


def _array(value: Any) -> np.ndarray:
    """The array or scalar, read-only, that calls describe; ValueError for other calls and values."""
    match value:
        case _Call("_reconstruct", _, (1, shape, dtype, fortran, raw)):
            order: Any = "F" if fortran else "C"
        case _Call("_frombuffer", (raw, dtype, shape, order)):
            pass
        case _Call("scalar", (dtype, raw)):
            shape, order = (), "C"
        case _:
            raise ValueError(f"{type(value).__name__} in place of an array or a whole number")
    match raw:  # Python 2 and protocol 2 write bytes as Latin-1 text
        case str(text) | _Call("encode", (str(text), "latin1")):
            raw = text.encode("latin-1")
    match dtype:
        case _Call("dtype", (str(code), *_), (3, "|" | "<" | ">" as byte_order, *_)) if code in _TYPES:
            return np.frombuffer(raw, byte_order + code).reshape(shape, order=order)
    raise ValueError("an array of other things than whole numbers")


class _Batch(dict[str, Any]):
    """A dictionary whose keys are text: the hash of nested tuples would take for ever."""

    def __setitem__(self, key: Any, value: Any) -> None:
        match key:
            case str(text) | bytes(text) | _Call("encode", (str(text), "latin1")) if len(text) < 100:
                super().__setitem__(text if isinstance(text, str) else text.decode("latin-1"), value)
            case _:
                raise ValueError("a key that is no short text")


class _File(io.BytesIO):
    """A file that is given up after more steps than a batch of images takes."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.steps = len(content) // 3072 * 40 + 1000  # a label that is a NumPy scalar takes about twenty

    def read(self, size: int | None = -1) -> bytes:
        self.steps -= 1
        if self.steps < 0:
            raise ValueError("more steps than a batch of images takes")
        return super().read(size)


class _Unpickler(pickle._Unpickler):
    """Python's own unpickler, without the opcodes that make other objects; what is declared is never allocated."""

    append: Any
    read: Any
    stack: list[Any]

    def find_class(self, module: str, name: str) -> str:
        if module.split(".")[0] not in ("numpy", "_codecs") or name not in _NAMES:
            raise ValueError(f"the name {module[:40]!r} {name[:40]!r}, which no batch of images holds")
        return name

    def reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = _Call(self.stack[-1], arguments)

    def build(self) -> None:
        state = self.stack.pop()
        self.stack[-1].state = state

    dispatch = {code: pickle._Unpickler.dispatch[code] for code in _OPCODES} | {
        pickle.FRAME[0]: lambda self: self.read(8),
        pickle.REDUCE[0]: reduce,
        pickle.BUILD[0]: build,
        pickle.EMPTY_DICT[0]: lambda self: self.append(_Batch()),
        pickle.BYTEARRAY8[0]: pickle._Unpickler.dispatch[pickle.BINBYTES8[0]],
    }
