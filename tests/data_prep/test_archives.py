"""Archives are unpacked whole or not at all, even where the hash is right; hostile members are refused."""

import hashlib
import io
import tarfile

import numpy as np
import pytest

from autoaug.datasets.batch_file import DatasetError
from data_prep import download, sources

OTHER = np.random.default_rng(1).bytes(300_000)


def kept(folder):
    return sorted(path.name for path in folder.iterdir())


def member(name, content=b"", kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(content), kind, link
    return info, content


def archive(*members):
    """Bytes of a tar archive, gzip-compressed."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


FILES = {"first": b"one", "second": OTHER}
MEMBERS = [member("batches", kind=tarfile.DIRTYPE), *(member(f"batches/{name}", FILES[name]) for name in FILES)]


def source(content):
    digests = {name: hashlib.md5(value).hexdigest() for name, value in FILES.items()}
    hashes, url = {"sha256": hashlib.sha256(content).hexdigest()}, "http://127.0.0.1:9/never"
    return sources.Source("Data", "data.tar.gz", url, hashes, None, "public domain", "nobody", "batches", digests)


def obtain(folder, content, **options):
    """From a copy of the archive that lies in the folder."""
    return download.obtain([source(content)], folder, **options)["data.tar.gz"]


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "sources"
    folder.mkdir()
    return folder


def test_an_archive_is_unpacked_once_and_only_what_is_wanted(folder):
    content = archive(*MEMBERS, member("batches/readme.html", b"<p>"))
    (folder / "data.tar.gz").write_bytes(content)
    for _ in range(2):
        obtained = obtain(folder, content)
        assert {path.name: path.read_bytes() for path in obtained.path.iterdir()} == FILES
        assert obtained.verified
    assert kept(folder) == ["batches", "data.tar.gz"]
    (folder / "data.tar.gz").unlink()  # the unpacked files are enough
    assert obtain(folder, content).verified
    (folder / "batches" / "first").write_bytes(b"two")
    with pytest.raises(DatasetError, match="batches/first: Expected md5"):
        obtain(folder, content)
    (folder / "batches" / "first").unlink()
    with pytest.raises(DatasetError, match=r"batches/first: Expected a file .*\. Received: there is no such file"):
        obtain(folder, content, unverified="a copy")


HOSTILE = {
    "path traversal": [member("batches/../../outside", b"x")],
    "path traversal at once": [member("../outside", b"x")],
    "absolute": [member("/tmp/outside", b"x")],
    "another top folder": [member("outside/first", b"x")],
    "no folder": [member("first", b"x")],
    "symbolic link": [member("batches/first", kind=tarfile.SYMTYPE, link="/etc/passwd")],
    "symbolic link as the folder": [member("batches", kind=tarfile.SYMTYPE, link=".."), *MEMBERS[1:]],
    "hard link": [member("batches/third", kind=tarfile.LNKTYPE, link="batches/first")],
    "hard link outside": [member("batches/first", kind=tarfile.LNKTYPE, link="../../outside")],
    "character device": [member("batches/first", kind=tarfile.CHRTYPE)],
    "block device": [member("batches/first", kind=tarfile.BLKTYPE)],
    "pipe": [member("batches/first", kind=tarfile.FIFOTYPE)],
}  # fmt: skip


@pytest.mark.parametrize("members", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_archive_is_refused_whole(folder, members):
    assert_refused(folder, archive(*members, *MEMBERS), r"Expected an undamaged archive of plain files\. Received: '")


def assert_refused(folder, content, message):
    (folder / "data.tar.gz").write_bytes(content)
    with pytest.raises(DatasetError, match=rf"data\.tar\.gz: {message}"):
        obtain(folder, content)
    assert kept(folder) == ["data.tar.gz"]
    assert sorted(folder.parent.iterdir()) == [folder]


def test_a_file_twice_is_refused(folder):
    assert_refused(
        folder,
        archive(*MEMBERS, MEMBERS[1]),
        "Expected an undamaged archive of plain files. Received: a file that is in it twice",
    )


def test_an_incomplete_archive_is_refused(folder):
    assert_refused(folder, archive(*MEMBERS[:2]), "Expected the files batches/second. Received: others")


@pytest.mark.parametrize("cut", [5, 200_000])
def test_a_damaged_archive_is_refused(folder, cut):
    assert_refused(folder, archive(*MEMBERS)[:cut], "Expected an undamaged archive of plain files. Received: ")


def test_an_archive_with_a_flipped_bit_is_refused(folder):
    content = bytearray(archive(*MEMBERS))
    content[len(content) // 2] ^= 16
    (folder / "data.tar.gz").write_bytes(content)
    with pytest.raises(DatasetError, match=r"data\.tar\.gz: Expected an undamaged|batches/second: Expected md5"):
        obtain(folder, bytes(content))


@pytest.mark.parametrize("member_of_it", ["batches/second", "batches/unwanted"])
def test_a_bomb_is_refused(folder, monkeypatch, member_of_it):
    monkeypatch.setattr(download, "LARGEST", 2**20)
    content = archive(*MEMBERS[:2], member(member_of_it, bytes(2**21)))
    assert len(content) < 2**14
    assert_refused(folder, content, "Expected an undamaged archive of plain files. Received: more than 1,048,576 bytes")
