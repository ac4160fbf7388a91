"""Sets built from the published files in miniature: balanced, disjoint, reproducible, described by their manifests.

And what lies in place of a built set: damaged sets are named, the user's files are left and marked, others refused.
"""

import json
import multiprocessing

import numpy as np
import pytest

from autoaug import datasets
from autoaug.datasets.batch_file import DatasetError
from data_prep import build, drawing, folders, inventory, known_truth, sources

LABEL_FREE = [name for name, design in known_truth.DESIGNS.items() if not design.score]
DRAWN = [*(name for name in build.DRAWN_FROM if name not in {*datasets.DESIGNS, "cinic10_5k"}), *LABEL_FREE]
BUILT = [*sources.FILES, *DRAWN]


def contents(folder):
    """Every file below the folder but the locks."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def manifest(data_dir, name):
    return json.loads((data_dir / name / "training" / "manifest.json").read_text())


def made(data_dir, sets, source_dir, **options):
    """Set → what the table of `build` says."""
    return build.build(data_dir, sets, source_dir, **options)["this run"].to_dict()


@pytest.fixture
def data_dir(tmp_path):
    return tmp_path / "data"


def parts_of(data_dir, name):
    """Part → images and labels of a set on disk."""
    dataset = None if "training" not in datasets.DATASETS[name].sizes else datasets.load(name, data_dir)
    test = datasets.load_test(name, data_dir)
    parts = {"training": (dataset.train_images, dataset.train_labels)} if dataset else {}
    return parts | ({"test": (test.images, test.labels)} if len(test.labels) else {})


def test_every_set_is_built_loads_and_is_described(published, data_dir):
    assert made(data_dir, BUILT, published) == dict.fromkeys(BUILT, "written")
    assert set(datasets.available(data_dir)) == set(BUILT)
    assert set(build.SETS) == set(datasets.DATASETS)
    listed = inventory.parts(data_dir)
    for name in BUILT:
        described, parts = manifest(data_dir, name), parts_of(data_dir, name)
        assert (described["name"], described["parts"].keys()) == (name, parts.keys())
        for part, arrays in parts.items():
            expected, row = folders.describe(*arrays, datasets.DATASETS[name].num_classes), listed.loc[name, part]
            counts = expected["images_per_class"]
            assert described["parts"][part] == expected
            assert len(set(counts)) == 1 or name in ("photo_noise_10", "cinic10")
            assert (row["source"], row["title"]) == (described["source"], datasets.TITLES[name])
            assert row[["images", "fewest", "most"]].tolist() == [sum(counts), min(counts), max(counts)]
            assert row.filter(like="mean, ").tolist() == expected["mean"]
    test, cinic10 = datasets.load_test("cifar10.1-v4", data_dir), datasets.load("cinic10", data_dir)
    np.testing.assert_array_equal(test.images, np.load(published / "cifar10.1_v4_data.npy"))
    np.testing.assert_array_equal(test.labels, np.load(published / "cifar10.1_v4_labels.npy"))
    with np.load(published / "cifar102_test.npz") as arrays:
        for what in ("images", "labels"):
            np.testing.assert_array_equal(getattr(datasets.load_test("cifar10.2", data_dir), what), arrays[what])
    assert (len(cinic10.train_images), len(cinic10.test_images)) == (700, 700)  # neither `valid` nor CIFAR-10's own
    assert (np.diff(cinic10.train_labels) >= 0).all()


def test_drawn_images_are_of_the_sets_they_are_drawn_from_and_compared_sets_and_judges_share_none(published, data_dir):
    build.build(data_dir, [*DRAWN, "cifar10.2"], published)
    overlaps, repeats = inventory.overlaps(data_dir)
    assert overlaps["test"].loc["cifar10", ["cifar10", "cifar10_12k", "cifar10.2"]].tolist() == [0, 20, 1]
    assert overlaps["test"].loc["cifar10_12k", "cifar10_12k"] == 0 < overlaps["training"].loc["cifar10", "cifar10_12k"]
    assert repeats.loc["cifar10"].to_dict() == {"training": 1, "test": 0}
    sets = {name: parts_of(data_dir, name) for name in ("cifar10", "cifar105", *DRAWN)}
    pixels = {name: np.concatenate([images for images, _ in parts.values()]) for name, parts in sets.items()}
    first, second = (pixels[name] for name in datasets.JUDGES)
    assert datasets.overlap(first, second).sum() <= 1  # the stand-in has an image twice
    for name in ("cifar10_12k", "cifar10_5k"):
        assert not datasets.overlap(pixels[name], np.concatenate([first, second])).any()
    for name in ("cifar10_12k", "photo_original", *known_truth.JUDGES):
        assert not datasets.overlap(pixels["photo_same"], pixels[name]).any()
    classes = {}
    for images, labels in (*sets["cifar10"].values(), *sets["cifar105"].values()):
        for image, label in zip(datasets.image_hashes(images), labels, strict=True):
            classes.setdefault(image, set()).add(label)  # the stand-in has an image in two classes
    for name in DRAWN:
        design = known_truth.DESIGNS.get(name, known_truth.Design())
        assert not datasets.repeated(pixels[name]).any()
        for images, labels in sets[name].values():
            found = [classes.get(image) for image in datasets.image_hashes(images)]
            wrong = [of is not None and label not in of for of, label in zip(found, labels, strict=True)]
            shares = [10 * round(share * len(found) / 10) for share in (design.new_look, design.wrong_labels)]
            assert [found.count(None), sum(wrong)] == shares


@pytest.mark.parametrize(
    ("new_fraction", "counts"),
    [(0, ([80, 0, 0], [20, 0, 0])), (0.5, ([40, 40, 0], [10, 0, 10])), (1, ([0, 80, 0], [0, 0, 20]))],
)
def test_the_share_of_new_images(published, data_dir, new_fraction, counts):
    """New test images come from CIFAR-10.2's test part, new training images never."""
    build.build(data_dir, ["cifar102"], published, new_fraction=new_fraction)
    described = manifest(data_dir, "cifar102")
    parts, pools = (parts_of(data_dir, name) for name in ("cifar102", "cifar105"))
    for part, expected in zip(("training", "test"), counts, strict=True):
        new = [datasets.overlap(parts[part][0], images).sum() for images, _ in pools.values()]
        assert [len(parts[part][0]) - sum(new), *new] == expected
    assert (described["new_fraction"], described["source"]) == (new_fraction, "CIFAR-10 and CIFAR-10.2")


def test_a_share_of_new_images_that_is_not_there_is_named(published, data_dir):
    with pytest.raises(DatasetError, match=r"new_fraction 0\.9: Expected 22 new and 2 old images .*Received: 10 and"):
        build.build(data_dir, ["cifar102_30k"], published, new_fraction=0.9)


def test_same_inputs_and_seed_give_the_same_bytes(published, tmp_path):
    names = ["cifar102", "cifar10_30k", "photo_look_20"]
    build.build(tmp_path / "a", names, published, seed=3)
    for name in reversed(names):  # one by one, in another order
        build.build(tmp_path / "b", [name], published, seed=3)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    build.build(tmp_path / "c", names, published, seed=4)
    for name in names:
        a, c = (contents(tmp_path / folder / name) for folder in "ac")
        assert all(a[file] != c[file] for file in a)
    assert contents(tmp_path / "a" / "cifar10") == contents(tmp_path / "c" / "cifar10")
    assert str(tmp_path).encode() not in b"".join(contents(tmp_path / "a").values())  # no path of this machine


def test_only_what_is_missing_or_outdated_is_built(published, data_dir):
    names = ["cifar10_10k", "cifar102"]
    build.build(data_dir, names, published)
    for path in published.iterdir():
        path.unlink()  # they are needed no more
    for lock in data_dir.glob("*/.lock"):
        lock.unlink()
    everything = ["cifar10", "cifar105", *names]
    assert made(data_dir, names, published) == dict.fromkeys(everything, "there already")
    assert not list(data_dir.glob("*/.lock"))  # it may be a folder where nobody may write
    done = made(data_dir, names, published, new_fraction=0.3)
    assert [name for name, what in done.items() if what == "replaced"] == ["cifar102"]
    for rebuild in (False, True):  # of another seed, and what is named only
        done = made(data_dir, ["cifar10_10k"], published, seed=1, rebuild=rebuild)
        assert done == {"cifar10": "there already", "cifar10_10k": "replaced"}


def test_two_builders_at_once(published, tmp_path):
    """One of them writes each set, neither fails, and the sets are whole."""
    with multiprocessing.get_context("fork").Pool(2) as pool:
        done = pool.starmap(made, [(tmp_path / "both", drawing.MIXED, published)] * 2)
    for first, second in zip(*map(dict.values, done), strict=True):
        assert {first, second} == {"written", "there already"}
    build.build(tmp_path / "one", drawing.MIXED, published)
    assert contents(tmp_path / "both") == contents(tmp_path / "one")


def test_a_failure_while_writing_leaves_nothing(published, data_dir, monkeypatch):
    build.build(data_dir, ["cifar10_10k"], published)
    before = contents(data_dir)

    def full(path, *_, **__):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders, "write_batch", full)
    with pytest.raises(OSError, match="No space"):
        build.build(data_dir, ["cifar10_10k", "cifar105"], published, seed=1)
    assert contents(data_dir) == before
    assert not list(data_dir.rglob("*.partial"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sets": ["cifar10", "cifar10_10kk"]}, r"sets: Expected some of .*Received: 'cifar10_10kk'.*cifar10_10k\b"),
        ({"sets": "cifar10"}, "sets: Expected `array`, got `str`. Received: 'cifar10'"),
        ({"seed": True}, "seed: Expected `int`, got `bool`. Received: True"),
        ({"new_fraction": float("nan")}, "new_fraction: Expected `float` >= 0.0. Received: nan"),
        ({"unverified": "<b>"}, "unverified: Expected a label .*Received: '<b>'"),
        ({"own": {"../up": {}}}, "own: Expected a small letter .*Received: '../up'"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("wrong_types")
def test_wrong_arguments_are_named_before_any_work(tmp_path, arguments, message):
    with pytest.raises(DatasetError, match=message):
        build.build(**{"data_dir": tmp_path / "data", "sets": ["cifar10"], "source_dir": tmp_path} | arguments)
    assert list(tmp_path.iterdir()) == []


def flip_a_bit(folder):
    path = folder / "cifar10_10k_test_py27"
    content = bytearray(path.read_bytes())
    content[5_000] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [
    flip_a_bit,
    lambda folder: (folder / "another").write_bytes(b""),
    lambda folder: (folder / "manifest.json").write_text("{"),
    lambda folder: (folder / "manifest.json").write_text('{"name": "cifar10_10k"}'),
])  # fmt: skip
def test_a_damaged_set_is_named_and_rebuilt_on_request_only(published, data_dir, damage):
    build.build(data_dir, ["cifar10_10k"], published)
    folder = data_dir / "cifar10_10k" / "training"
    whole = contents(folder)
    damage(folder)
    before = contents(folder)
    with pytest.raises(DatasetError, match=rf"{folder}: .*damaged or changed\. To make it, run: .*rebuild True"):
        build.build(data_dir, ["cifar10_10k"], published)
    assert contents(folder) == before
    assert made(data_dir, ["cifar10_10k"], published, rebuild=True)["cifar10_10k"] == "replaced"
    assert contents(folder) == whole


def test_files_under_the_right_names_are_used_as_they_are_and_count_as_unverified(published, data_dir):
    build.build(data_dir / "built", ["cifar10_10k"], published)
    folder = data_dir / "cifar10" / "training"
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(DatasetError, match=rf"{folder}: Expected nothing, .*move them"):
        build.build(data_dir, ["cifar10"], published, rebuild=True)
    for path in (data_dir / "built" / "cifar10" / "training").glob("*_batch*"):
        path.rename(folder / path.name)
    before = contents(folder)
    done = made(data_dir, ["cifar10_10k"], published)
    assert done == {"cifar10": "unverified files, left as they are", "cifar10_10k": "written"}
    (data_dir / "cifar10_10k" / "training" / ".DS_Store").touch()  # as macOS does
    assert contents(folder) == before and made(data_dir, ["cifar10_10k"], published)["cifar10_10k"] == "there already"
    assert datasets.load("cifar10", data_dir).source == "unverified files"
    assert datasets.load("cifar10_10k", data_dir).source == "unverified files"
    file = "cifar10_10k/training/cifar10_10k_train_py27"
    assert (data_dir / file).read_bytes() == (data_dir / "built" / file).read_bytes()
