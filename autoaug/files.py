"""Where the repository is, and how files are read and written."""

import ast
import gzip
import itertools
import json
import os
import pathlib
import re
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import yaml

_MOST_VALUES = 100_000  # in YAML
_MISREAD = r".*:(int|float) ([-+]?0[0-9_]|.*:)|.*:str [-+]?\d*\.?\d+[eE][-+]?\d+\Z"  # tag, and quote with text, in YAML
_LONGEST_HEADER = 1024  # bytes, of a member's long name and the like in a tar; some Pythons search it for hours
ROOT = pathlib.Path(__file__).resolve().parents[1]
"""The checkout, or the folder that holds the installed packages."""


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write bytes under a temporary name in the same folder, then rename, so that no reader sees half a file.

    Raises:
        OSError: the file cannot be written; an earlier one is untouched.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        error.add_note(f"while writing {path}, which is as it was before")
        raise
    finally:
        temporary.unlink(missing_ok=True)


def absolute(path: str | os.PathLike[str]) -> pathlib.Path:
    """The absolute path; `~` is the user's home, and relative paths begin in the working directory."""
    return pathlib.Path(path).expanduser().absolute()


def require_regular(path: str | os.PathLike[str], most_bytes: int) -> None:
    """Raise ValueError unless the path leads to a regular file of at most so many bytes: no device, pipe or folder."""
    status = pathlib.Path(path).stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("no regular file")
    if status.st_size > most_bytes:
        raise ValueError(f"a file of {status.st_size:,} bytes, more than {most_bytes:,}")


def is_whole_zip(path: str | os.PathLike[str]) -> bool:
    """Whether it is a zip file, and none of its members is damaged."""
    try:
        require_regular(path, 2**32)
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except Exception:  # of half a dozen kinds
        return False


def read_text(path: str | os.PathLike[str], most_bytes: int = 2**24) -> str:
    """The text of a regular UTF-8 file of at most 16 MiB; ValueError if it is something else."""
    require_regular(path, most_bytes)
    return pathlib.Path(path).read_text(encoding="utf-8")


def check_yaml(text: str, name: str) -> None:
    """Refuse YAML that is read as something else than it seems; `name` is that of its file.

    Raises:
        ValueError: a key is there twice, of which only the last would count; a number would be read as octal,
            sexagesimal or text (010 as 8, 1:30 as 90, 1e-3 as "1e-3"); or it is no YAML.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"{name}: Expected YAML. Received: {error}") from error
    nodes = [root] if root else []
    for node in nodes:  # it grows, by an anchor's values at each of its aliases
        if len(nodes) > _MOST_VALUES:
            raise ValueError(f"{name}: Expected at most {_MOST_VALUES:,} values. Received: more, as aliases may make")
        place = f"{name}, line {node.start_mark.line + 1}"
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            if repeated := sorted({key for key in keys if keys.count(key) > 1}):
                raise ValueError(f"{place}: Expected each name once. Received twice: {', '.join(repeated)}")
            nodes += itertools.chain.from_iterable(node.value)
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif isinstance(node, yaml.ScalarNode) and re.match(_MISREAD, f"{node.tag} {node.style or ''}{node.value}"):
            raise ValueError(f"{place}: Expected a decimal number, as 10 or 1.0e-3, or quotes. Received: {node.value}")


def parameters_of(notebook: pathlib.Path) -> dict[str, Any]:
    """The annotated names in a notebook's `parameters` cell, with their defaults."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    tagged = ["".join(cell["source"]) for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    if len(tagged) != 1:
        raise ValueError(f"{notebook}: Expected one cell with the tag parameters. Received: {len(tagged)}")
    return {
        node.target.id: ast.literal_eval(node.value)
        for node in ast.parse(tagged[0]).body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value
    }


class ArchiveError(ValueError):
    """An archive is damaged, too large, or holds what it must not; the message names it."""


class _Member(tarfile.TarInfo):
    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Member":
        member = super().frombuf(buf, encoding, errors)
        if member.type in b"xgXLK" and member.size > _LONGEST_HEADER:
            raise ValueError(f"a header of {member.size:,} bytes")
        return member


def unpack(
    archive: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    take: Callable[[pathlib.PurePosixPath], bool],
    most_bytes: int,
) -> set[str]:
    """Unpack the files of a .tar.gz archive that are to be taken, after a check of the whole archive.

    Returns:
        The names of the unpacked files.

    Raises:
        ArchiveError: the archive is damaged or cut short, has more than `most_bytes` unpacked, or holds a file twice;
            or a member of it is neither a plain file nor a folder, or leads outside of the archive.
    """
    try:
        require_regular(archive, most_bytes)
        with gzip.open(archive) as packed, tempfile.TemporaryFile() as plain:
            while chunk := packed.read(2**20):  # before tarfile sees it: a header too may claim any size
                plain.write(chunk)
                if plain.tell() > most_bytes:
                    raise ValueError(f"more than {most_bytes:,} bytes")
            plain.seek(max(0, plain.tell() - 1024))
            if plain.read().strip(b"\0"):
                raise ValueError("one without its end")
            plain.seek(0)
            with tarfile.open(fileobj=plain, mode="r:", tarinfo=_Member) as tar:
                members = [member for member in tar.getmembers() if _is_plain_file(member)]
                names = [member.name for member in members]
                if len(set(names)) < len(names):
                    raise ValueError("a file that is in it twice")
                if sum(member.size for member in members) > most_bytes:  # a sparse file is larger than its data
                    raise ValueError(f"files of more than {most_bytes:,} bytes")
                wanted = [member for member in members if take(pathlib.PurePosixPath(member.name))]
                for member in wanted:
                    _write_member(tar, member, pathlib.Path(folder, member.name))
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
        raise ArchiveError(f"{archive}: Expected an undamaged archive of plain files. Received: {error}") from error
    return {member.name for member in wanted}


def _write_member(tar: tarfile.TarFile, member: tarfile.TarInfo, path: pathlib.Path) -> None:
    """Write a plain file's content, without its mode and owner; Python before 3.11.4 has no filter that does so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        shutil.copyfileobj(tar.extractfile(member), file)  # type: ignore[arg-type]  # None is for other members


def _is_plain_file(member: tarfile.TarInfo) -> bool:
    """Whether a member is a file, and not a folder; ValueError for anything else, and for a path that leads outside."""
    path = pathlib.PurePosixPath(member.name)
    if not (member.isfile() or member.isdir()) or path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{member.name[:80]!r}")
    return member.isfile()
