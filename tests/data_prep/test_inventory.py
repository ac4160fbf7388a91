"""Tables of what is on disk."""

import json

import numpy as np
import pytest

from autoaug import datasets
from autoaug.datasets.batch_file import write_batch
from data_prep import build, inventory


@pytest.fixture
def data_dir(published, tmp_path):
    build.build(tmp_path / "data", ["cifar10.1-v4", "cifar10.2", "photo_look_100", "synthetic10"], published)
    return tmp_path / "data"


def test_every_part_is_described_as_its_manifest_says(data_dir):
    parts = inventory.parts(data_dir)
    pairs = [(name, part) for name in ("cifar10", "cifar10_12k", "photo_look_100") for part in ("training", "test")]
    assert set(pairs) < set(parts.index) and ("cifar10.1-v4", "training") not in parts.index
    for (name, part), row in parts.iterrows():
        said = json.loads((datasets.training_folder(name, data_dir) / "manifest.json").read_text())
        described = said["parts"][part]
        assert (row["source"], row["title"]) == (said["source"], datasets.TITLES[name])
        assert (row["images"], row["sha256"]) == (described["images"], described["sha256"])
        assert [row["fewest"], row["most"]] == [f(described["images_per_class"]) for f in (min, max)]
        np.testing.assert_array_equal(row.filter(like="mean, ").tolist(), described["mean"])


def test_files_without_a_manifest_and_empty_folders(tmp_path, published):
    assert inventory.parts(tmp_path).empty and all(table.empty for table in inventory.overlaps(tmp_path))
    folder = datasets.training_folder("cifar10.2", tmp_path)
    folder.mkdir(parents=True)
    write_batch(folder / "cifar10.2_test", np.zeros((20, 32, 32, 3), np.uint8), np.arange(20) % 10)
    parts = inventory.parts(tmp_path)
    assert parts.loc[("cifar10.2", "test"), ["source", "images"]].tolist() == ["unverified files", 20]


def test_overlap_and_repeats_are_counted(data_dir):
    overlaps, repeats = inventory.overlaps(data_dir)
    assert overlaps.loc["cifar10", ["cifar10", "cifar10_12k", "cifar10.2"]].tolist() == [0, 20, 1]
    assert overlaps.loc["cifar10_12k", "cifar10_12k"] == 0
    assert repeats.loc["cifar10"].to_dict() == {"training": 1, "test": 0}
