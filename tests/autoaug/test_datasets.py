"""Data sets by name: the reference's table, loading, exact statistics, overlap, and messages for what is missing."""

import hashlib
import pickle

import numpy as np
import pytest

from autoaug import datasets
from autoaug.batches import write_batch

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
LABELS = np.arange(40) % 10
TINY = datasets.Spec(("first", "second"), "test", train_size=30, test_size=10, family="cifar10")


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    """A folder with the data set `tiny`: 30 training images in two files, 10 test images."""
    monkeypatch.setitem(datasets.DATASETS, "tiny", TINY)
    folder = tmp_path / "tiny" / "training"
    folder.mkdir(parents=True)
    for file, part in (("first", slice(0, 15)), ("second", slice(15, 30)), ("test", slice(30, 40))):
        write_batch(folder / file, IMAGES[part], LABELS[part])
    return tmp_path


def test_table_of_the_reference():
    cifar10 = tuple(f"data_batch_{i}" for i in (1, 2, 3, 4, 5))
    table = {
        name: (spec.train_size, spec.test_size, spec.training_files, spec.test_file, spec.num_classes, spec.label_key)
        for name, spec in datasets.DATASETS.items()
        if not name.startswith("synthetic")
    }
    assert table == {
        "cifar10": (50_000, 10_000, cifar10, "test_batch", 10, "labels"),
        "cifar100": (50_000, 10_000, ("train",), "test", 100, "fine_labels"),
        "cifar10_10k": (8_000, 2_000, ("cifar10_10k_train_py27",), "cifar10_10k_test_py27", 10, "labels"),
        "cifar10_30k": (24_000, 6_000, ("cifar10_30k_train_py27",), "cifar10_30k_test_py27", 10, "labels"),
        "cifar102": (
            8_000, 2_000, ("cifar102_min_overlap_train_v4_py27",), "cifar102_min_overlap_test_v4_py27", 10, "labels",
        ),
        "cifar102_30k": (24_000, 6_000, ("cifar102_30k_train_py27",), "cifar102_30k_test_py27", 10, "labels"),
        "cifar10_12k": (10_000, 2_000, ("cifar10_12k_train",), "cifar10_12k_test", 10, "labels"),
        "cifar105": (10_000, 2_000, ("cifar105_train",), "cifar105_test", 10, "labels"),
    }  # fmt: skip
    for names in datasets.CLASS_NAMES.values():
        assert len(set(names)) == len(names)
    assert list(datasets.CLASS_NAMES["cifar100"]) == sorted(datasets.CLASS_NAMES["cifar100"])


def test_load(data_dir):
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
    assert test.sha256 == dataset.test_sha256 != expected


def test_mean_and_deviation_are_exact(data_dir):
    dataset = datasets.load("tiny", data_dir)
    pixels = IMAGES[:30].reshape(-1, 3).astype(object)  # Python integers
    total, squares, n = pixels.sum(axis=0), (pixels**2).sum(axis=0), len(pixels)
    np.testing.assert_array_equal(dataset.mean, [int(s) / n / 255 for s in total])
    variance = [(n * int(q) - int(s) ** 2) / n**2 for s, q in zip(total, squares, strict=True)]
    np.testing.assert_array_equal(dataset.std, np.sqrt(variance) / 255)
    assert dataset.mean.dtype == dataset.std.dtype == np.float64


def test_statistics_of_many_equal_pixels_have_no_rounding():
    images = np.full((300, 32, 32, 3), 255, np.uint8)
    images[:, :, :16, 1] = 254
    mean, std = datasets.channel_statistics(images)
    np.testing.assert_array_equal(mean, [1, 254.5 / 255, 1])
    np.testing.assert_array_equal(std, [0, 0.5 / 255, 0])


def test_available(data_dir):
    assert datasets.available(data_dir) == datasets.available(data_dir, family="cifar10") == ["tiny"]
    assert datasets.available(data_dir, family="cifar100") == []
    (data_dir / "tiny" / "training" / "second").unlink()
    assert datasets.available(data_dir) == []


def test_missing_files_are_named_with_what_to_do(data_dir):
    (data_dir / "tiny" / "training" / "second").unlink()
    with pytest.raises(datasets.DatasetError, match=r"Missing: second\. Put first, second, test into .*tiny/training"):
        datasets.load("tiny", data_dir)
    with pytest.raises(datasets.DatasetError, match=r"papermill notebooks/build_datasets\.ipynb .*-p data_dir"):
        datasets.load("synthetic10", data_dir)
    with pytest.raises(datasets.DatasetError, match=r"Expected one of cifar10, .*Received: 'cifar11'"):
        datasets.load_test("cifar11", data_dir)


def test_malformed_file_is_named(data_dir):
    path = data_dir / "tiny" / "training" / "second"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(datasets.DatasetError, match=f"{path}: Expected a batch of 15 images"):
        datasets.load("tiny", data_dir)
    write_batch(path, IMAGES[:14], LABELS[:14])
    with pytest.raises(datasets.DatasetError, match=r"second: .*shape \(14, 3072\)"):
        datasets.load("tiny", data_dir)
    path.write_bytes(pickle.dumps({"data": np.zeros((15, 3072), np.uint8), "labels": list(range(15))}, 2))
    with pytest.raises(datasets.DatasetError, match=r"second: .*labels in 0…14"):
        datasets.load("tiny", data_dir)


def test_overlap_compares_every_pixel():
    train, test = IMAGES[:30], IMAGES[25:].copy()
    np.testing.assert_array_equal(datasets.overlap(test, train), np.arange(15) < 5)
    test[0, 31, 31, 2] ^= 1
    np.testing.assert_array_equal(datasets.overlap(test, train), (np.arange(15) < 5) & (np.arange(15) > 0))
    assert datasets.overlap(test[:0], train).shape == (0,)
