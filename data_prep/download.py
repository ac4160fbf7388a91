"""Gets the source files: existing copies if there are any, else downloads; always verified.

It looks for copies first in the folder of sources, then in Keras' cache (`data_prep.copies`). Downloads go to the
folder of sources. A file gets its final name only after it has been verified, so nothing is downloaded twice, and a
partial download continues where it stopped.
"""

import os
import pathlib
import tempfile
import time
import urllib.parse
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import filelock
import requests
import tqdm.auto

from autoaug import files
from autoaug.datasets import DatasetError
from data_prep import copies
from data_prep.folders import file_hash
from data_prep.reading import content_hashes
from data_prep.sources import Source

TIMEOUT = (10, 60)  # seconds to connect, and between two pieces of an answer
ATTEMPTS = 4
BACK_OFF = 1.0  # seconds before the second attempt, doubled before each further one
LARGEST = 2**30  # bytes, of a file of unknown size, and of an archive's unpacked files together

_REMEDY = (
    "To download the published file, remove this one. To use this one nevertheless, give it a label, for example: "
    "-p unverified 'JPEG copy'. The sets built from it carry the label."
)

Hashes = dict[str, str]
"""Kind of hash → value in hexadecimal."""


class Obtained(NamedTuple):
    """A source on this machine.

    Args:
        path: of the file, or of the unpacked folder.
        verified: whether it is the published data: the hashes of all files are the published ones, or those of pixels
            and labels are.
        hashes: name of each file → its hashes, of the kinds that were published.
    """

    path: pathlib.Path
    verified: bool
    hashes: dict[str, Hashes]


def obtain(sources: Sequence[Source], folder: str | os.PathLike[str], unverified: str = "") -> dict[str, Obtained]:
    """The verified files of the sources; missing files are downloaded.

    Args:
        sources: the files.
        folder: first place to look for copies, in any layout of `data_prep.copies`; downloads go there.
        unverified: a label that allows files in the folder with other content than the published data. Downloads must
            always be the published files.

    Returns:
        The source's file name → what was obtained.

    Raises:
        DatasetError: a file differs and there is no label, an archive is unsafe, or files could not be downloaded. A
            single message lists all these files with their addresses, and the folder to put copies into.
    """
    folder = pathlib.Path(folder)
    obtained = {source.file: _verified(source, folder, unverified) for source in sources if _is_here(source, folder)}
    obtained |= _from_keras([source for source in sources if source.file not in obtained])
    if missing := [source for source in sources if source.file not in obtained]:
        with filelock.FileLock(folder / ".lock"):
            _download_all([source for source in missing if not _is_here(source, folder)], folder)
        obtained |= {source.file: _verified(source, folder) for source in missing}
    return obtained


def _is_here(source: Source, folder: pathlib.Path) -> bool:
    return (folder / source.file).is_file() or (bool(source.members) and _unpacked(source, folder) is not None)


def _unpacked(source: Source, folder: pathlib.Path) -> pathlib.Path | None:
    """The folder with an archive's files, or some of them, in any layout; None if there is none."""
    whole, partial = copies.find(source, folder), folder / source.folder
    return whole or (partial if partial.is_dir() else None)


def _from_keras(sources: Iterable[Source]) -> dict[str, Obtained]:
    """The sources that Keras' cache holds, verified; other files there are ignored."""
    obtained = {}
    for source in sources:
        if source.members and (path := copies.find(source, copies.keras_cache())):
            try:
                obtained[source.file] = _judge(source, path)
            except DatasetError as error:
                print(f"{source.title}: the copy in Keras' cache is not used. {error}")
    return obtained


def _verified(source: Source, folder: pathlib.Path, unverified: str = "") -> Obtained:
    """Unpacks an archive that has not been unpacked yet, and compares hashes."""
    if not source.members:
        return _judge(source, folder / source.file, unverified)
    if (path := _unpacked(source, folder)) is None:
        archive, path = folder / source.file, folder / source.folder
        hashes = {kind: file_hash(archive, kind) for kind in source.hashes}
        if hashes != source.hashes and not unverified:
            raise DatasetError(f"{archive}: {_difference(source.hashes, hashes)} {_REMEDY}")
        unpack(archive, path, source.members)
    return _judge(source, path, unverified)


def _judge(source: Source, path: pathlib.Path, unverified: str = "") -> Obtained:
    """Compares hashes of files, and if they differ, hashes of pixels and labels.

    Raises:
        DatasetError: both differ from the published hashes, and there is no label.
    """
    expected = _expected(source, path)
    hashes = _hashes(expected)
    published = bool(expected) and hashes == expected
    if not published and source.content:
        published = content_hashes(source.dataset, path) == source.content
    if not published and not unverified:
        differing = next((file for file in expected if hashes[file] != expected[file]), None)
        difference = (
            f"{path}: Expected the images and labels of {source.title}. Received: others, or files that cannot be "
            "checked."
        )
        if differing:
            difference = f"{differing}: {_difference(expected[differing], hashes[differing])}"
        raise DatasetError(f"{difference} {_REMEDY}")
    print(f"{source.title}: {path}{'' if published else ', unverified'}")
    return Obtained(path, published, {file.name: values for file, values in hashes.items()})


def _expected(source: Source, path: pathlib.Path) -> dict[pathlib.Path, Hashes]:
    """File → kind → hash of the published files at a path; empty for parquet files, which have other hashes."""
    if not source.members:
        return {path: source.hashes}
    if copies.is_parquet(path):
        return {}
    return {path / member: {"md5": value} for member, value in source.members.items()}


def _hashes(expected: Mapping[pathlib.Path, Hashes]) -> dict[pathlib.Path, Hashes]:
    """The hashes of files, of the kinds expected: path → kind → value."""
    for path in expected:
        if not path.is_file():
            raise DatasetError(f"{path}: Expected a file of the published data. Received: there is no such file")
    return {path: {kind: file_hash(path, kind) for kind in hashes} for path, hashes in expected.items()}


def _difference(expected: Hashes, received: Hashes) -> str:
    return " ".join(f"Expected {kind} {expected[kind]}. Received: {received[kind]}." for kind in expected)


def _download_all(sources: Iterable[Source], folder: pathlib.Path) -> None:
    """Downloads files; one error lists all that could not be downloaded. An unreachable host is not tried again."""
    failures: list[str] = []
    unreachable: set[str] = set()
    with requests.Session() as session:
        for source in sources:
            host = urllib.parse.urlsplit(source.url).netloc
            try:
                if host in unreachable:
                    raise requests.ConnectionError
                _download(source, folder, session)
            except (requests.RequestException, DatasetError) as error:
                failures.append(f"  {source.file}  {source.url}  ({_reason(error)})")
                if isinstance(error, requests.ConnectionError):
                    unreachable.add(host)
    if failures:
        remedy = f"Put copies into {folder.absolute()} (they are verified in the same way), or try again."
        raise DatasetError("\n".join(["These files could not be downloaded:", *failures, remedy]))


def _reason(error: Exception) -> str:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"status {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection, or it broke"
    return str(error) or type(error).__name__


def _download(source: Source, folder: pathlib.Path, session: requests.Session) -> None:
    """Downloads one file, with several attempts if necessary; the file gets its name only after it is verified."""
    part = folder / f".{source.file}.part"
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _continue(source, part, session)
            break
        except requests.RequestException as error:
            if attempt == ATTEMPTS or not _is_transient(error):
                raise
            time.sleep(BACK_OFF * 2 ** (attempt - 1))
    hashes = {kind: file_hash(part, kind) for kind in source.hashes}
    if hashes != source.hashes:
        part.unlink()
        raise DatasetError(f"{_difference(source.hashes, hashes)} The download was deleted.")
    part.replace(folder / source.file)


def _is_transient(error: Exception) -> bool:
    """Whether another attempt may succeed: broken connections and overloaded servers, not missing files."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code in (408, 416, 429, 500, 502, 503, 504)
    return isinstance(error, requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError)


def _continue(source: Source, part: pathlib.Path, session: requests.Session) -> None:
    """Downloads the rest of a partial file, or the whole file if the server cannot send a part."""
    done = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    with session.get(source.url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == 416:  # the partial file is not the beginning of this file
            part.unlink(missing_ok=True)
        response.raise_for_status()
        if not response.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
            done = 0
        length = int(response.headers.get("Content-Length", 0))
        limit = source.size or LARGEST
        with (
            part.open("ab" if done else "wb") as file,
            tqdm.auto.tqdm(
                desc=source.file, initial=done, total=done + length or None, unit="B", unit_scale=True, mininterval=1
            ) as progress,
        ):
            for piece in response.iter_content(2**16):
                file.write(piece)
                progress.update(len(piece))
                if file.tell() > limit:
                    break  # the hash will differ


def unpack(archive: pathlib.Path, folder: pathlib.Path, names: Collection[str]) -> None:
    """Unpacks some files from a tar archive's only top folder into `folder`, which appears whole or not at all.

    Args:
        archive: its path.
        folder: must not exist; it has the same name as the top folder.
        names: the files to unpack; others stay in the archive.

    Raises:
        DatasetError: `files.unpack` refuses the archive, it would unpack to more than LARGEST bytes, a file is missing,
            or a file lies outside of the top folder.
    """

    def take(member: pathlib.PurePosixPath) -> bool:
        if member.parts[:1] != (folder.name,):
            raise ValueError(f"{str(member)[:80]!r}, which is not in {folder.name}/")
        return str(member.relative_to(folder.name)) in names

    with tempfile.TemporaryDirectory(prefix=".", dir=folder.parent) as partial:
        try:
            taken = files.unpack(archive, partial, take, LARGEST)
        except files.ArchiveError as error:
            raise DatasetError(str(error)) from error
        if missing := sorted({f"{folder.name}/{name}" for name in names} - taken):
            raise DatasetError(f"{archive}: Expected the files {', '.join(missing)}. Received: others")
        (pathlib.Path(partial) / folder.name).rename(folder)
