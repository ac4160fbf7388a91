"""Batch files of the CIFAR "python version" format: a pickled dictionary with `data` and labels.

`data` is uint8 [n, 3072] (red, green, blue planes, row-major), the labels are a list of integers. Nothing that a file
names is imported or called: to the unpickler, a name is a text, and it knows what five of them mean for an array.
"""

import dataclasses
import io
import math
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
_CORES = "core", "_core"  # NumPy 1 and 2
_MODULES = ("numpy", "_codecs", *(f"numpy.{core}.{file}" for core in _CORES for file in ("multiarray", "numeric")))
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
        batch = _loads(path.read_bytes())
        if not isinstance(batch, _Batch):
            raise ValueError(f"a pickled {type(batch).__name__}, not a dictionary")
        for key in ("data", label_key):
            if key not in batch:
                raise ValueError(f"no key {key!r} but {', '.join(sorted(batch))[:200] or 'none'}")
        data, labels = (
            value.values() if isinstance(value, _Array) else value for value in (batch["data"], batch[label_key])
        )
        planes = _planes(data, count)
        return planes, _labels(labels, len(planes), num_classes)
    except OSError as error:
        raise DatasetError(f"{path}: Expected a readable file. Received: {error.strerror}") from error
    except (ValueError, MemoryError) as error:
        expected = f"a batch of {f'{count} ' if count else ''}images with labels in 0…{num_classes - 1}"
        raise DatasetError(f"{path}: Expected {expected}. Received: {error or 'more than fits in memory'}") from error


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


def _planes(array: Any, count: int | None) -> UInt8[np.ndarray, "n 3 32 32"]:
    if not isinstance(array, np.ndarray):
        raise ValueError(f"data of type {type(array).__name__}, not an array")
    shape = (count or max(array.size // PIXELS, 1), PIXELS)
    if array.dtype != np.uint8 or array.shape != shape:
        raise ValueError(f"data of type {array.dtype} and shape {array.shape}, not uint8 and {shape}")
    return array.reshape(-1, 3, 32, 32)


def _labels(labels: Any, count: int, num_classes: int) -> Int64[np.ndarray, " n"]:
    if isinstance(labels, np.ndarray) and labels.dtype.kind in "iu":
        labels = labels.ravel().tolist()
    if type(labels) is not list or not all(type(label) is int for label in labels):
        raise ValueError("labels that are not a list of integers")
    if len(labels) != count:
        raise ValueError(f"{len(labels)} labels")
    if min(labels) < 0 or max(labels) >= num_classes:
        raise ValueError(f"labels in {min(labels)}…{max(labels)}")
    return np.array(labels, np.int64)


class _Batch(dict[str, Any]):
    """A dictionary whose keys are text: the hash of nested tuples would take for ever."""

    def __setitem__(self, key: Any, value: Any) -> None:
        if not isinstance(key, str | bytes):
            raise ValueError("a key that is no text")
        super().__setitem__(key if isinstance(key, str) else key.decode("latin-1"), value)


@dataclasses.dataclass
class _DType:
    """A type of numbers; its byte order comes after it has been used."""

    dtype: np.dtype


@dataclasses.dataclass
class _Array:
    """What a pickle says of an array; Python 2 and protocol 2 write its bytes as Latin-1 text."""

    shape: Any = None
    dtype: _DType | None = None
    fortran: Any = False
    raw: Any = b""

    def values(self) -> np.ndarray:
        """The array, read-only; ValueError unless it has as many bytes as its shape needs."""
        sizes = self.shape if type(self.shape) is tuple and len(self.shape) <= 4 else (None,)
        if self.dtype is None or not all(type(size) is int and 0 <= size < 2**31 for size in sizes):
            raise ValueError("an array of impossible shape or without its bytes")
        dtype = self.dtype.dtype
        if type(self.raw) not in (bytes, str) or math.prod(sizes) * dtype.itemsize != len(self.raw):
            raise ValueError(f"an array of type {dtype} and shape {sizes} in another number of bytes")
        raw = self.raw.encode("latin-1") if isinstance(self.raw, str) else self.raw
        return np.frombuffer(raw, dtype).reshape(sizes, order="F" if self.fortran else "C")


def _call(name: Any, arguments: Any) -> Any:
    """The value of a call in a pickle, if it is one of those that make arrays, numbers and Latin-1 text."""
    match name, arguments:
        case "encode", (str(text), "latin1"):
            return text
        case "dtype", ("b1" | "i1" | "i2" | "i4" | "i8" | "u1" | "u2" | "u4" | "u8" | "f4" | "f8" as code, _, _):
            return _DType(np.dtype(code))
        case "_reconstruct", ("ndarray", (0,), "b" | b"b"):
            return _Array()
        case "_frombuffer", (raw, _DType() as dtype, shape, order):
            return _Array(shape, dtype, order == "F", raw)
        case "scalar", (_DType() as dtype, raw):
            return _Array((), dtype, False, raw).values().item()
    raise ValueError("a call that no batch of images needs")


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

    read: Any
    stack: list[Any]

    def find_class(self, module: str, name: str) -> str:
        if module not in _MODULES:
            raise ValueError(f"the name {module[:40]!r} {name[:40]!r}, which no batch of images holds")
        return name

    def skip_frame(self) -> None:
        self.read(8)

    def reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = _call(self.stack[-1], arguments)

    def build(self) -> None:
        state = self.stack.pop()
        match self.stack[-1], state:
            case _DType() as made, (3, "|" | "<" | ">" as order, None, None, None, *_):
                made.dtype = made.dtype.newbyteorder(order)
            case _Array() as made, (1, shape, _DType() as dtype, fortran, raw):
                made.shape, made.dtype, made.fortran, made.raw = shape, dtype, fortran, raw
            case _:
                raise ValueError("an object that no batch of images holds")

    dispatch = {code: pickle._Unpickler.dispatch[code] for code in _OPCODES} | {
        pickle.FRAME[0]: skip_frame,
        pickle.REDUCE[0]: reduce,
        pickle.BUILD[0]: build,
        pickle.EMPTY_DICT[0]: lambda self: self.append(_Batch()),
        pickle.BYTEARRAY8[0]: pickle._Unpickler.dispatch[pickle.BINBYTES8[0]],
    }


def _loads(content: bytes) -> Any:
    """The value of a pickle of protocol 2 to 5; ValueError if it holds anything but what a batch of images needs."""
    try:
        return _Unpickler(_File(content), encoding="latin-1").load()
    except KeyError as error:
        raise ValueError(f"a malformed pickle, or one with the opcode {error}") from error
    except Exception as error:  # of a damaged file, every line of the unpickler can fail in its own way
        raise ValueError(f"a malformed pickle: {str(error) or type(error).__name__}"[:200]) from error
