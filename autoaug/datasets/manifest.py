"""The manifest that data_prep writes beside a data set's files: where the images come from, and their hashes.

`manifest.json` holds at least two entries. `source` is the name of the images in reports. `parts` maps "training" and
"test" to dicts with `sha256`, the `datasets.content_hash` of the part's images and labels in the order of its files.
A set of the user's own has `own` too: what the catalogue says of a built-in set.
"""

import os
import pathlib
import re
import shlex
import warnings
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from autoaug.datasets.batch_file import DatasetError
from autoaug.datasets.catalogue import DATASETS, Label, Spec
from autoaug.files import read_text

UNVERIFIED = "unverified files"  # the source of a set without a manifest
_NAME = r"[a-z][a-z0-9_.-]{0,39}"


class _Hashed(msgspec.Struct):
    sha256: str
    images_per_class: Annotated[tuple[int, ...], msgspec.Meta(min_length=1)] = (0,)
    mean: tuple[float, float, float] = (0, 0, 0)
    std: tuple[float, float, float] = (0, 0, 0)


class _Own(msgspec.Struct, forbid_unknown_fields=True):
    title: Label
    family: Label
    classes: Annotated[tuple[Label, ...], msgspec.Meta(min_length=2, max_length=256)]
    original: Annotated[str, msgspec.Meta(pattern=rf"^({_NAME})?\Z")]
    train_size: Annotated[int, msgspec.Meta(ge=0, le=10**6)]
    test_size: Annotated[int, msgspec.Meta(ge=0, le=10**6)]


class _Manifest(msgspec.Struct):
    source: Label
    parts: dict[str, _Hashed]
    own: _Own | None = None


def require_own_name(name: object) -> None:
    """Raises DatasetError unless a set of the user's own can have this name."""
    if not isinstance(name, str) or not re.fullmatch(_NAME, name) or name in DATASETS:
        expected = "a small letter and up to 39 small letters, digits, _, . and -, a name that no built-in set has"
        raise DatasetError(f"own: Expected {expected}. Received: {str(name)[:80]!r}")


def read(folder: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The manifest in a data set's folder, a dict; None if there is none.

    Raises:
        DatasetError: the file is not a manifest.
    """
    path = pathlib.Path(folder) / "manifest.json"
    try:
        manifest = msgspec.json.decode(read_text(path))
        msgspec.convert(manifest, _Manifest)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        remedy = rebuild_command(path.parents[1].name, path.parents[2], {"own": path.parents[1].name not in DATASETS})
        raise DatasetError(f"{path}: Expected a manifest. Received: {error}. {remedy}") from error
    return manifest


def own(data_dir: str | os.PathLike[str]) -> dict[str, Spec]:
    """The specifications of the user's own sets in a folder of data sets; a warning names damaged ones."""
    found = {}
    for path in sorted(pathlib.Path(data_dir).expanduser().glob("*/training/manifest.json")):
        if (name := path.parents[1].name) in DATASETS or not re.fullmatch(_NAME, name):
            continue
        try:
            said = msgspec.convert(read(path.parent), _Manifest).own
            if said and said.original != name:
                found[name] = spec_of(name, msgspec.structs.asdict(said))
        except (DatasetError, msgspec.ValidationError) as error:
            warnings.warn(f"Left out: {error}", stacklevel=1)
    return found


def spec_of(name: str, said: Mapping[str, Any]) -> Spec:
    """The specification of a set of the user's own, from what its manifest says of it."""
    said = {**said, "classes": tuple(said["classes"])}
    test_file = f"{name}_test" if said["test_size"] else ""
    return Spec(**said, training_files=(f"{name}_train",) if said["train_size"] else (), test_file=test_file)


def build_command(name: str, data_dir: str | os.PathLike[str], **parameters: object) -> str:
    """A sentence with the command that builds a data set."""
    parameters = {"data_dir": data_dir, **parameters}
    values = "".join(f" -p {key} {shlex.quote(str(value))}" for key, value in parameters.items())
    return f"To make it, run: papermill notebooks/build_datasets.ipynb -y '{{sets: [{name}]}}'{values}"


def rebuild_command(name: str, data_dir: str | os.PathLike[str], manifest: Mapping[str, Any]) -> str:
    """A sentence with the command that builds the damaged data set of this manifest again."""
    if manifest.get("own"):
        return "Repeat the command that built it, with -p rebuild True"
    chosen = {key: manifest[key] for key in ("seed", "new_fraction") if key in manifest}
    return build_command(name, data_dir, rebuild=True, **chosen)
