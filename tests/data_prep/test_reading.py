"""CIFAR-10.1's and 10.2's files, and contact sheets: what differs is named, nothing is run (read: `test_build`)."""

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
NAMES = np.array(datasets.CLASS_NAMES["cifar10"])


def npz_file(folder, **changed):
    """The test part of CIFAR-10.2."""
    members = {"images": IMAGES[:2_000], "labels": LABELS[:2_000], "label_names": NAMES}
    path = folder / "test.npz"
    np.savez(path, **members | {"keywords": np.array(["a", None], object), "ti_indices": np.arange(2_000)} | changed)
    return [path]


class Call:
    """Pickles as a call."""

    def __reduce__(self):
        return pytest.fail, ("ran",)


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"images": IMAGES[:1_999]}, r"images of type uint8 and shape \(1999, 32, 32, 3\)"),
        ({"images": IMAGES[:2_000].astype(float)}, r"images of type float64 .*"),
        ({"images": np.array([Call()] * 3, object)}, "Object arrays cannot be loaded"),
        ({"labels": LABELS[:1_999]}, r"labels of type int64 and shape \(1999,\)"),
        ({"labels": LABELS[:2_000] + 1}, "labels in 1…10"),
        ({"labels": NAMES[LABELS[:2_000]]}, "labels of type <U10"),
    ],
)
def test_other_arrays_are_refused(changed, found, tmp_path):
    with pytest.raises(DatasetError, match=rf"test\.npz: Expected .* Received: {found}"):
        read_published("cifar10.2", npz_file(tmp_path, **changed))


def array_file(path, declared=IMAGES.shape, size=None):
    """An .npy file, cut to a size, whose header declares a shape."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": declared})
        file.write(IMAGES.tobytes()[:size])


def cut_file(path, size):
    npz_file(path.parent)
    path.write_bytes(path.read_bytes()[:size])


def bomb(path):
    np.savez_compressed(path, images=np.zeros((6_000, 32, 32, 3), np.uint8), labels=LABELS)


@pytest.mark.parametrize(
    ("name", "write", "found"),
    [
        ("data.npy", lambda path: array_file(path, size=0), ""),
        ("data.npy", lambda path: array_file(path, size=5_000_000), ""),
        ("data.npy", lambda path: array_file(path, (2**40, 32, 32, 3), 100), ""),
        ("data.npy", lambda path: npz_file(path.parent)[0].rename(path), ""),
        ("test.npz", lambda path: cut_file(path, 0), ""),
        ("test.npz", lambda path: cut_file(path, 100), ""),
        ("test.npz", lambda path: cut_file(path, 5_000_000), ""),
        ("test.npz", array_file, ""),
        ("test.npz", os.mkfifo, "no regular file"),
        ("test.npz", bomb, "more than 16,777,216 bytes"),
    ],
)
def test_damaged_and_other_files_in_place_of_arrays_are_refused(name, write, found, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "LARGEST", 2**24)
    path = tmp_path / name
    write(path)
    with pytest.raises(DatasetError, match=rf"{path}: Expected NumPy arrays\. Received: {found}"):
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
