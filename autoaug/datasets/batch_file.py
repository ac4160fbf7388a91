"""Batch files of the CIFAR "python version" format: a pickled dictionary with `data` and labels.

`data` is uint8 [n, 3072] (red, green, blue planes, row-major), the labels are a list of integers.
"""

import os
import pathlib
import pickle
from typing import Any

import numpy as np
from jaxtyping import Int64, Integer, UInt8

from autoaug.datasets.numpy_pickle import loads
from autoaug.files import require_regular

PIXELS = 3 * 32 * 32
_BYTES_PER_IMAGE = 10_000  # pixels as UTF-8 (Python 3 writing protocol 2) take up to 6,144, a file name a few dozen
_MOST_IMAGES = 400_000  # where the number is not known


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
        batch = loads(path.read_bytes())
        if type(batch) is not dict:
            raise ValueError(f"a pickled {type(batch).__name__}, not a dictionary")
        batch = {key.decode("latin-1") if isinstance(key, bytes) else str(key): value for key, value in batch.items()}
        for key in ("data", label_key):
            if key not in batch:
                raise ValueError(f"no key {key!r} but {', '.join(sorted(batch))[:200] or 'none'}")
        planes = _planes(batch["data"], count)
        return planes, _labels(batch[label_key], len(planes), num_classes)
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
