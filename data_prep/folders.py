"""Folders of built data sets: written whole or not at all, with a manifest, and checked against it."""

import hashlib
import json
import pathlib
import shutil
from collections.abc import Callable, Mapping
from typing import Any

import filelock
import msgspec
import numpy as np
from jaxtyping import Int, UInt8

from autoaug.datasets import DatasetError, Spec, channel_statistics, content_hash
from autoaug.datasets import manifest as manifests
from autoaug.datasets.batch_file import write_batch
from autoaug.files import read_text, write_atomically

Part = tuple[UInt8[np.ndarray, "_ 32 32 3"], Int[np.ndarray, " _"]]
"""Images and labels."""


def write_parts(spec: Spec, folder: pathlib.Path, parts: Mapping[str, Part]) -> dict[str, Any]:
    """Writes the batch files of a set; returns the entry `parts` of its manifest."""
    for part, (images, labels) in parts.items():
        files = spec.files(part)
        pieces = zip(np.split(images, len(files)), np.split(labels, len(files)), strict=True)
        for file, piece in zip(files, pieces, strict=True):
            write_batch(folder / file, *piece, label_key=spec.label_key)
    return {"parts": {part: describe(*arrays, spec.num_classes) for part, arrays in parts.items()}}


def describe(images: UInt8[np.ndarray, "n 32 32 3"], labels: Int[np.ndarray, " n"], num_classes: int) -> dict[str, Any]:
    """A part's description in a manifest: counts, channel mean and deviation (of 255), hash of pixels and labels."""
    mean, std = channel_statistics(images)
    return {
        "images": len(labels),
        "images_per_class": np.bincount(labels, minlength=num_classes).tolist(),
        "mean": mean.tolist(),
        "std": std.tolist(),
        "sha256": content_hash(images, labels),
    }


def file_hashes(folder: pathlib.Path) -> dict[str, str]:
    """SHA-256 in hexadecimal of every file in the folder, by name, but of the manifest and of hidden files."""
    paths = sorted(path for path in folder.glob("[!.]*") if path.is_file() and path.name != "manifest.json")
    return {path.name: file_hash(path) for path in paths}


def file_hash(path: pathlib.Path, kind: str = "sha256") -> str:
    """The file's hash in hexadecimal: a kind of hashlib, or git-blob-sha1, the name that git gives its content."""
    kind, prefix = ("sha1", f"blob {path.stat().st_size}\0") if kind == "git-blob-sha1" else (kind, "")
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(kind, prefix.encode())).hexdigest()


def condition(folder: pathlib.Path, recipe: Mapping[str, Any]) -> str:
    """The state of a folder, compared with what would be written there.

    Args:
        folder: `data_dir/<name>/training/`.
        recipe: entries that the manifest must hold at least, with `name`.

    Returns:
        "missing"; "foreign": files without a manifest, or with that of another set; "damaged": files that differ from
        the manifest; "outdated": files of another recipe; or "whole".
    """
    path = folder / "manifest.json"
    if not folder.exists() or not any(folder.iterdir()):
        return "missing"
    if not path.exists():
        return "foreign"
    try:
        manifest = msgspec.json.decode(read_text(path))
        name = manifest["name"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return "damaged"
    if name != recipe["name"]:
        return "foreign"
    if file_hashes(folder) != manifest.get("files"):
        return "damaged"
    return "whole" if all(manifest.get(key) == value for key, value in recipe.items()) else "outdated"


def update(
    folder: pathlib.Path,
    recipe: Mapping[str, Any],
    write_files: Callable[[pathlib.Path], Mapping[str, Any]],
    rebuild: bool = False,
) -> str:
    """Writes a set unless its folder holds it. Several processes may do so: one writes, and the others wait.

    Args:
        folder: `data_dir/<name>/training/`.
        recipe: all that determines the files, with the set's name: the first part of the manifest.
        write_files: writes files into a given folder, and returns the second part of the manifest.
        rebuild: whether to write the set again, even if it is damaged.

    Returns:
        "there already", "written", or "replaced": something else was there.

    Raises:
        DatasetError: the folder holds files that were not built here, or damaged ones without `rebuild`.
    """
    if not rebuild and condition(folder, recipe) == "whole":
        return "there already"  # also where nobody may write
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder.parent / ".lock"):
        state = condition(folder, recipe)
        if state == "foreign":
            raise DatasetError(f"{folder}: Expected nothing, or what was built here. Received: other files; move them")
        if state == "damaged" and not rebuild:
            remedy = manifests.rebuild_command(recipe["name"], folder.parents[1], recipe)
            raise DatasetError(f"{folder}: Expected the files of its manifest. Received: damaged or changed. {remedy}")
        if state == "whole" and not rebuild:
            return "there already"
        _replace(folder, recipe, write_files)
        return "written" if state == "missing" else "replaced"


def _replace(
    folder: pathlib.Path, recipe: Mapping[str, Any], write_files: Callable[[pathlib.Path], Mapping[str, Any]]
) -> None:
    partial, old = folder.with_name(f"{folder.name}.partial"), folder.with_name(f"{folder.name}.old")
    for left_over in (partial, old):
        shutil.rmtree(left_over, ignore_errors=True)
    partial.mkdir()
    try:
        manifest = {**recipe, **write_files(partial), "files": file_hashes(partial)}
        write_atomically(partial / "manifest.json", (json.dumps(manifest, indent=1) + "\n").encode())
        if folder.exists():
            folder.rename(old)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
