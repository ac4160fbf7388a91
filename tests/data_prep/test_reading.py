"""CIFAR-10.1's and 10.2's files at their published sizes, and contact sheets; what differs is named, nothing is run."""

import csv
import os

import numpy as np
import pytest
from PIL import Image

from autoaug import datasets
from autoaug.datasets.batch_file import DatasetError
from data_prep import drawing, reading
from data_prep.reading import read_published

IMAGES = np.random.default_rng(0).integers(0, 256, (2_021, 32, 32, 3), dtype=np.uint8)
LABELS = np.arange(2_021) % 10
NAMES = np.array(datasets.CLASS_NAMES["cifar10"])


def npy_files(folder, images=IMAGES, labels=LABELS):
    paths = folder / "data.npy", folder / "labels.npy"
    for path, array in zip(paths, (images, labels), strict=True):
        np.save(path, array)
    return paths


def npz_file(folder, **changed):
    """The test part of CIFAR-10.2."""
    members = {"images": IMAGES[:2_000], "labels": LABELS[:2_000], "label_names": NAMES}
    path = folder / "test.npz"
    np.savez(path, **members | {"keywords": np.array(["a", None], object), "ti_indices": np.arange(2_000)} | changed)
    return [path]


@pytest.mark.parametrize(("name", "size"), [("cifar10.1-v4", 2_021), ("cifar10.1-v6", 2_000)])
def test_reads_cifar101(name, size, tmp_path):
    images, labels = read_published(name, npy_files(tmp_path, IMAGES[:size], LABELS[:size].astype(np.uint8)))["test"]
    np.testing.assert_array_equal(images, IMAGES[:size])
    np.testing.assert_array_equal(labels, LABELS[:size])
    assert labels.dtype == np.int64


def test_reads_cifar102_and_leaves_object_arrays_alone(tmp_path):
    parts = read_published("cifar10.2", npz_file(tmp_path))
    np.testing.assert_array_equal(parts["test"][0], IMAGES[:2_000])
    np.testing.assert_array_equal(parts["test"][1], LABELS[:2_000])
    assert list(parts) == ["test"]


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


@pytest.mark.parametrize("size", [0, 100, 5_000_000])
def test_cut_files_are_refused(size, tmp_path):
    for name, paths in (("cifar10.2", npz_file(tmp_path)), ("cifar10.1-v4", npy_files(tmp_path))):
        paths[0].write_bytes(paths[0].read_bytes()[:size])
        with pytest.raises(DatasetError, match=rf"{paths[0]}: Expected NumPy arrays\. Received: "):
            read_published(name, paths)


def test_sizes_that_are_only_declared_take_no_memory(tmp_path, monkeypatch):
    header = np.lib.format.header_data_from_array_1_0(IMAGES) | {"shape": (2**40, 32, 32, 3)}
    with (tmp_path / "data.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(DatasetError, match=r"data\.npy: Expected NumPy arrays"):
        read_published("cifar10.1-v4", [tmp_path / "data.npy"] * 2)
    monkeypatch.setattr(reading, "LARGEST", 2**20)
    np.savez_compressed(tmp_path / "test.npz", images=np.zeros((2_000, 32, 32, 3), np.uint8), labels=LABELS[:2_000])
    with pytest.raises(DatasetError, match=r"test\.npz: Expected NumPy arrays\. Received: 6,\d+,\d+ bytes unpacked"):
        read_published("cifar10.2", [tmp_path / "test.npz"])


def test_other_files_in_place_of_arrays_are_refused(tmp_path):
    path = tmp_path / "test.npz"
    os.mkfifo(path)
    with pytest.raises(DatasetError, match=r"test\.npz: Expected NumPy arrays\. Received: no regular file"):
        read_published("cifar10.2", [path])
    path.unlink()
    with path.open("wb") as file:  # no archive
        np.save(file, IMAGES[:1])
    with pytest.raises(DatasetError, match=r"test\.npz: Expected NumPy arrays\. Received: "):
        read_published("cifar10.2", [path])
    with pytest.raises(DatasetError, match=r"data\.npy: Expected NumPy arrays\. Received: "):
        read_published("cifar10.1-v4", [npz_file(tmp_path)[0].rename(tmp_path / "data.npy")] * 2)


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


def test_the_committed_list_names_each_tile_once():
    with drawing.NEAR_COPIES.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len({row["tile"] for row in rows}) == 234
