"""Published files: copies by name, content and size, downloads, and hostile archives."""

import dataclasses
import hashlib
import io
import pickle
import shutil
import tarfile
import threading

import file_server
import numpy as np
import pytest

from autoaug import datasets, files
from autoaug.datasets.batch_file import DatasetError
from data_prep import build, fetch, sources

CONTENT, OTHER = (np.random.default_rng(seed).bytes(300_000) for seed in (0, 1))


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder that is served, its address, and what was asked for."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (folder := tmp_path / "site").mkdir()
    with file_server.serving(folder) as (address, asked):
        yield folder, address, asked


def source(site, file="data.bin"):
    return sources.Source("Data", file, f"{site[1]}/{file}", {"sha256": hashlib.sha256(CONTENT).hexdigest()})


def kept(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def test_downloads_once_and_only_what_is_right(site, tmp_path):
    folder = tmp_path / "sources"
    (site[0] / "data.bin").write_bytes(OTHER)
    with pytest.raises(DatasetError, match=r"Expected sha256 \w+\. Received: \w+\. The download was deleted"):
        fetch.obtain([source(site)], folder, unverified="a copy")  # a label admits no wrong download
    assert kept(folder) == []
    (site[0] / "data.bin").write_bytes(CONTENT)
    threads = [threading.Thread(target=fetch.obtain, args=([source(site)], folder)) for _ in range(3)]
    for action in (threading.Thread.start, threading.Thread.join):
        for thread in threads:
            action(thread)
    (obtained,) = fetch.obtain([source(site)], folder)
    assert (obtained.path.read_bytes(), obtained.difference) == (CONTENT, "")
    assert (kept(folder), site[2]) == (["data.bin"], ["data.bin"] * 2)


def test_all_that_is_missing_is_said_at_once(site, tmp_path):
    folder = tmp_path / "sources"
    (site[0] / "good").write_bytes(CONTENT)
    with pytest.raises(DatasetError) as raised:
        fetch.obtain([source(site, file) for file in ("gone", "good", "also")], folder)
    _, gone, also, remedy = str(raised.value).splitlines()
    assert all(text in gone for text in (f"{site[1]}/gone", "404")) and "also" in also and str(folder) in remedy
    assert kept(folder) == ["good"]


def unpacked(published, place):
    """CIFAR-10's files in a folder of the given name, in place of the archive."""
    (source,) = sources.FILES["cifar10"]
    files.unpack(published / source.file, place.parent / "out", lambda _: True, 2**30)
    shutil.move(place.parent / "out" / source.folder, place)
    (published / source.file).unlink()


@pytest.mark.parametrize(
    "place",
    ["root", "root/cifar-10-batches-py", "keras/datasets/cifar-10-batches-py", "root/any", "keras/datasets/any"],
)
def test_copies_are_found_unpacked_and_as_an_archive_of_any_name(published, tmp_path, monkeypatch, place):
    (source,) = sources.FILES["cifar10"]
    path = published / source.file
    monkeypatch.setitem(sources.FILES, "cifar10", (dataclasses.replace(source, size=path.stat().st_size),))
    if place.endswith("any"):  # known by size and hash
        (tmp_path / place).parent.mkdir(parents=True)
        path.rename(tmp_path / place)
    else:
        unpacked(published, tmp_path / place)
    build.build(tmp_path / "data", ["cifar10"], tmp_path / "root")
    assert datasets.load("cifar10", tmp_path / "data").source == "CIFAR-10"


@pytest.mark.parametrize("flipped", [0, 1])
def test_a_repackaged_copy_is_known_by_its_images(published, tmp_path, flipped):
    unpacked(published, published / "cifar-10-batches-py")
    for path in (published / "cifar-10-batches-py").glob("*_batch*"):
        batch = pickle.loads(path.read_bytes(), encoding="bytes")
        batch = {"labels": batch[b"labels"], "data": batch[b"data"].copy()}
        batch["data"][7, 1_000] ^= flipped
        path.write_bytes(pickle.dumps(batch, 4))
    if flipped:
        with pytest.raises(DatasetError, match=r"data_batch_1: Expected md5 \w+\. Received: .*-p unverified"):
            build.build(tmp_path / "data", ["cifar10"], published)
        assert not (tmp_path / "data" / "cifar10" / "training").exists()
    build.build(tmp_path / "data", ["cifar10_10k"], published, unverified="flipped" if flipped else "")
    expected = "CIFAR-10 (flipped)" if flipped else "CIFAR-10"
    assert {datasets.load(name, tmp_path / "data").source for name in ("cifar10", "cifar10_10k")} == {expected}


BATCH = ("cifar-10-batches-py/test_batch", b"")


@pytest.mark.parametrize(
    ("members", "expected"),
    [(None, "undamaged archive"), ([], "archive with each of"), ([BATCH], "archive with each of")],
)
def test_other_archives_are_refused(published, tmp_path, members, expected):
    path = published / "cifar-10-python.tar.gz"
    path.write_bytes(b"no archive")
    if members is not None:
        with tarfile.open(path, "w:gz") as tar:
            for name, content in members:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    with pytest.raises((DatasetError, files.ArchiveError), match=rf"cifar-10-python\.tar\.gz: Expected an {expected}"):
        build.build(tmp_path / "data", ["cifar10"], published, unverified="a copy")
    assert not list(tmp_path.rglob("test_batch"))
