"""CIFAR-10 from where other programs left it: found in every layout, verified by its content, and named."""

import io
import json
import sys

import numpy as np
import PIL.Image
import pytest

from autoaug import datasets
from autoaug.datasets.batch_file import DatasetError
from data_prep import copies, sources, subsets


@pytest.fixture
def unpacked(published, tmp_path):
    """CIFAR-10's unpacked folder, and nothing else; the archive is gone."""
    subsets.build(tmp_path / "unpacking", ["cifar10"], published)
    for path in published.iterdir():
        if path.is_file():
            path.unlink()
    return published / "cifar-10-batches-py"


def source_of(data_dir):
    return datasets.load("cifar10", data_dir).source


LAYOUTS = {
    "torchvision's root": ("cifar-10-batches-py", "."),
    "the folder itself": ("cifar-10-batches-py", "cifar-10-batches-py"),
    "Keras 3": ("cifar-10-batches-py-target/cifar-10-batches-py", "."),
}


@pytest.mark.parametrize(("place", "source_dir"), LAYOUTS.values(), ids=LAYOUTS)
def test_a_copy_is_found_in_every_layout(unpacked, tmp_path, capsys, place, source_dir):
    root = tmp_path / "copies"
    (root / place).parent.mkdir(parents=True)
    unpacked.rename(root / place)
    capsys.readouterr()
    subsets.build(tmp_path / "data", ["cifar10"], root / source_dir)
    assert capsys.readouterr().out == f"CIFAR-10: {root / place}\n"
    assert source_of(tmp_path / "data") == "CIFAR-10"


@pytest.mark.parametrize("place", ["cifar-10-batches-py", "cifar-10-batches-py-target/cifar-10-batches-py"])
def test_keras_cache_is_used_before_anything_is_downloaded(unpacked, tmp_path, capsys, place):
    cached = tmp_path / "keras" / "datasets" / place  # KERAS_HOME in tests
    cached.parent.mkdir(parents=True)
    unpacked.rename(cached)
    subsets.build(tmp_path / "data", ["cifar10"], tmp_path / "empty")
    assert f"CIFAR-10: {cached}" in capsys.readouterr().out.splitlines()
    assert source_of(tmp_path / "data") == "CIFAR-10"


def test_a_damaged_copy_in_keras_cache_is_passed_over_whatever_the_label(unpacked, tmp_path, capsys):
    cached = tmp_path / "keras" / "datasets" / "cifar-10-batches-py"
    cached.parent.mkdir(parents=True)
    unpacked.rename(cached)
    content = bytearray((cached / "test_batch").read_bytes())
    content[5_000] ^= 1
    (cached / "test_batch").write_bytes(content)
    with pytest.raises(DatasetError, match="could not be downloaded"):
        subsets.build(tmp_path / "data", ["cifar10"], tmp_path / "empty", unverified="from Keras")
    assert "the copy in Keras' cache is not used" in capsys.readouterr().out


def png(image):
    buffer = io.BytesIO()
    PIL.Image.fromarray(image).save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": None}


def write_parquet(folder, dataset):
    """As Hugging Face's `plain_text`, the training part in two files."""
    pyarrow = pytest.importorskip("pyarrow", reason="needs pyarrow, which is not a dependency")
    parquet = pytest.importorskip("pyarrow.parquet")
    folder.mkdir(parents=True)
    half = len(dataset.train_labels) // 2
    for name, images, labels in (
        ("train-00000-of-00002", dataset.train_images[:half], dataset.train_labels[:half]),
        ("train-00001-of-00002", dataset.train_images[half:], dataset.train_labels[half:]),
        ("test-00000-of-00001", dataset.test_images, dataset.test_labels),
    ):
        table = pyarrow.table({"img": [png(image) for image in images], "label": labels})
        parquet.write_table(table, folder / f"{name}.parquet")


@pytest.mark.parametrize("source_dir", ["copies", "copies/plain_text"])
def test_parquet_files_are_verified_by_their_content(unpacked, tmp_path, source_dir):
    write_parquet(tmp_path / "copies" / "plain_text", datasets.load("cifar10", tmp_path / "unpacking"))
    subsets.build(tmp_path / "data", ["cifar10"], tmp_path / source_dir)
    assert source_of(tmp_path / "data") == "CIFAR-10"
    described = json.loads((tmp_path / "data" / "cifar10" / "training" / "manifest.json").read_text())
    assert described["inputs"]["cifar-10-python.tar.gz"] == {"verified": True, "hashes": {}}


def test_parquet_files_with_other_pixels_need_a_label(unpacked, tmp_path):
    dataset = datasets.load("cifar10", tmp_path / "unpacking")
    dataset.test_images[3, 4, 5] ^= 1
    write_parquet(tmp_path / "copies", dataset)
    with pytest.raises(DatasetError, match=r"copies: Expected the images and labels of CIFAR-10.*-p unverified"):
        subsets.build(tmp_path / "data", ["cifar10"], tmp_path / "copies")
    subsets.build(tmp_path / "data", ["cifar10"], tmp_path / "copies", unverified="parquet")
    assert source_of(tmp_path / "data") == "CIFAR-10 (parquet)"


def test_parquet_files_that_hold_something_else_are_named(unpacked, tmp_path, monkeypatch):
    write_parquet(tmp_path / "copies", datasets.load("cifar10", tmp_path / "unpacking"))
    for stem, message in (("test-00000", "Expected 100 images"), ("train-00000", "Expected the columns img")):
        path = next((tmp_path / "copies").glob(f"{stem}*"))
        content = path.read_bytes()
        path.write_bytes(next((tmp_path / "copies").glob("train-00001*")).read_bytes() if "test" in stem else b"PAR1")
        with pytest.raises(DatasetError, match=message):
            copies.read_parquet("cifar10", tmp_path / "copies")
        path.write_bytes(content)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(DatasetError, match="Expected pyarrow, which reads parquet files"):
        copies.read_parquet("cifar10", tmp_path / "copies")


def test_an_image_of_another_size_or_mode_is_refused(tmp_path):
    for image in (np.zeros((32, 33, 3), np.uint8), np.zeros((32, 32), np.uint8)):
        with pytest.raises(ValueError, match="an image of"):
            copies._decode(png(image)["bytes"])


def test_keras_cache_is_where_keras_says(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert copies.keras_cache() == tmp_path / "datasets"
    assert copies.find(sources.CIFAR10, tmp_path) is None
