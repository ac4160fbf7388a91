"""Gets the published files: a copy where there is one, else a download; always verified.

Copies are looked for in the folder of sources, then in Keras' cache: by name, by the names of an archive's files, or by
size and hash. Downloads go to the folder of sources.
"""

import contextlib
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import filelock
import pooch
import requests

from autoaug import datasets
from autoaug.datasets import DatasetError
from autoaug.files import ArchiveError
from data_prep.folders import file_hash
from data_prep.reading import read_published
from data_prep.sources import Source

TIMEOUT = (10, 60)  # seconds to connect, and between two pieces of an answer
_REMEDY = (
    "To download the published file, remove this one. To use this one nevertheless, give it a label, for example: "
    "-p unverified 'JPEG copy'. The sets built from it carry the label."
)


class Obtained(NamedTuple):
    """A source on this machine: a file or archive, or a folder with the archive's files.

    Args:
        path: of the file or folder.
        difference: in what it differs from the published data, for a message; empty if it is the published data, by the
            hash of the files or of their images and labels.
    """

    path: pathlib.Path
    difference: str = ""


def obtain(sources: Sequence[Source], folder: str | os.PathLike[str], unverified: str | None = None) -> list[Obtained]:
    """The files of a set, all from one host; missing ones are downloaded.

    Args:
        sources: the files.
        folder: first place to look for copies; downloads go there.
        unverified: a label that allows files in the folder with other content than the published data. Downloads must
            always be the published files.

    Raises:
        DatasetError: a file differs and there is no label, or files could not be downloaded. A single message lists
            all these files with their addresses, and the folder to put copies into.
    """
    folder = pathlib.Path(folder).expanduser()
    found = [_find(source, folder, unverified) for source in sources]
    if not all(found):
        with filelock.FileLock(folder / ".downloads.lock"):
            missing = [source for source, copy in zip(sources, found, strict=True) if not copy]
            _download_all([source for source in missing if not (folder / source.file).exists()], folder)
    return [copy or _judge(source, folder / source.file) for source, copy in zip(sources, found, strict=True)]


def _find(source: Source, folder: pathlib.Path, unverified: str | None) -> Obtained | None:
    """The first copy that is the published data, or with a label any; DatasetError if the folder has only others."""
    others, keras = [], pathlib.Path(os.environ.get("KERAS_HOME") or pathlib.Path.home() / ".keras")
    for place in (folder, keras / "datasets"):
        for path in _copies(source, place):
            found = _judge(source, path)
            if not found.difference:
                return found
            others += [found] if place == folder else []
    if others and not unverified:
        raise DatasetError(f"{others[0].difference} {_REMEDY}")
    return others[0] if others else None


def _copies(source: Source, place: pathlib.Path) -> Iterator[pathlib.Path]:
    """Paths in a folder that may hold a source: a folder with all files of its archive, its file, files of its size."""
    if source.members:
        for path in (place / source.folder, place, place / f"{source.folder}-target" / source.folder):  # Keras 3
            if all((path / member).is_file() for member in source.members):
                yield path
    if (place / source.file).is_file():
        yield place / source.file
    if source.size and place.is_dir():
        for path in sorted(place.iterdir()):
            if path.name != source.file and path.is_file() and path.stat().st_size == source.size:
                yield path


def _judge(source: Source, path: pathlib.Path) -> Obtained:
    """Compares hashes of files, and if they differ, those of an archive's images and labels."""
    members = {path / member: {"md5": value} for member, value in source.members.items()}
    expected = members if path.is_dir() else {path: source.hashes}
    difference = next(filter(None, (_difference(file, hashes) for file, hashes in expected.items())), "")
    if difference and source.content:
        with contextlib.suppress(DatasetError, ArchiveError):  # other files under these names: the label decides
            parts = read_published("cifar10", [path])
            if {part: datasets.content_hash(*arrays) for part, arrays in parts.items()} == source.content:
                difference = ""
    return Obtained(path, difference)


def _difference(path: pathlib.Path, expected: dict[str, str]) -> str:
    received = {kind: file_hash(path, kind) for kind in expected}
    if received == expected:
        return ""
    hashes = (f"Expected {kind} {expected[kind]}. Received: {received[kind]}." for kind in expected)
    return f"{path.absolute()}: {' '.join(hashes)}"


def _download_all(sources: Sequence[Source], folder: pathlib.Path) -> None:
    """Downloads files, which get their names only after they are verified; one error lists all that are not."""
    failures = []
    for source in sources:
        part = folder / f".{source.file}.part"
        try:
            pooch.HTTPDownloader(progressbar=True, chunk_size=2**16, timeout=TIMEOUT)(source.url, str(part), None)
            if difference := _difference(part, source.hashes):
                raise DatasetError(f"{difference} The download was deleted.")
            part.replace(folder / source.file)
        except (requests.RequestException, DatasetError) as error:
            reason = str(error) if isinstance(error, requests.HTTPError | DatasetError) else type(error).__name__
            failures.append(f"  {source.file}  {source.url}  ({reason})")
        finally:
            part.unlink(missing_ok=True)
    if failures:
        remedy = f"Put copies into {folder.absolute()} (they are verified in the same way), or try again."
        raise DatasetError("\n".join(["These files could not be downloaded:", *failures, remedy]))
