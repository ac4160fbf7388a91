"""`cinic10_5k`: ImageNet's photographs in CIFAR-10's classes, from the contact sheets of CINIC-10's repository.

The sheets are lossless: tiles of 32×32 pixels with a border of one pixel. All tiles that are images of CIFAR-10 equal
them bit for bit. The tile in row r and column c begins at pixel (1 + 33 r, 1 + 33 c).

ImageNet and CIFAR-10 share some photographs, scaled down in different ways. `near_copies` finds them, and
`cinic10_near_copies.csv` lists what it found, so that every machine draws the same images. Of 5,232 distinct tiles that
are not in CIFAR-10, it lists 234. By eye, nearly all pairs with a correlation of .8 and more are the same photograph;
between .7 and .75 about one in eight is, and below .7 about one in thirty.
"""

import csv
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.ndimage
from jaxtyping import Float32, Int, UInt8
from PIL import Image

from autoaug import datasets
from data_prep import drawing, folders

NEAR_COPIES = pathlib.Path(__file__).with_name("cinic10_near_copies.csv")
CORRELATION, COLOUR = 0.70, 0.75  # a pair with at least both is called a copy
_CANDIDATES, _SHIFT = 30, 2  # images compared in detail; pixels by which two copies may be shifted


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


def near_copies(
    images: UInt8[np.ndarray, "n 32 32 3"], originals: UInt8[np.ndarray, "m 32 32 3"]
) -> tuple[Int[np.ndarray, " n"], Float32[np.ndarray, " n"], Float32[np.ndarray, " n"]]:
    """The most similar original of each image, mirrored or not.

    Among the 30 originals with the closest colours at 8×8 pixels, the one with the highest correlation is taken. The
    correlation is that of brightness without its low and highest frequencies, at the best shift of up to two pixels.

    Returns:
        Index of the original; this correlation; and the correlation of its colours at the best shift, each in [−1, 1].
    """
    coarse, detail = _coarse(originals), _detail(originals)
    index, correlation = np.zeros(len(images), int), np.full(len(images), -1, np.float32)
    mirrored = np.zeros(len(images), bool)
    for mirror in (False, True):
        turned = images[:, :, ::-1] if mirror else images
        turned_detail = _detail(turned)
        for start in range(0, len(images), 256):
            closeness = _coarse(turned[start : start + 256]) @ coarse.T
            candidates = np.argpartition(-closeness, _CANDIDATES, axis=1)[:, :_CANDIDATES]
            for row, choice in enumerate(candidates, start):
                values = _shifted_correlation(turned_detail[row][None, ..., None], detail[choice][..., None])
                best = int(values.argmax())
                if values[best] > correlation[row]:
                    index[row], correlation[row], mirrored[row] = choice[best], values[best], mirror
    turned = np.where(mirrored[:, None, None, None], images[:, :, ::-1], images)
    colour = [
        _shifted_correlation(image[None].astype(np.float32), originals[[i]].astype(np.float32))[0]
        for image, i in zip(turned, index, strict=True)
    ]
    return index, correlation, np.array(colour, np.float32)


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


def _coarse(images: UInt8[np.ndarray, "n 32 32 3"]) -> Float32[np.ndarray, "n 192"]:
    """Colours at 8×8 pixels, without each channel's mean, of length 1."""
    small = images.astype(np.float32).reshape(-1, 8, 4, 8, 4, 3).mean((2, 4))
    flat = (small - small.mean((1, 2), keepdims=True)).reshape(len(images), -1)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)


def _detail(images: UInt8[np.ndarray, "n 32 32 3"]) -> Float32[np.ndarray, "n 32 32"]:
    """Brightness between two Gaussian filters."""
    grey = images.astype(np.float32).mean(-1)
    return scipy.ndimage.gaussian_filter(grey, (0, 0.7, 0.7)) - scipy.ndimage.gaussian_filter(grey, (0, 3, 3))


def _shifted_correlation(image: np.ndarray, others: np.ndarray) -> Float32[np.ndarray, " n"]:
    """The correlation of an image [1, 32, 32, c] with each of others [n, 32, 32, c], at the best shift."""
    side, best = 32 - 2 * _SHIFT, np.full(len(others), -1, np.float32)
    centre = image[:, _SHIFT:-_SHIFT, _SHIFT:-_SHIFT].reshape(1, -1)
    centre = centre - centre.mean()
    for y in range(2 * _SHIFT + 1):
        for x in range(2 * _SHIFT + 1):
            part = others[:, y : y + side, x : x + side].reshape(len(others), -1)
            part = part - part.mean(1, keepdims=True)
            norms = np.linalg.norm(part, axis=1) * np.linalg.norm(centre)
            best = np.maximum(best, (part @ centre[0]) / np.maximum(norms, 1e-6))
    return best
