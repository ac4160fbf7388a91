"""`cinic10_5k`: ImageNet's photographs in CIFAR-10's classes, from the contact sheets of CINIC-10's repository.

The sheets are lossless: tiles of 32×32 pixels with a border of one pixel. All tiles that are images of CIFAR-10 equal
them bit for bit. The tile in row r and column c begins at pixel (1 + 33 r, 1 + 33 c).

ImageNet and CIFAR-10 share some photographs, scaled down in different ways. `cinic10_near_copies.csv` lists 234 of the
5,232 distinct tiles that are not in CIFAR-10: those whose brightness, without its low and highest frequencies, has a
correlation of .70 and more with an image of CIFAR-10, and whose colours have one of .75, mirrored or shifted by up to
two pixels. It was made by `near_copies` in this file at commit cfc3efc. By eye, nearly all pairs with a correlation of
.8 and more are the same photograph; between .7 and .75 about one in eight is, and below .7 about one in thirty.
"""

import csv
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8
from PIL import Image

from autoaug import datasets
from data_prep import drawing, folders

NEAR_COPIES = pathlib.Path(__file__).with_name("cinic10_near_copies.csv")


def read_sheets(
    paths: Sequence[pathlib.Path], class_names: Sequence[str]
) -> tuple[UInt8[np.ndarray, "n 32 32 3"], Int[np.ndarray, " n"]]:
    """The distinct tiles of contact sheets in order, and their labels.

    Args:
        paths: files `cinic-<class>-….png`.
        class_names: in the order of the labels.

    Raises:
        DatasetError: a file is not an RGB picture made of such tiles.
    """
    found: dict[bytes, int] = {}
    for path in paths:
        try:
            with Image.open(path) as picture:
                sheet = np.asarray(picture)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise datasets.DatasetError(f"{path}: Expected a contact sheet, a PNG. Received: {error}") from error
        if (
            sheet.dtype != np.uint8
            or sheet.ndim != 3
            or sheet.shape[2] != 3
            or any(n % 33 != 1 for n in sheet.shape[:2])
        ):
            expected = "Expected RGB pixels, in rows and columns of tiles of 33 pixels and a border"
            raise datasets.DatasetError(f"{path}: {expected}. Received: {sheet.dtype} {sheet.shape}")
        label = class_names.index(path.name.split("-")[1])
        rows, columns = (n // 33 for n in sheet.shape[:2])
        tiles = sheet[1:, 1:].reshape(rows, 33, columns, 33, 3)[:, :32, :, :32].swapaxes(1, 2)
        for tile in tiles.reshape(-1, 32, 32, 3):
            found.setdefault(tile.tobytes(), label)
    pixels = np.frombuffer(b"".join(found), np.uint8).reshape(-1, 32, 32, 3)
    return pixels, np.fromiter(found.values(), int)


def write(folder: pathlib.Path, paths: Sequence[pathlib.Path], old: datasets.Dataset, seed: int) -> dict[str, Any]:
    """Writes `cinic10_5k`: equally many images of each class, none of them in CIFAR-10, and no near-copy of one.

    Args:
        folder: where the batch files go.
        paths: of the contact sheets, in the order of `sources.CINIC10_SHEETS`.
        old: `cifar10`.
        seed: of the draw.

    Returns:
        Entries for the manifest: what was left out, and the parts.
    """
    name = "cinic10_5k"
    images, labels = read_sheets(paths, old.class_names)
    known = datasets.overlap(images, np.concatenate([old.train_images, old.test_images]))
    with NEAR_COPIES.open(newline="") as file:
        copies = np.array([int(row["tile"]) for row in csv.DictReader(file)])
    drawable = np.where(known, -1, labels)
    drawable[copies] = -1
    rng, spec = drawing.generator(seed, name), datasets.DATASETS[name]
    sizes = [size // spec.num_classes for size in (spec.train_size, spec.test_size)]
    chosen = drawing.per_class(drawable, sizes, spec.num_classes, rng)
    parts = {part: (images[rows], labels[rows]) for part, rows in zip(("training", "test"), chosen, strict=True)}
    left_out = {"distinct tiles": len(images), "in CIFAR-10": int(known.sum()), "near-copies": len(copies)}
    return {"left_out": left_out, "parts": folders.write_parts(name, folder, parts)}
