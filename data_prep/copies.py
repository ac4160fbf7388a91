"""Existing copies of CIFAR-10 and CIFAR-100: where to find them, and how to read Hugging Face's parquet files.

A folder of copies may be
- a folder with the archive or its unpacked folder: torchvision's `root`;
- the unpacked folder itself (`cifar-10-batches-py`);
- Keras' cache (`~/.keras/datasets`), as Keras 2 or 3 leaves it;
- a folder of Hugging Face's parquet files (`train-*.parquet`, `test-*.parquet`), or the one above it.
"""

import io
import os
import pathlib

import numpy as np
import PIL.Image
from jaxtyping import Int, UInt8

from autoaug import datasets
from autoaug.datasets.batch_file import DatasetError
from data_prep.sources import Source

_PARQUET_FOLDERS = {"cifar10": ("", "plain_text"), "cifar100": ("", "cifar100")}


def keras_cache() -> pathlib.Path:
    """The folder in which Keras keeps downloaded data."""
    return pathlib.Path(os.environ.get("KERAS_HOME") or pathlib.Path.home() / ".keras") / "datasets"


def find(source: Source, folder: pathlib.Path) -> pathlib.Path | None:
    """The folder with an archive's unpacked files, or with parquet files of the same set; None if there is none."""
    unpacked = (
        folder / source.folder,
        folder,
        folder / f"{source.folder}-target" / source.folder,  # Keras 3
    )
    parquet = [folder / below for below in _PARQUET_FOLDERS.get(source.dataset, ())]
    for path in unpacked:
        if all((path / member).is_file() for member in source.members):
            return path
    return next((path for path in parquet if is_parquet(path)), None)


def is_parquet(folder: pathlib.Path) -> bool:
    """Whether the folder holds parquet files of both parts."""
    return all(any(folder.glob(f"{part}-*.parquet")) for part in ("train", "test"))


def read_parquet(name: str, folder: pathlib.Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Part → images uint8 [n, 32, 32, 3], labels int64 [n] of Hugging Face's `cifar10` or `cifar100`.

    Raises:
        DatasetError: pyarrow is not installed, or a file does not hold such images and labels.
    """
    spec = datasets.DATASETS[name]
    column = spec.label_key.removesuffix("s")
    sizes = {"training": ("train", spec.train_size), "test": ("test", spec.test_size)}
    parts = {}
    for part, (stem, size) in sizes.items():
        pieces = [_read_table(path, column) for path in sorted(folder.glob(f"{stem}-*.parquet"))]
        images, labels = (np.concatenate(arrays) for arrays in zip(*pieces, strict=True))
        if len(labels) != size or labels.min() < 0 or labels.max() >= spec.num_classes:
            expected = f"Expected {size} images, labels 0…{spec.num_classes - 1}, in {stem}-*.parquet"
            raise DatasetError(f"{folder}: {expected}. Received: {len(labels)}, {labels.min()}…{labels.max()}")
        parts[part] = images, labels
    return parts


def _read_table(path: pathlib.Path, label_column: str) -> tuple[UInt8[np.ndarray, "n 32 32 3"], Int[np.ndarray, " n"]]:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise DatasetError(
            f"{path}: Expected pyarrow, which reads parquet files. Received: it is not installed. Run pip install "
            "pyarrow, or use another copy of the data"
        ) from error
    try:
        table = pyarrow.parquet.read_table(path, columns=["img", label_column])
        images = np.stack([_decode(cell["bytes"]) for cell in table["img"].to_pylist()])
        return images, table[label_column].to_numpy().astype(np.int64)
    except Exception as error:  # pyarrow and Pillow raise a dozen kinds of errors for damaged files
        expected = f"Expected the columns img, PNG images of 32 × 32 pixels, and {label_column}"
        raise DatasetError(f"{path}: {expected}. Received: {error}") from error


def _decode(png: bytes) -> UInt8[np.ndarray, "32 32 3"]:
    with PIL.Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        if image.size != (32, 32) or image.mode != "RGB":
            raise ValueError(f"an image of {image.size} pixels in mode {image.mode}")
        return np.asarray(image)
