"""Contact sheets of CINIC-10: read without loss."""

import csv

import numpy as np
import pytest
from PIL import Image

from autoaug import datasets
from data_prep import drawing, reading


def sheet(tiles, rows, columns):
    """Tiles [n, 32, 32, 3] in rows and columns, with borders of one pixel."""
    pixels = np.full((1 + 33 * rows, 1 + 33 * columns, 3), 255, np.uint8)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        pixels[1 + 33 * row : 33 + 33 * row, 1 + 33 * column : 33 + 33 * column] = tile
    return pixels


def photographs(n):
    return np.random.default_rng(0).integers(0, 256, (n, 32, 32, 3), np.uint8)


def test_tiles_are_read_to_the_bit_and_repeats_once(tmp_path):
    tiles = photographs(6)
    for name, chosen in (("bird", tiles[:4]), ("cat", tiles[[1, 4, 5, 5]])):
        Image.fromarray(sheet(chosen, 2, 2)).save(tmp_path / f"cinic-{name}-1234567.png")
    paths = [tmp_path / f"cinic-{name}-1234567.png" for name in ("bird", "cat")]
    images, labels = reading.read_sheets(paths, datasets.CLASS_NAMES["cifar10"])
    np.testing.assert_array_equal(images, tiles)
    assert labels.tolist() == [2, 2, 2, 2, 3, 3]


@pytest.mark.parametrize("damage", ["truncated", "text", "size", "grey"])
def test_a_sheet_of_another_form_is_named(tmp_path, damage):
    path = tmp_path / "cinic-bird-1234567.png"
    pixels = sheet(photographs(4), 2, 2)
    Image.fromarray({"size": pixels[:-1], "grey": pixels[..., 0]}.get(damage, pixels)).save(path)
    if damage in ("truncated", "text"):
        path.write_bytes(path.read_bytes()[:800] if damage == "truncated" else b"no picture")
    with pytest.raises(datasets.DatasetError, match=r"cinic-bird-1234567\.png: Expected.*Received"):
        reading.read_sheets([path], datasets.CLASS_NAMES["cifar10"])


def test_the_committed_list_names_each_tile_once():
    with drawing.NEAR_COPIES.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len({row["tile"] for row in rows}) == 234
