"""Damaged files of CIFAR-10.1 and 10.2, and contact sheets (whole ones: `test_build`; other arrays: `test_own`)."""

import os

import numpy as np
import pytest
from PIL import Image

from autoaug import datasets
from autoaug.datasets.batch_file import DatasetError
from data_prep import reading
from data_prep.reading import read_published

IMAGES = np.random.default_rng(0).integers(0, 256, (2_021, 32, 32, 3), dtype=np.uint8)
LABELS = np.arange(2_021) % 10


def npz_file(path):
    """The test part of CIFAR-10.2."""
    np.savez(path.with_name("test.npz"), images=IMAGES[:2_000], labels=LABELS[:2_000])
    return path.with_name("test.npz")


def array_file(path, declared=IMAGES.shape, size=None):
    """An .npy file, cut to a size, whose header declares a shape."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": declared})
        file.write(IMAGES.tobytes()[:size])


def cut_file(path, size):
    npz_file(path)
    path.write_bytes(path.read_bytes()[:size])


def bomb(path):
    np.savez_compressed(path, images=np.zeros((6_000, 32, 32, 3), np.uint8), labels=LABELS)


@pytest.mark.parametrize(
    ("name", "write", "found"),
    [
        ("data.npy", lambda path: array_file(path, size=0), ""),
        ("data.npy", lambda path: array_file(path, size=5_000_000), ""),
        ("data.npy", lambda path: array_file(path, (2**40, 32, 32, 3), 100), ""),
        ("data.npy", lambda path: npz_file(path).rename(path), ""),
        ("test.npz", lambda path: cut_file(path, 0), ""),
        ("test.npz", lambda path: cut_file(path, 5_000_000), ""),
        ("test.npz", array_file, ""),
        ("test.npz", lambda path: np.savez(path, images=IMAGES[:9], labels=LABELS[:9]), r"images .* shape \(9, 32"),
        ("test.npz", os.mkfifo, "no regular file"),
        ("test.npz", bomb, "more than 16,777,216 bytes"),
    ],
)
def test_damaged_and_other_files_in_place_of_arrays_are_refused(name, write, found, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "LARGEST", 2**24)
    path = tmp_path / name
    write(path)
    with pytest.raises(DatasetError, match=rf"{path}: Expected NumPy arrays: .* Received: {found}"):
        read_published("cifar10.2", [path]) if path.suffix == ".npz" else read_published("cifar10.1-v4", [path] * 2)


def sheet(tiles, rows, columns):
    """Tiles [n, 32, 32, 3] in rows and columns, with borders of one pixel."""
    pixels = np.full((1 + 33 * rows, 1 + 33 * columns, 3), 255, np.uint8)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        pixels[1 + 33 * row : 33 + 33 * row, 1 + 33 * column : 33 + 33 * column] = tile
    return pixels


def test_tiles_are_read_to_the_bit_and_repeats_once(tmp_path):
    tiles = IMAGES[:6]
    for name, chosen in (("bird", tiles[:4]), ("cat", tiles[[1, 4, 5, 5]])):
        Image.fromarray(sheet(chosen, 2, 2)).save(tmp_path / f"cinic-{name}-1234567.png")
    paths = [tmp_path / f"cinic-{name}-1234567.png" for name in ("bird", "cat")]
    images, labels = reading.read_sheets(paths, datasets.CLASS_NAMES["cifar10"])
    np.testing.assert_array_equal(images, tiles)
    assert labels.tolist() == [2, 2, 2, 2, 3, 3]


@pytest.mark.parametrize("damage", ["truncated", "text", "size", "grey"])
def test_a_sheet_of_another_form_is_named(tmp_path, damage):
    path = tmp_path / "cinic-bird-1234567.png"
    pixels = sheet(IMAGES[:4], 2, 2)
    Image.fromarray({"size": pixels[:-1], "grey": pixels[..., 0]}.get(damage, pixels)).save(path)
    if damage in ("truncated", "text"):
        path.write_bytes(path.read_bytes()[:800] if damage == "truncated" else b"no picture")
    with pytest.raises(DatasetError, match=r"cinic-bird-1234567\.png: Expected.*Received"):
        reading.read_sheets([path], datasets.CLASS_NAMES["cifar10"])
