"""What is known of each image of a test set besides its label: where it comes from, and how hard it is.

`data_prep` writes `known_images/<test set>.json` in a folder of results, and the report reads it. So a report can be
made without the data sets.
"""

import json
import os
import pathlib
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from autoaug.files import read_json, write_atomically
from autoaug.records import RecordError

_MOST_IMAGES = 1_000_000


class KnownImages(NamedTuple):
    """What is known of the images of one version of a test set, in the order of the images.

    Args:
        test_sha256: `datasets.content_hash` of the test set.
        new: whether each image comes from another source than A's images, or has another look; None if unknown.
        difficulty: of each image, from −1 (easy) to 1: minus the margin of models that were not trained on the image;
            None if unknown.
        disputed: how many labels most people would not give; None if nobody was asked.
    """

    test_sha256: str
    new: Bool[np.ndarray, " n"] | None
    difficulty: Float[np.ndarray, " n"] | None
    disputed: int | None


def write(folder: str | os.PathLike[str], test_set: str, known: KnownImages) -> pathlib.Path:
    """Write what is known below a folder of results; returns the file. Difficulties are rounded to a thousandth."""
    content = {
        "test_sha256": known.test_sha256,
        "new": None if known.new is None else known.new.astype(int).tolist(),
        "difficulty": None if known.difficulty is None else known.difficulty.astype(float).round(3).tolist(),
        "disputed": known.disputed,
    }
    path = _path(folder, test_set)
    write_atomically(path, json.dumps(content, separators=(",", ":")).encode() + b"\n")
    return path


def read(folder: str | os.PathLike[str], test_set: str) -> KnownImages | None:
    """What is known of a test set's images; None if there is no file.

    Raises:
        RecordError: the file holds something else; the message names it.
    """
    path = _path(folder, test_set)
    if not path.exists():
        return None
    try:
        return _interpret(read_json(path))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise RecordError(f"{path}: Expected what is known of the images of a test set. Received: {error}") from error


def _path(folder: str | os.PathLike[str], test_set: str) -> pathlib.Path:
    return pathlib.Path(folder) / "known_images" / f"{test_set}.json"


def _interpret(content: dict) -> KnownImages:
    """The content of a file; ValueError if it is not as it should be."""
    sha256, new, difficulty, disputed = (content[name] for name in ("test_sha256", "new", "difficulty", "disputed"))
    given = [values for values in (new, difficulty) if values is not None]
    if not isinstance(sha256, str) or any(not isinstance(values, list) for values in given):
        raise ValueError("test_sha256 is no text, or new or difficulty is no list")
    if len({len(values) for values in given}) > 1 or any(not 1 <= len(values) <= _MOST_IMAGES for values in given):
        raise ValueError(f"lists of {', '.join(str(len(values)) for values in given)} values")
    if new is not None and not set(map(str, new)) <= {"0", "1"}:
        raise ValueError("new holds other values than 0 and 1")
    if difficulty is not None and not all(type(value) in (int, float) and -1 <= value <= 1 for value in difficulty):
        raise ValueError("difficulty holds other values than numbers from -1 to 1")
    if disputed is not None and (type(disputed) is not int or disputed < 0):
        raise ValueError(f"disputed {disputed!r}")
    return KnownImages(
        sha256,
        None if new is None else np.array(new, bool),
        None if difficulty is None else np.array(difficulty, float),
        disputed,
    )
