"""Files are written whole or not at all; nothing of a hostile archive is unpacked."""

import io
import os
import signal
import subprocess
import sys
import tarfile

import pytest

from autoaug import files

WRITE_AND_DIE = """
import os, signal, sys
from autoaug import files
files.os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
files.write_atomically(sys.argv[1], b"half a file")
"""


def test_a_process_that_is_killed_while_it_writes_leaves_the_file_as_it_was(tmp_path):
    (path := tmp_path / "record.json").write_text("earlier")
    assert subprocess.run([sys.executable, "-c", WRITE_AND_DIE, str(path)], check=False).returncode == -signal.SIGKILL
    assert path.read_text() == "earlier"


def member(path, **changes):
    info = tarfile.TarInfo(path)
    for name, value in changes.items():
        setattr(info, name, value)
    return info


HOSTILE = {
    "outside": member("../a"),
    "absolute": member("/a"),
    "link": member("a", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "link inside": member("a", type=tarfile.SYMTYPE, linkname="good"),
    "hard link": member("a", type=tarfile.LNKTYPE, linkname="../../etc/passwd"),
    "pipe": member("a", type=tarfile.FIFOTYPE),
    "twice": member("good"),
    "sparse": member("a", pax_headers={"GNU.sparse.size": str(10**12), "GNU.sparse.map": "0,0"}),
    "large": member("a", size=2**21),
    "digits": member("9" * 10**6),  # which Python 3.11.7 searches for hours
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_nothing_of_a_hostile_archive_is_unpacked(tmp_path, hostile):
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(member("good"))
        tar.addfile(hostile, io.BytesIO(bytes(hostile.size)))
    with pytest.raises(files.ArchiveError, match=r"a\.tar\.gz: Expected an undamaged archive of plain files\. Rec"):
        files.unpack(tmp_path / "a.tar.gz", tmp_path / "out", lambda _: True, 2**20)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]


def test_a_file_that_cannot_be_written_is_as_before(tmp_path, monkeypatch):
    (tmp_path / "kept").write_bytes(b"before")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        files.write_atomically(tmp_path / "kept", b"after")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("kept", b"before")]
