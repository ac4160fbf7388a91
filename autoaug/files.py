"""Where the repository is, and how files are written."""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[1]
"""The checkout, or the folder that holds the installed packages."""


def write_atomically(path: str | os.PathLike, content: bytes) -> None:
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
