"""The manifest that data_prep writes beside a data set's files: where the images come from, and their hashes.

`manifest.json` holds at least two entries. `source` is the name of the images in reports. `parts` maps "training" and
"test" to dicts with `sha256`, the `datasets.content_hash` of the part's images and labels in the order of its files.
A set of the user's own has `own` too: what the catalogue says of a built-in set.
"""

import os
import pathlib
import re
import shlex
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from autoaug.datasets.batch_file import DatasetError
from autoaug.datasets.catalogue import DATASETS, Spec
from autoaug.files import read_json

UNVERIFIED = "unverified files"  # the source of a set without a manifest
_VISIBLE = (  # what a record takes as a source: no markup, no character that is not seen
    r"[^<>&\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff0-\uffff]{1,200}"
)
_NAME = r"[a-z][a-z0-9_.-]{0,39}"
LABEL = rf"^{_VISIBLE}\Z"
"""Pattern of a text that may be shown to readers: 1 to 200 visible characters, no markup."""
_Label = Annotated[str, msgspec.Meta(pattern=LABEL)]


class _OwnEntry(msgspec.Struct, forbid_unknown_fields=True):
    title: _Label
    family: _Label
    classes: Annotated[list[_Label], msgspec.Meta(min_length=2, max_length=1000)]
    original: Annotated[str, msgspec.Meta(pattern=rf"^({_NAME})?\Z")]
    train_size: Annotated[int, msgspec.Meta(ge=0, le=10**6)]
    test_size: Annotated[int, msgspec.Meta(ge=1, le=10**6)]


def is_label(text: object) -> bool:
    """Whether a text can be the source of a data set or a part of it: 1 to 200 visible characters, no markup."""
    return isinstance(text, str) and re.fullmatch(_VISIBLE, text) is not None


def require_own_name(name: object) -> None:
    """Raises DatasetError unless a set of the user's own can have this name."""
    if not isinstance(name, str) or not re.fullmatch(_NAME, name) or name in DATASETS:
        expected = "a name of up to 40 small letters, digits, _, . and -, which no built-in set has"
        raise DatasetError(f"own: Expected {expected}. Received: {str(name)[:80]!r}")


def read(folder: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The manifest in a data set's folder, a dict; None if there is none.

    Raises:
        DatasetError: the file is not a manifest.
    """
    path = pathlib.Path(folder) / "manifest.json"
    try:
        manifest = read_json(path)
        complete = is_label(manifest["source"]) and all(part["sha256"] for part in manifest["parts"].values())
        if "own" in manifest:
            msgspec.convert(manifest["own"], _OwnEntry)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # msgspec's errors are ValueErrors
        complete = False
    if not complete:
        remedy = build_command(path.parents[1].name, path.parents[2], rebuild=True)
        raise DatasetError(f"{path}: Expected a manifest with source and parts. Received: another file. {remedy}")
    return manifest


def own(data_dir: str | os.PathLike[str]) -> dict[str, Spec]:
    """The specifications of the user's own sets in a folder of data sets; damaged manifests are passed over."""
    found = {}
    for path in sorted(pathlib.Path(data_dir).expanduser().glob("*/training/manifest.json")):
        name = path.parents[1].name
        try:
            require_own_name(name)
            said = (read(path.parent) or {}).get("own")
        except DatasetError:
            continue
        if said:
            training = (f"{name}_train",) if said["train_size"] else ()
            named = {key: said[key] for key in ("train_size", "test_size", "family", "title", "original")}
            found[name] = Spec(training, f"{name}_test", classes=tuple(said["classes"]), **named)
    return found


def require(folder: pathlib.Path, manifest: Mapping[str, Any], hashes: Mapping[str, str]) -> None:
    """Raises DatasetError unless the content hashes of the parts are those in the manifest."""
    for part, received in hashes.items():
        if received != (expected := manifest["parts"].get(part, {}).get("sha256")):
            remedy = build_command(folder.parent.name, folder.parent.parent, rebuild=True)
            raise DatasetError(
                f"{folder}: Expected the {part} part of its manifest, SHA-256 {expected}. Received: {received}. "
                f"The folder is damaged or was changed. {remedy}"
            )


def build_command(name: str, data_dir: str | os.PathLike[str], **parameters: object) -> str:
    """A sentence with the command that builds a data set."""
    parameters = {"data_dir": data_dir, **parameters}
    values = "".join(f" -p {key} {shlex.quote(str(value))}" for key, value in parameters.items())
    return f"To make it, run: papermill notebooks/build_datasets.ipynb -y '{{sets: [{name}]}}'{values}"
