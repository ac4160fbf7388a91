"""Data sets by name: the reference's table, loading, exact statistics, overlap, and messages for what is missing."""

import hashlib
import json
import os
import re

import numpy as np
import pytest

from autoaug import datasets
from autoaug.datasets import manifest as manifests
from autoaug.datasets.batch_file import write_batch
from autoaug.files import ROOT

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
LABELS = np.arange(40) % 10
TINY = datasets.Spec("tiny", ("first", "second"), "test", train_size=30, test_size=10)


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    """A folder, with a blank in its name, with the data set `tiny`: 30 training images in two files, 10 test images."""
    monkeypatch.setitem(datasets.DATASETS, "tiny", TINY)
    folder = tmp_path / "my data" / "tiny" / "training"
    folder.mkdir(parents=True)
    for file, part in (("first", slice(0, 15)), ("second", slice(15, 30)), ("test", slice(30, 40))):
        write_batch(folder / file, IMAGES[part], LABELS[part])
    return tmp_path / "my data"


def test_every_reproduction_has_the_size_of_its_original_and_known_truth_is_of_reproductions():
    for name, original in datasets.ORIGINALS.items():
        sizes = [(spec.train_size, spec.test_size) for spec in map(datasets.DATASETS.get, (name, original))]
        assert sizes[0] == sizes[1] or name == "cinic10"  # in its own splits
    assert set(datasets.KNOWN_TRUTH) == {*datasets.EMBEDDED, *datasets.DESIGNS} - {"synthetic10"}
    assert {datasets.DATASETS[name].original_test for name in datasets.DESIGNS} == {"photo_original"}
    assert set(datasets.KNOWN_TRUTH) < set(datasets.ORIGINALS) < set(datasets.DATASETS) == set(datasets.TITLES)


def test_files_of_the_reference():
    """Sizes are those of the docs."""
    specs = list(datasets.DATASETS.items())[:11]
    assert {name: (*spec.training_files, spec.test_file) for name, spec in specs} == {
        "cifar10": (*(f"data_batch_{i}" for i in (1, 2, 3, 4, 5)), "test_batch"),
        "cifar100": ("train", "test"),
        "cifar10_10k": ("cifar10_10k_train_py27", "cifar10_10k_test_py27"),
        "cifar10_30k": ("cifar10_30k_train_py27", "cifar10_30k_test_py27"),
        "cifar102": ("cifar102_min_overlap_train_v4_py27", "cifar102_min_overlap_test_v4_py27"),
        "cifar102_30k": ("cifar102_30k_train_py27", "cifar102_30k_test_py27"),
        "cifar10_12k": ("cifar10_12k_train", "cifar10_12k_test"),
        "cifar105": ("cifar105_train", "cifar105_test"),
        **{name: (f"{name}_test",) for name in ("cifar10.1-v4", "cifar10.1-v6", "cifar10.2")},
    }
    others = {name: (spec.num_classes, spec.label_key) for name, spec in specs if spec.label_key != "labels"}
    assert others == {"cifar100": (100, "fine_labels")}
    assert list(datasets.CLASS_NAMES["cifar100"]) == sorted(set(datasets.CLASS_NAMES["cifar100"]))


def test_the_table_in_the_docs_is_that_of_the_catalogue():
    rows = re.findall(
        r"^\| `([\w.-]+)` \|.*\| ([\d,]*) ?\| ([\d,]*) ?\| (?:`(\w+)` )?\|$", (ROOT / "docs/data.md").read_text(), re.M
    )
    expected = {
        name: (spec.train_size, spec.test_size, datasets.ORIGINALS.get(name, ""))
        for name, spec in datasets.DATASETS.items()
        if name not in datasets.DESIGNS
    }
    sizes = [[int(size.replace(",", "") or 0) for size in row[1:3]] for row in rows]
    assert {row[0]: (*size, row[3]) for row, size in zip(rows, sizes, strict=True)} == expected


def test_load_gives_images_labels_hashes_and_the_exact_mean_and_deviation(data_dir):
    dataset = datasets.load("tiny", data_dir)
    np.testing.assert_array_equal(dataset.train_images, IMAGES[:30])
    np.testing.assert_array_equal(dataset.train_labels, LABELS[:30])
    np.testing.assert_array_equal(dataset.test_images, IMAGES[30:])
    np.testing.assert_array_equal(dataset.test_labels, LABELS[30:])
    assert (dataset.train_images.dtype, dataset.train_labels.dtype) == (np.uint8, np.int64)
    assert (dataset.num_classes, dataset.class_names[3]) == (10, "cat")
    expected = hashlib.sha256(IMAGES[:30].tobytes() + LABELS[:30].astype("<i8").tobytes()).hexdigest()
    assert dataset.sha256 == expected
    test = datasets.load_test("tiny", str(data_dir))
    np.testing.assert_array_equal(test.images, IMAGES[30:])
    np.testing.assert_array_equal(test.labels, LABELS[30:])
    assert test.sha256 != expected
    pixels = IMAGES[:30].reshape(-1, 3).astype(object)  # Python integers
    total, squares, n = pixels.sum(axis=0), (pixels**2).sum(axis=0), len(pixels)
    np.testing.assert_array_equal(dataset.mean, [int(s) / n / 255 for s in total])
    variance = [(n * int(q) - int(s) ** 2) / n**2 for s, q in zip(total, squares, strict=True)]
    np.testing.assert_array_equal(dataset.std, np.sqrt(variance) / 255)
    assert dataset.mean.dtype == dataset.std.dtype == np.float64


def test_a_test_set_is_available_and_loaded(data_dir, monkeypatch):
    spec = datasets.Spec("tests", (), "test", test_size=10)
    monkeypatch.setitem(datasets.DATASETS, "tiny_test", spec)
    (data_dir / "tiny_test").symlink_to(data_dir / "tiny")
    assert datasets.available(data_dir, family="cifar10") == ["tiny", "tiny_test"]
    assert datasets.available(data_dir, part="training") == ["tiny"]
    assert datasets.available(data_dir, family="cifar100") == []
    test = datasets.load_test("tiny_test", data_dir)
    assert (test.images.shape, test.source) == ((10, 32, 32, 3), "unverified files")


@pytest.mark.parametrize(("file", "part"), [("first", "training"), ("second", "training"), ("test", "test")])
def test_what_differs_from_the_manifest_is_refused(data_dir, file, part):
    source, path = "CIFAR-10 (JPEG copy)", data_dir / "tiny" / "training" / file
    hashes = {"training": datasets.load("tiny", data_dir).sha256, "test": datasets.load_test("tiny", data_dir).sha256}
    parts = {name: {"sha256": sha256} for name, sha256 in hashes.items()}
    path.with_name("manifest.json").write_text(json.dumps({"name": "tiny", "source": source, "parts": parts}))
    assert datasets.load("tiny", data_dir).source == datasets.load_test("tiny", data_dir).source == source
    content = bytearray(path.read_bytes())
    content[5_000] ^= 1  # one bit of one pixel
    path.write_bytes(content)
    message = rf"the {part} part of its manifest, SHA-256 {hashes[part]}. Received: .*sets: \[tiny\].*rebuild True"
    for load in (datasets.load, datasets.load_test):
        if load is datasets.load or part == "test":
            with pytest.raises(datasets.DatasetError, match=message):
                load("tiny", data_dir)
        else:
            assert len(load("tiny", data_dir).labels) == 10


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tiny", r"Missing: second\. .*or put first, second, test into .*my data/tiny/training"),
        ("synthetic10", r"papermill notebooks/build\S+ -y '\{sets: \[synth\S+\]\}' -p data_dir '/\S+/my data'"),
        ("cifar11", r"Expected one of cifar10, .*Received: 'cifar11'"),
        ("cifar10.2", r"a data set to train on. Received: a test set only. To .* -p train_data cifar105$"),
    ],
)
def test_what_is_missing_is_named_with_what_to_do(data_dir, name, message):
    (data_dir / "tiny" / "training" / "second").unlink()
    assert datasets.available(data_dir) == []
    with pytest.raises(datasets.DatasetError, match=message):
        datasets.load(name, data_dir)


def test_overlap_compares_every_pixel():
    train, test = IMAGES[:30], IMAGES[25:].copy()
    np.testing.assert_array_equal(datasets.overlap(test, train), np.arange(15) < 5)
    test[0, 31, 31, 2] ^= 1
    np.testing.assert_array_equal(datasets.overlap(test, train), (np.arange(15) < 5) & (np.arange(15) > 0))
    assert datasets.repeated(IMAGES[[0, 1, 0, 2, 1, 0]]).tolist() == [False, False, True, False, True, True]


MANIFEST = {"source": "a", "parts": {"test": {"sha256": "a"}}}
OWN = {"title": "T", "family": "cifar10", "classes": ["a", "b"], "original": "", "train_size": 0, "test_size": 1}
CHANGES = [
    {"title": "<b>"}, {"title": "a\n"}, {"train_size": -1}, {"test_size": "30"}, {"classes": []}, {"original": "../x"},
    {"more": 1}, {"family": "<i>"}, {"test_size": 10**9},
]  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        None, b"", b"\xff\xfe", b"[]", b"[" * 100_000, b'{"source": "a"}', b'{"source": "a", "parts": [1]}',
        b"1e999", b"9" * 5_000, b'"\\ud800"', b"{'a': 1}",
        *[json.dumps(MANIFEST | change).encode() for change in ({"source": "<img src=x>"}, {"seed": float("nan")})],
        *[json.dumps(MANIFEST | {"own": OWN | change}).encode() for change in CHANGES],
    ],
)  # fmt: skip
def test_what_is_no_manifest_is_refused_by_name_and_no_set_of_ones_own(tmp_path, content):
    path = tmp_path / "set" / "training" / "manifest.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content) if content is not None else os.mkfifo(path)  # a pipe must not hang
    with pytest.raises(datasets.DatasetError, match=r"manifest\.json: Expected a manifest"):
        manifests.read(path.parent)
    with pytest.warns(UserWarning, match=r"^Left out: .*manifest\.json: Expected a manifest"):
        assert not manifests.own(tmp_path)
