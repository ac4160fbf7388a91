"""Gets the source files: taken from where they are already, else downloaded; always verified.

The folder of sources is looked in first, then Keras' cache (`data_prep.copies`). What is downloaded goes to the folder
of sources. A file gets its name there only after it has been verified, so nothing is downloaded twice, and a partial
download goes on where it stopped.
"""

import collections
import pathlib
import shutil
import tarfile
import time
import urllib.parse
import zlib

import filelock
import requests
import tqdm.auto

from autoaug.datasets.batch_file import DatasetError
from data_prep import copies
from data_prep.folders import file_hash
from data_prep.reading import content_hashes

TIMEOUT = (10, 60)  # seconds to connect, and between two pieces of an answer
ATTEMPTS = 4
BACK_OFF = 1.0  # seconds before the second attempt, doubled before each further one
LARGEST = 2**30  # bytes of a file whose size is not known, and of all that an archive unpacks to

_REMEDY = (
    "To download the published file, remove this one. To use it all the same, say what it is, for example: "
    "-p unverified 'JPEG copy'. What is built from it is marked so."
)

Obtained = collections.namedtuple("Obtained", "path verified hashes")


def obtain(sources, folder, unverified=""):
    """The files of the sources, verified; those that are not in the folder are downloaded into it.

    Args:
        sources: `sources.Source`s.
        folder: where copies are looked for first, in any layout of `data_prep.copies`, and what is missing goes.
        unverified: a label that admits files from the folder that are not the published ones in other files either; a
            download is never admitted so.

    Returns:
        dict: the source's file name → (path of the file or of the unpacked folder, whether it is the published data,
        dict of the hashes found). It is if all hashes are the published ones, or if pixels and labels are.

    Raises:
        DatasetError: a file differs and there is no label, an archive is unsafe, or files could not be downloaded: one
            message lists each with its address and the folder where a copy is accepted.
    """
    folder = pathlib.Path(folder)
    obtained = {source.file: _verified(source, folder, unverified) for source in sources if _is_here(source, folder)}
    obtained |= _from_keras([source for source in sources if source.file not in obtained])
    if missing := [source for source in sources if source.file not in obtained]:
        with filelock.FileLock(folder / ".lock"):
            _download_all([source for source in missing if not _is_here(source, folder)], folder)
        obtained |= {source.file: _verified(source, folder) for source in missing}
    return obtained


def _is_here(source, folder):
    return (folder / source.file).is_file() or (bool(source.members) and _unpacked(source, folder) is not None)


def _unpacked(source, folder):
    """The folder with an archive's files in any layout, or with some of them; None where there is none."""
    whole, partial = copies.find(source, folder), folder / source.folder
    return whole or (partial if partial.is_dir() else None)


def _from_keras(sources):
    """What of the sources Keras' cache holds, verified; anything else there is passed over."""
    obtained = {}
    for source in sources:
        if source.members and (path := copies.find(source, copies.keras_cache())):
            try:
                obtained[source.file] = _judge(source, path)
            except DatasetError as error:
                print(f"{source.title}: the copy in Keras' cache is not used. {error}")
    return obtained


def _verified(source, folder, unverified=""):
    """Unpacks an archive that has not been, and compares hashes."""
    if not source.members:
        return _judge(source, folder / source.file, unverified)
    if (path := _unpacked(source, folder)) is None:
        archive, path = folder / source.file, folder / source.folder
        found = {kind: file_hash(archive, kind) for kind in source.hashes}
        if found != source.hashes and not unverified:
            raise DatasetError(f"{archive}: {_difference(source.hashes, found)} {_REMEDY}")
        unpack(archive, path, source.members)
    return _judge(source, path, unverified)


def _judge(source, path, unverified=""):
    """Compares hashes, of files or, where they differ, of pixels and labels.

    Raises:
        DatasetError: neither is the published one, and there is no label.
    """
    expected = _expected(source, path)
    found = _hashes(expected)
    published = bool(expected) and found == expected
    if not published and source.content:
        published = content_hashes(source.dataset, path) == source.content
    if not published and not unverified:
        differing = next((file for file in expected if found[file] != expected[file]), None)
        difference = (
            f"{path}: Expected {source.title}'s images and labels, by their content. Found: others, or unknown."
        )
        if differing:
            difference = f"{differing}: {_difference(expected[differing], found[differing])}"
        raise DatasetError(f"{difference} {_REMEDY}")
    print(f"{source.title}: {path}{'' if published else ', unverified'}")
    return Obtained(path, published, {file.name: hashes for file, hashes in found.items()})


def _expected(source, path):
    """File → kind → hash of the published files at a path; nothing for parquet files, which have other hashes."""
    if not source.members:
        return {path: source.hashes}
    if copies.is_parquet(path):
        return {}
    return {path / member: {"md5": value} for member, value in source.members.items()}


def _hashes(expected):
    """The hashes of files, of the kinds expected: path → kind → value."""
    for path in expected:
        if not path.is_file():
            raise DatasetError(f"{path}: Expected a file of the published data. Received: nothing by that name")
    return {path: {kind: file_hash(path, kind) for kind in hashes} for path, hashes in expected.items()}


def _difference(expected, found):
    return " ".join(f"Expected {kind} {expected[kind]}. Found: {found[kind]}." for kind in expected)


def _download_all(sources, folder):
    """Downloads files, or raises one error about all that could not be; a host out of reach is not tried again."""
    failures, unreachable = [], set()
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
        remedy = f"Put copies into {folder.absolute()}, where they are verified in the same way; or try again."
        raise DatasetError("\n".join(["These files could not be downloaded:", *failures, remedy]))


def _reason(error):
    if isinstance(error, requests.HTTPError):
        return f"status {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection, or it broke"
    return str(error) or type(error).__name__


def _download(source, folder, session):
    """Downloads one file, in several attempts if need be; it gets its name only once it is verified."""
    part = folder / f".{source.file}.part"
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _continue(source, part, session)
            break
        except requests.RequestException as error:
            if attempt == ATTEMPTS or not _is_transient(error):
                raise
            time.sleep(BACK_OFF * 2 ** (attempt - 1))
    found = {kind: file_hash(part, kind) for kind in source.hashes}
    if found != source.hashes:
        part.unlink()
        raise DatasetError(f"{_difference(source.hashes, found)} Nothing of it is kept.")
    part.replace(folder / source.file)


def _is_transient(error):
    """Whether another attempt may succeed: broken connections and overloaded servers, not missing files."""
    if isinstance(error, requests.HTTPError):
        return error.response.status_code in (408, 416, 429, 500, 502, 503, 504)
    return isinstance(error, requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError)


def _continue(source, part, session):
    """Downloads what is missing of a partial file; all of it, if the server cannot send a piece."""
    done = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    with session.get(source.url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == 416:  # the partial file is no beginning of this one
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


def unpack(archive, folder, names):
    """Unpacks some files of a tar archive's only top folder; `folder`, named like it, appears whole or not at all.

    Args:
        archive: path of the archive, compressed or not.
        folder: pathlib.Path, must not exist; its name is the top folder's.
        names: the files to take; the archive may hold more, which stay there.

    Raises:
        DatasetError: the archive is damaged, lacks a file, holds one twice, would unpack to more than LARGEST bytes, or
            has any member that is neither a plain file nor a folder, or that lies outside of the top folder.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    wanted, taken, size = {f"{folder.name}/{name}" for name in names}, set(), 0
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                size += 512 + member.size  # a header is 512 bytes
                _require_safe(member, folder.name, size, archive)
                if member.name in taken:
                    raise DatasetError(f"{archive}: Expected one {member.name}. Received: a second one")
                if member.name in wanted:
                    taken.add(member.name)
                    tar.extract(member, partial, filter="data")
        if wanted > taken:
            raise DatasetError(f"{archive}: Expected the files {', '.join(sorted(wanted - taken))}. Received: others")
        (partial / folder.name).rename(folder)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise DatasetError(f"{archive}: Expected an undamaged tar archive. Received: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _require_safe(member, top, size, archive):
    """Raises for a member that an archive of plain files in one folder does not have."""
    path = pathlib.PurePosixPath(member.name)
    if not (member.isfile() or member.isdir()) or path.is_absolute() or ".." in path.parts or path.parts[:1] != (top,):
        raise DatasetError(f"{archive}: Expected plain files in {top}/. Received: {member.name[:80]!r}")
    if size > LARGEST:
        raise DatasetError(f"{archive}: Expected at most {LARGEST:,} bytes. Received: more, in {member.name[:80]!r}")
