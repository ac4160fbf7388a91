"""What lies in place of a built set: damaged sets are reported, original files recognised, others left untouched."""

import dataclasses
import json
import pickle

import numpy as np
import pytest

from autoaug import datasets
from autoaug.datasets import manifest as manifests
from autoaug.datasets.batch_file import DatasetError, write_batch
from data_prep import sources, subsets


@pytest.fixture
def data_dir(tmp_path):
    return tmp_path / "data"


def state(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(folder.iterdir())}


def flip_a_bit(folder):
    path = folder / "cifar10_10k_test_py27"
    content = bytearray(path.read_bytes())
    content[5_000] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "a bit": flip_a_bit,
    "a file less": lambda folder: (folder / "cifar10_10k_test_py27").unlink(),
    "a file more": lambda folder: (folder / "another").write_bytes(b""),
    "no manifest to read": lambda folder: (folder / "manifest.json").write_text("{"),
    "half a manifest": lambda folder: (folder / "manifest.json").write_text('{"name": "cifar10_10k"}'),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_set_is_reported_and_rebuilt_on_request_only(published, data_dir, damage):
    subsets.build(data_dir, ["cifar10_10k"], published)
    folder = data_dir / "cifar10_10k" / "training"
    whole = {name: content for name, (content, _) in state(folder).items()}
    damage(folder)
    before = state(folder)
    remedy = manifests.build_command("cifar10_10k", data_dir, rebuild=True)
    with pytest.raises(DatasetError) as raised:
        subsets.build(data_dir, ["cifar10_10k"], published)
    assert str(raised.value) == (
        f"{folder}: Expected the files of its manifest. Received: damaged or changed ones. {remedy}"
    )
    assert state(folder) == before
    done = subsets.build(data_dir, ["cifar10_10k"], published, rebuild=True)
    assert done == {"cifar10": "there already", "cifar10_10k": "written"}
    assert {name: content for name, (content, _) in state(folder).items()} == whole


def test_all_damaged_sets_are_named_at_once(published, data_dir):
    """Nothing is drawn from a damaged set, either."""
    names = ["cifar10_10k", "cifar10_12k"]
    subsets.build(data_dir, names, published)
    for name in ("cifar10", *names):
        (data_dir / name / "training" / "another").write_bytes(b"")
    with pytest.raises(DatasetError) as raised:
        subsets.build(data_dir, names, published)
    lines = str(raised.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [str(data_dir / name / "training") for name in ("cifar10", *names)]


@pytest.mark.parametrize("rebuild", [False, True])
def test_foreign_files_are_left_untouched(published, data_dir, rebuild):
    folder = data_dir / "cifar10_10k" / "training"
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("years of work")
    before = state(folder)
    with pytest.raises(DatasetError, match=str(folder)):
        subsets.build(data_dir, ["cifar10_10k"], published, rebuild=rebuild)
    assert state(folder) == before


def test_a_manifest_of_another_set_is_foreign(published, data_dir):
    subsets.build(data_dir, ["cifar10_10k"], published)
    path = data_dir / "cifar10_10k" / "training" / "manifest.json"
    path.write_text(path.read_text().replace('"name": "cifar10_10k"', '"name": "mine"'))
    with pytest.raises(DatasetError, match="move them"):
        subsets.build(data_dir, ["cifar10_10k"], published, rebuild=True)


def put_original_files(data_dir):
    """Files such as the research left: a training and a test part of cifar10_10k, with text keys and file names."""
    spec, rng = datasets.DATASETS["cifar10_10k"], np.random.default_rng(5)
    folder = data_dir / "cifar10_10k" / "training"
    folder.mkdir(parents=True)
    for file, size in ((*spec.training_files, spec.train_size), (spec.test_file, spec.test_size)):
        rows = rng.integers(0, 256, (size, 3072), dtype=np.uint8)
        batch = {"data": rows, "labels": rng.integers(0, 10, size).tolist(), "filenames": ["a"] * size}
        (folder / file).write_bytes(pickle.dumps(batch, 2))
    return folder


def statistics(folder):
    dataset = datasets.load("cifar10_10k", folder.parents[1])
    return tuple(tuple(np.round(values, 8).tolist()) for values in (dataset.mean, dataset.std))


def test_original_files_are_recognised_by_their_statistics_and_left_untouched(published, data_dir, monkeypatch):
    folder = put_original_files(data_dir)
    monkeypatch.setitem(sources.REPORTED_STATISTICS, "cifar10_10k", statistics(folder))
    before = state(folder)
    done = subsets.build(data_dir, ["cifar10_10k"], published)
    assert done == {"cifar10": "written", "cifar10_10k": "recognised"}
    written = json.loads((folder / "manifest.json").read_text())
    assert (written["source"], written["recognised"]) == ("cifar10_10k, the research's own files", True)
    assert written["files"].keys() == before.keys()
    assert datasets.load("cifar10_10k", data_dir).source == "cifar10_10k, the research's own files"
    for options in ({}, {"seed": 7}):  # whatever would be built here
        assert subsets.build(data_dir, ["cifar10_10k"], published, **options)["cifar10_10k"] == "there already"
    with pytest.raises(DatasetError, match=r"Expected what was built here\. Received: other files; move them"):
        subsets.build(data_dir, ["cifar10_10k"], published, rebuild=True)
    flip_a_bit(folder)
    with pytest.raises(DatasetError, match=r"damaged or changed ones\. Restore or move them"):
        subsets.build(data_dir, ["cifar10_10k"], published)
    flip_a_bit(folder)
    after = state(folder)
    assert {name: after[name][0] for name in before} == {name: content for name, (content, _) in before.items()}


def test_other_files_in_the_place_of_the_original_ones_are_refused(published, data_dir):
    folder = put_original_files(data_dir)
    before = state(folder)
    expected = (
        r"cifar10_10k/training: Expected what was built here, or the original files with the channel mean .*0\.493"
    )
    with pytest.raises(DatasetError, match=rf"{expected}.*-p unverified 'JPEG copy'"):
        subsets.build(data_dir, ["cifar10_10k"], published)
    assert state(folder) == before
    assert (
        subsets.build(data_dir, ["cifar10_10k"], published, unverified="from a friend")["cifar10_10k"] == "recognised"
    )
    assert datasets.load("cifar10_10k", data_dir).source == "cifar10_10k (from a friend)"


def test_too_few_images_are_no_original_files(published, data_dir):
    folder = put_original_files(data_dir)
    write_batch(folder / "cifar10_10k_test_py27", np.zeros((19, 32, 32, 3), np.uint8), np.zeros(19, int))
    with pytest.raises(DatasetError, match="cifar10_10k_test_py27: Expected a batch of 20 images"):
        subsets.build(data_dir, ["cifar10_10k"], published)


def test_the_published_batches_themselves_are_recognised(published, data_dir):
    """CIFAR-10, unpacked by hand into the folder, is the published one by its hashes; what is drawn from it says so."""
    subsets.build(data_dir / "built", ["cifar10"], published)  # which unpacks the archive
    folder = data_dir / "cifar10" / "training"
    folder.parent.mkdir()
    (published / "cifar-10-batches-py").rename(folder)
    before = state(folder)
    done = subsets.build(data_dir, ["cifar10_10k"], published)
    assert done == {"cifar10": "recognised", "cifar10_10k": "written"}
    assert {name: value for name, value in state(folder).items() if name != "manifest.json"} == before
    assert datasets.load("cifar10_10k", data_dir).source == datasets.load("cifar10", data_dir).source == "CIFAR-10"
    subsets.build(data_dir / "built", ["cifar10_10k"], published)
    file = "cifar10_10k/training/cifar10_10k_train_py27"  # drawn the same way from either
    assert (data_dir / file).read_bytes() == (data_dir / "built" / file).read_bytes()


def repackage(published, flipped=0):
    """Writes CIFAR-10's batches anew, as another program would, in place of the archive; one pixel may be flipped."""
    subsets.build(published / "unpacking", ["cifar10"], published)
    (published / "cifar-10-python.tar.gz").unlink()
    for path in (published / "cifar-10-batches-py").iterdir():
        batch = pickle.loads(path.read_bytes(), encoding="bytes")
        batch = {"labels": batch[b"labels"], "data": batch[b"data"].copy()}
        if path.name == "test_batch":
            batch["data"][17, 1_000] ^= flipped
        path.write_bytes(pickle.dumps(batch, 4))


def test_a_repackaged_copy_with_the_published_content_is_the_published_set(published, data_dir):
    repackage(published)
    subsets.build(data_dir, ["cifar10_10k"], published)
    assert datasets.load("cifar10_10k", data_dir).source == datasets.load("cifar10", data_dir).source == "CIFAR-10"
    described = json.loads((data_dir / "cifar10" / "training" / "manifest.json").read_text())
    (inputs,) = described["inputs"].values()
    assert inputs["verified"] is True
    assert inputs["hashes"]["test_batch"]["md5"] != sources.FILES["cifar10"][0].members["test_batch"]
    assert described["notes"] == ["other files than the published ones, with the same images and labels in their order"]
    (published / "cifar-10-batches-py").rename(data_dir / "training")  # put in place of a built set by hand
    again = data_dir / "again"
    (again / "cifar10").mkdir(parents=True)
    (data_dir / "training").rename(again / "cifar10" / "training")
    assert subsets.build(again, ["cifar10"], published) == {"cifar10": "recognised"}
    assert datasets.load("cifar10", again).source == "CIFAR-10"


def test_a_repackaged_copy_with_one_other_pixel_is_refused(published, data_dir):
    repackage(published, flipped=1)
    with pytest.raises(DatasetError, match=r"data_batch_1: Expected md5 \w+\. Received: .*-p unverified 'JPEG copy'"):
        subsets.build(data_dir, ["cifar10"], published)
    assert not (data_dir / "cifar10").exists()
    subsets.build(data_dir, ["cifar10"], published, unverified="flipped")
    assert datasets.load("cifar10", data_dir).source == "CIFAR-10 (flipped)"


def test_published_files_with_another_content_than_stated_are_built_with_a_warning(published, data_dir, monkeypatch):
    (source,) = sources.FILES["cifar10"]
    wrong = dataclasses.replace(source, content=source.content | {"test": "00" * 32})
    monkeypatch.setitem(sources.FILES, "cifar10", (wrong,))
    with pytest.warns(UserWarning, match="data_prep/sources.py, which is wrong; please report it"):
        subsets.build(data_dir, ["cifar10"], published)
    assert datasets.load("cifar10", data_dir).source == "CIFAR-10"
    (note,) = json.loads((data_dir / "cifar10" / "training" / "manifest.json").read_text())["notes"]
    assert note.startswith("the published files hold the content") and source.content["test"] in note


def test_unverified_files_are_admitted_by_a_label_and_marked(published, data_dir):
    path = published / "cifar102_train.npz"
    with np.load(path) as arrays:
        changed = {"images": arrays["images"] ^ 1, "labels": arrays["labels"]}
    np.savez(path, **changed)
    with pytest.raises(DatasetError, match=r"cifar102_train\.npz: Expected git-blob-sha1 .* -p unverified"):
        subsets.build(data_dir, ["cifar102"], published)
    assert not (data_dir / "cifar105").exists()
    subsets.build(data_dir, ["cifar102"], published, unverified="my copy")
    described = json.loads((data_dir / "cifar105" / "training" / "manifest.json").read_text())
    assert described["source"] == "CIFAR-10.2 (my copy)"
    assert [value["verified"] for value in described["inputs"].values()] == [False, True]
    assert datasets.load("cifar102", data_dir).source == "CIFAR-10 and CIFAR-10.2 (my copy)"
    assert datasets.load("cifar10", data_dir).source == "CIFAR-10"
