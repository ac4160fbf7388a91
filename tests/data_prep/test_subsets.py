"""Sets built from the published files in miniature: balanced, disjoint, reproducible, described by their manifests."""

import json
import multiprocessing
import pathlib

import numpy as np
import pytest

from autoaug import datasets
from autoaug.datasets.batch_file import DatasetError
from data_prep import drawing, folders, sources, subsets

MIXED = ["cifar102", "cifar102_30k"]
DRAWN = [name for name in subsets.DRAWN_FROM if name in ("cifar10_10k", "cifar10_30k", "cifar10_12k", *MIXED)]
BUILT = [*sources.FILES, *DRAWN, *datasets.HALVES]


def contents(folder):
    """Every file below the folder but the locks."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def manifest(data_dir, name):
    return json.loads((data_dir / name / "training" / "manifest.json").read_text())


def origins(data_dir, name):
    """Per part, where each image comes from."""
    spec, folder = datasets.DATASETS[name], data_dir / name / "training"
    files = {"training": spec.training_files[0], "test": spec.test_file}
    return {part: np.load(folder / f"{file}_origins.npy") for part, file in files.items()}


@pytest.fixture
def data_dir(tmp_path):
    return tmp_path / "data"


def test_every_set_is_built_loads_and_is_described(published, data_dir):
    done = subsets.build(data_dir, BUILT, published)
    assert done == dict.fromkeys(BUILT, "written")
    assert set(subsets.SETS) == set(datasets.DATASETS) - set(datasets.EMBEDDED)
    assert set(datasets.available(data_dir)) == set(BUILT)
    for name, spec in ((name, datasets.DATASETS[name]) for name in BUILT):
        described, test = manifest(data_dir, name), datasets.load_test(name, data_dir)
        parts = {"test": (test.images, test.labels)}
        if spec.training_files:
            dataset = datasets.load(name, data_dir)
            parts["training"] = dataset.train_images, dataset.train_labels
        assert described["name"] == name
        assert described["parts"].keys() == parts.keys()
        for part, (images, labels) in parts.items():
            counts = np.bincount(labels, minlength=spec.num_classes)
            assert len(set(counts)) == 1  # as many of each class
            mean, std = datasets.channel_statistics(images)
            expected = {
                "images": len(images), "images_per_class": counts.tolist(), "mean": mean.tolist(), "std": std.tolist(),
                "sha256": datasets.content_hash(images, labels),
            }  # fmt: skip
            assert {key: described["parts"][part][key] for key in expected} == expected
        assert described["files"] == folders.file_hashes(data_dir / name / "training")
        assert described["autoaug"] == "0.1.0"


def test_published_sets_are_rewritten_as_they_are(published, data_dir):
    subsets.build(data_dir, ["cifar10.1-v4", "cifar105", "cifar10.2"], published)
    test = datasets.load_test("cifar10.1-v4", data_dir)
    np.testing.assert_array_equal(test.images, np.load(published / "cifar10.1_v4_data.npy"))
    np.testing.assert_array_equal(test.labels, np.load(published / "cifar10.1_v4_labels.npy"))
    with np.load(published / "cifar102_test.npz") as arrays:
        for name in ("cifar105", "cifar10.2"):
            np.testing.assert_array_equal(datasets.load_test(name, data_dir).images, arrays["images"])
            np.testing.assert_array_equal(datasets.load_test(name, data_dir).labels, arrays["labels"])
    described = manifest(data_dir, "cifar105")
    assert (described["source"], described["notes"]) == ("CIFAR-10.2", [])
    for source in sources.FILES["cifar105"]:
        assert described["inputs"][source.file] == {"verified": True, "hashes": {source.file: source.hashes}}


@pytest.mark.parametrize("name", DRAWN)
def test_parts_of_a_drawn_set_are_disjoint_and_from_where_the_origins_say(published, data_dir, name):
    subsets.build(data_dir, [name], published)
    dataset, old = datasets.load(name, data_dir), datasets.load("cifar10", data_dir)
    pools = [(old.train_images, old.train_labels)]
    if name in MIXED:
        new = datasets.load("cifar105", data_dir)
        pools += [(new.train_images, new.train_labels), (new.test_images, new.test_labels)]
    for part, images, labels in (
        ("training", dataset.train_images, dataset.train_labels), ("test", dataset.test_images, dataset.test_labels),
    ):  # fmt: skip
        for image, label, (pool, index) in zip(images, labels, origins(data_dir, name)[part], strict=True):
            np.testing.assert_array_equal(image, pools[pool][0][index])
            assert label == pools[pool][1][index]
        counts = manifest(data_dir, name)["parts"][part]["origins"]
        assert counts == {
            drawing.POOLS[pool]: int((origins(data_dir, name)[part]["pool"] == pool).sum())
            for pool in range(len(pools))
        }
    everything = np.concatenate([dataset.train_images, dataset.test_images])
    assert not datasets.repeated(everything).any()


@pytest.mark.parametrize(
    ("new_fraction", "counts"),
    [(0, ([80, 0, 0], [20, 0, 0])), (0.5, ([40, 40, 0], [10, 0, 10])), (1, ([0, 80, 0], [0, 0, 20]))],
)
def test_the_share_of_new_images(published, data_dir, new_fraction, counts):
    """New test images come from CIFAR-10.2's test part, new training images never."""
    subsets.build(data_dir, ["cifar102"], published, new_fraction=new_fraction)
    for part, expected in zip(("training", "test"), counts, strict=True):
        assert list(manifest(data_dir, "cifar102")["parts"][part]["origins"].values()) == expected
    assert manifest(data_dir, "cifar102")["new_fraction"] == new_fraction
    assert "new_fraction" not in manifest(data_dir, "cifar10")


def test_the_default_share_is_what_the_larger_set_allows(published, data_dir):
    subsets.build(data_dir, MIXED, published)
    for name in MIXED:
        described = manifest(data_dir, name)
        assert described["new_fraction"] == 0.4
        assert described["source"] == "CIFAR-10 and CIFAR-10.2"
        assert {source: value["source"] for source, value in described["inputs"].items()} == {
            "cifar10": "CIFAR-10", "cifar105": "CIFAR-10.2",
        }  # fmt: skip
    with pytest.raises(DatasetError, match=r"cifar102_30k: Expected new_fraction of at most 0\.4\. Received: 0\.41"):
        subsets.build(data_dir, ["cifar102_30k"], published, new_fraction=0.41)


def test_repeated_and_common_images_are_not_drawn(published, data_dir):
    """All images of CIFAR-10 in miniature are asked for, but one is there twice and one is in CIFAR-10.2, too."""
    subsets.build(data_dir, ["cifar102"], published, new_fraction=0)
    old, new = (datasets.load(name, data_dir) for name in ("cifar10", "cifar105"))
    assert np.flatnonzero(datasets.repeated(old.train_images)).tolist() == [7]
    assert np.flatnonzero(datasets.overlap(old.train_images, new.test_images)).tolist() == [11]
    for seed in range(1, 9):
        subsets.build(data_dir, ["cifar102"], published, seed=seed, new_fraction=0)
        drawn = np.concatenate(list(origins(data_dir, "cifar102").values()))["index"]
        assert not set(drawn) & {7, 11}


def test_the_halves_of_cifar10_share_no_image_and_each_is_the_test_part_of_the_other(published, data_dir):
    subsets.build(data_dir, list(datasets.HALVES), published)
    first, second = (datasets.load(name, data_dir) for name in datasets.HALVES)
    assert (first.sha256, first.test_sha256) == (second.test_sha256, second.sha256)
    assert first.source == "CIFAR-10"
    old, drawn = datasets.load("cifar10", data_dir), origins(data_dir, "cifar10_half_a")
    pools = {0: (old.train_images, old.train_labels), 3: (old.test_images, old.test_labels)}
    for images, labels, part in (
        (first.train_images, first.train_labels, "training"), (first.test_images, first.test_labels, "test"),
    ):  # fmt: skip
        for pool, size in ((0, 25), (3, 5)):  # of each class
            rows = drawn[part]["pool"] == pool
            np.testing.assert_array_equal(images[rows], pools[pool][0][drawn[part]["index"][rows]])
            np.testing.assert_array_equal(labels[rows], pools[pool][1][drawn[part]["index"][rows]])
            np.testing.assert_array_equal(np.bincount(labels[rows]), [size] * 10)
        assert manifest(data_dir, "cifar10_half_a")["parts"][part]["origins"] == {
            "cifar10 training": 250, "cifar10 test": 50,
        }  # fmt: skip
    everything = np.concatenate([drawn["training"], drawn["test"]])
    assert len(np.unique(everything)) == 600


def test_overlap_and_duplicates_are_counted(published, data_dir):
    subsets.build(data_dir, ["cifar10_10k", "cifar10.2"], published)
    overlaps, repeats = datasets.overlap_tables(data_dir)
    assert overlaps.loc["cifar10"].to_dict() == {"cifar10": 0, "cifar10_10k": 20, "cifar10.2": 1}
    assert overlaps.loc["cifar10_10k", "cifar10_10k"] == 0
    assert repeats.loc["cifar10"].to_dict() == {"training": 1, "test": 0}


def test_same_inputs_and_seed_give_the_same_bytes(published, tmp_path):
    subsets.build(tmp_path / "a", DRAWN, published, seed=3)
    for name in reversed(DRAWN):  # one by one, in another order
        subsets.build(tmp_path / "b", [name], published, seed=3)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    subsets.build(tmp_path / "c", DRAWN, published, seed=4)
    for name in DRAWN:
        a, c = (contents(tmp_path / folder / name) for folder in "ac")
        assert all(a[file] != c[file] for file in a)
    assert contents(tmp_path / "a" / "cifar10") == contents(tmp_path / "c" / "cifar10")
    everything = b"".join(contents(tmp_path / "a").values())
    assert str(tmp_path).encode() not in everything  # no path of this machine is written


def test_only_what_is_missing_or_outdated_is_built(published, data_dir):
    subsets.build(data_dir, ["cifar10_10k", "cifar10_12k"], published)
    before = {path: path.stat().st_mtime_ns for path in data_dir.rglob("*_train*")}
    for path in published.iterdir():
        path.unlink() if path.is_file() else None  # the archives are needed no more
    names = ["cifar10_10k", "cifar10_12k"]
    assert subsets.build(data_dir, names, published) == dict.fromkeys(["cifar10", *names], "there already")
    assert {path: path.stat().st_mtime_ns for path in data_dir.rglob("*_train*")} == before
    done = subsets.build(data_dir, ["cifar10_12k"], published, seed=1)
    assert done == {"cifar10": "there already", "cifar10_12k": "written"}
    assert (manifest(data_dir, "cifar10_12k")["seed"], manifest(data_dir, "cifar10_10k")["seed"]) == (1, 0)
    done = subsets.build(data_dir, ["cifar10_12k"], published, seed=1, rebuild=True)
    assert done == {"cifar10": "there already", "cifar10_12k": "written"}


def test_a_share_that_changed_rebuilds_the_mixed_sets_only(published, data_dir):
    subsets.build(data_dir, DRAWN, published)
    done = subsets.build(data_dir, DRAWN, published, new_fraction=0.3)
    assert {name for name, what in done.items() if what == "written"} == set(MIXED)


def test_two_builders_at_once(published, tmp_path):
    """One of them writes each set, neither fails, and the sets are whole."""
    with multiprocessing.get_context("fork").Pool(2) as pool:
        done = pool.starmap(subsets.build, [(tmp_path / "both", MIXED, published)] * 2)
    assert all(
        {first, second} == {"written", "there already"} for first, second in zip(*map(dict.values, done), strict=True)
    )
    subsets.build(tmp_path / "one", MIXED, published)
    assert contents(tmp_path / "both") == contents(tmp_path / "one")


def test_a_failure_while_writing_leaves_nothing(published, data_dir, monkeypatch):
    subsets.build(data_dir, ["cifar10_10k"], published)
    before = contents(data_dir)

    def full(path, *_):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders, "write_batch", full)
    with pytest.raises(OSError, match="No space"):
        subsets.build(data_dir, ["cifar10_10k", "cifar105"], published, seed=1)
    assert contents(data_dir) == before
    assert not list(data_dir.rglob("*.partial"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"names": ["cifar10", "cifar11"]}, r"Expected any of cifar10, .*Received: \['cifar11'\]"),
        ({"seed": -1}, "Expected seed, a whole number from 0 up. Received: -1"),
        ({"seed": 1.0}, "Received: 1.0"),
        ({"seed": True}, "Received: True"),
        ({"new_fraction": 1.1}, r"Expected new_fraction, 0…1. Received: 1.1"),
        ({"new_fraction": float("nan")}, "Received: nan"),
        ({"new_fraction": "half"}, "Received: 'half'"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("wrong_types")
def test_wrong_arguments_are_named_before_any_work(tmp_path, arguments, message):
    with pytest.raises(DatasetError, match=message):
        subsets.build(**{"data_dir": tmp_path / "data", "names": ["cifar10"], "source_dir": tmp_path} | arguments)
    assert list(tmp_path.iterdir()) == []


def test_all_missing_files_are_named_at_once(published, data_dir):
    for file in ("cifar-10-python.tar.gz", "cifar102_test.npz"):
        (published / file).unlink()
    with pytest.raises(DatasetError, match="could not be downloaded") as raised:
        subsets.build(data_dir, MIXED, published)
    lines = str(raised.value).splitlines()
    assert [line.split()[0] for line in lines[1:-1]] == ["cifar-10-python.tar.gz", "cifar102_test.npz"]
    assert str(pathlib.Path(published)) in lines[-1]
    assert contents(data_dir) == {}


def test_draw_needs_enough_images_of_every_class():
    labels = [np.array([0] * 9 + [1] * 10), np.empty(0, int), np.empty(0, int)]
    with pytest.raises(DatasetError, match=r"Class 0 of the test part: expected 0 new and 2 old .* Received: 0 and 1"):
        drawing.draw(labels, {"training": 16, "test": 4}, 0, 2, np.random.default_rng(0))
