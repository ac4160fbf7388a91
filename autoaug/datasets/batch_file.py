"""Batch files of the CIFAR "python version" format: a pickled dictionary with `data` and labels.

`data` is uint8 [n, 3072] (red, green, blue planes, row-major), the labels are a list of integers.
"""

import os
import pathlib
import pickle
import struct
from typing import Any

import numpy as np
from jaxtyping import Int64, Integer, UInt8

from autoaug.datasets.restricted_pickle import PickledArray, evaluate, type_name
from autoaug.files import require_regular

PIXELS = 3 * 32 * 32
_BYTES_PER_IMAGE = 10_000  # pixels as UTF-8 (Python 3 writing protocol 2) take up to 6,144, a file name a few dozen
_OPCODES_PER_IMAGE = 16  # a label that is a NumPy scalar takes eight, a file name two


class DatasetError(ValueError):
    """A data set that is missing, incomplete or malformed; the message names the file or folder."""


def read_batch(
    path: str | os.PathLike[str], count: int, label_key: str, num_classes: int
) -> tuple[UInt8[np.ndarray, "n 3 32 32"], Int64[np.ndarray, " n"]]:
    """Reads one batch file: its images as colour planes, and their labels.

    Args:
        path: the file.
        count: the number of images that it must hold.
        label_key: the key of the labels, "labels" or "fine_labels".
        num_classes: labels must lie in [0, num_classes).

    Raises:
        DatasetError: the file is not such a batch, or cannot be read.
    """
    path = pathlib.Path(path)
    try:
        require_regular(path, most_bytes=count * _BYTES_PER_IMAGE + 2**16)
        data = path.read_bytes()
        batch = evaluate(data, count * _OPCODES_PER_IMAGE + 1000)
        del data
        if type(batch) is not dict:
            raise ValueError(f"a pickled {type_name(batch)}, not a dictionary")
        for key in ("data", label_key):
            if key not in batch:
                raise ValueError(f"no key {key!r} but {', '.join(sorted(batch))[:200] or 'none'}")
        return _planes(batch["data"], count), _labels(batch[label_key], count, num_classes)
    except OSError as error:
        raise DatasetError(f"{path}: Expected a readable file. Received: {error.strerror}") from error
    except ValueError as error:
        expected = f"a batch of {count} images with labels in 0…{num_classes - 1}"
        raise DatasetError(f"{path}: Expected {expected}. Received: {error}") from error


def write_batch(
    path: str | os.PathLike[str],
    images: UInt8[np.ndarray, "n 32 32 3"],
    labels: Integer[np.ndarray, " n"],
    label_key: str = "labels",
) -> None:
    """Writes images and their labels (0…255) as Python 2 pickled them, protocol 2.

    Byte-identical for the same input; Python 2 and 3 read it with any NumPy (Python 3: `encoding="bytes"`).
    """
    rows = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).reshape(len(images), PIXELS)
    name = pickle.GLOBAL + b"numpy.core.multiarray\n_reconstruct\n"
    empty = name + pickle.GLOBAL + b"numpy\nndarray\n" + _integer(0) + pickle.TUPLE1 + _string(b"b") + pickle.TUPLE3
    arguments = _string(b"u1") + _integer(0) + _integer(1) + pickle.TUPLE3
    dtype_state = pickle.MARK + _integer(3) + _string(b"|") + 3 * pickle.NONE + 2 * _integer(-1) + _integer(0)
    dtype = pickle.GLOBAL + b"numpy\ndtype\n" + arguments + pickle.REDUCE + dtype_state + pickle.TUPLE + pickle.BUILD
    shape = _integer(len(rows)) + _integer(PIXELS) + pickle.TUPLE2
    array_state = pickle.MARK + _integer(1) + shape + dtype + pickle.NEWFALSE
    raw = pickle.BINSTRING + struct.pack("<i", rows.nbytes)  # the pixels follow
    items = b"".join(pickle.BININT1 + struct.pack("B", label) for label in np.asarray(labels).tolist())
    label_list = pickle.EMPTY_LIST + pickle.MARK + items + pickle.APPENDS
    start = pickle.PROTO + b"\x02" + pickle.EMPTY_DICT + pickle.MARK + _string(b"data")
    with pathlib.Path(path).open("wb") as file:
        file.write(start + empty + pickle.REDUCE + array_state + raw)
        file.write(rows.data)
        file.write(pickle.TUPLE + pickle.BUILD + _string(label_key.encode()) + label_list)
        file.write(pickle.SETITEMS + pickle.STOP)


def _integer(value: int) -> bytes:
    return pickle.BININT + struct.pack("<i", value)


def _string(value: bytes) -> bytes:
    return pickle.SHORT_BINSTRING + struct.pack("B", len(value)) + value


def _planes(array: Any, count: int) -> UInt8[np.ndarray, "n 3 32 32"]:
    if not isinstance(array, PickledArray) or array.dtype is None:
        raise ValueError(f"data of type {type_name(array)}, not an array")
    if array.dtype.code != "u1" or array.shape != (count, PIXELS):
        raise ValueError(f"data of type {array.dtype.code} and shape {array.shape}, not u1 and ({count}, {PIXELS})")
    return array.numpy().reshape(count, 3, 32, 32)


def _labels(labels: Any, count: int, num_classes: int) -> Int64[np.ndarray, " n"]:
    if isinstance(labels, PickledArray) and labels.dtype is not None and labels.dtype.code[0] in "iu":
        labels = labels.numpy().ravel().tolist()
    if type(labels) is not list or not all(type(label) is int for label in labels):
        raise ValueError("labels that are not a list of integers")
    if len(labels) != count:
        raise ValueError(f"{len(labels)} labels")
    if min(labels) < 0 or max(labels) >= num_classes:
        raise ValueError(f"labels in {min(labels)}…{max(labels)}")
    return np.array(labels, np.int64)
