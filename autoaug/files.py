"""Where the repository is, and how files are read and written."""

import os
import pathlib
import stat

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


def require_regular(path: str | os.PathLike[str], most_bytes: int) -> None:
    """Raise ValueError unless the path leads to a regular file of at most so many bytes: no device, pipe or folder.

    Raises:
        ValueError: what it leads to instead.
        OSError: there is no such file, or it is out of reach.
    """
    status = pathlib.Path(path).stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("no regular file")
    if status.st_size > most_bytes:
        raise ValueError(f"a file of {status.st_size:,} bytes, more than {most_bytes:,}")


def read_text(path: str | os.PathLike[str], most_bytes: int = 2**24) -> str:
    """The text of a regular UTF-8 file of at most 16 MiB.

    Raises:
        ValueError: it is something else.
        OSError: as for `require_regular`.
    """
    require_regular(path, most_bytes)
    return pathlib.Path(path).read_text(encoding="utf-8")
