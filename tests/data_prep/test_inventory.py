"""Tables of what is on disk."""

import json

import numpy as np
import pytest

from autoaug import datasets
from autoaug.datasets.batch_file import DatasetError, write_batch
from data_prep import inventory, subsets


@pytest.fixture
def data_dir(published, tmp_path):
    subsets.build(tmp_path / "data", ["cifar100", "cifar10.1-v4", "photo_look_20"], published)
    return tmp_path / "data"


def test_every_part_is_described_as_its_manifest_says(data_dir):
    parts = inventory.parts(data_dir)
    names = ("cifar10", "cifar100", "cifar10_12k", "photo_look_20")
    pairs = [(name, part) for name in names for part in ("training", "test")]
    assert set(parts.index) == {*pairs, ("cifar10.1-v4", "test")}
    for (name, part), row in parts.iterrows():
        said = json.loads((datasets.training_folder(name, data_dir) / "manifest.json").read_text())
        described = said["parts"][part]
        assert (row["source"], row["images"], row["sha256"]) == (
            said["source"],
            described["images"],
            described["sha256"],
        )
        assert [row["fewest"], row["most"]] == [f(described["images_per_class"]) for f in (min, max)]
        np.testing.assert_array_equal(row.filter(like="mean, ").tolist(), described["mean"])
        np.testing.assert_array_equal(row.filter(like="std, ").tolist(), described["std"])


def test_a_damaged_set_is_named(data_dir):
    write_batch(datasets.training_folder("photo_look_20", data_dir) / "photo_look_20_test", *blank(20))
    with pytest.raises(DatasetError, match="photo_look_20/training: Expected the test part of its manifest"):
        inventory.parts(data_dir)


def blank(count):
    return np.zeros((count, 32, 32, 3), np.uint8), np.arange(count) % 10


def test_files_without_a_manifest_are_described_too(tmp_path, published):
    folder = datasets.training_folder("cifar10.2", tmp_path)
    folder.mkdir(parents=True)
    write_batch(folder / "cifar10.2_test", *blank(20))
    parts = inventory.parts(tmp_path)
    assert parts.loc[("cifar10.2", "test"), ["source", "images", "fewest"]].tolist() == ["unverified files", 20, 2]
    assert (
        inventory.origins(tmp_path).empty and inventory.known_truth(tmp_path).empty and inventory.notes(tmp_path).empty
    )


def test_origins_what_was_done_and_what_must_come_out(data_dir):
    origins = inventory.origins(data_dir)
    assert origins.loc[("photo_look_20", "test")].to_dict() == {
        "cifar10 training": 0, "cifar10 test": 20, "new_look": 0,
    }  # fmt: skip
    assert origins.loc[("cifar10_12k", "training")].to_dict() == {
        "cifar10 training": 100, "cifar10 test": 0, "new_look": 0,
    }  # fmt: skip
    known = inventory.known_truth(data_dir)
    truth = datasets.KNOWN_TRUTH["photo_look_20"]
    expected = {
        "original": "cifar10_12k", "harder": truth.harder, "different": truth.different, "expected": truth.sentence,
    }  # fmt: skip
    assert known.to_dict("index") == {"photo_look_20": expected}


def test_notes_are_those_of_the_manifests(data_dir):
    assert inventory.notes(data_dir).empty
    path = datasets.training_folder("cifar10", data_dir) / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"notes": ["first", "second"]}))
    notes = inventory.notes(data_dir)
    assert list(notes.items()) == [("cifar10", "first"), ("cifar10", "second")]
