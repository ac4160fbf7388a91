"""The manifest that data_prep leaves beside a data set's files: what the images are, and the hashes they must have.

`manifest.json` holds at least `source`, what a report calls the images, and `parts`, which maps "training" and "test"
to dicts with `sha256`, the `datasets.content_hash` of the part's images and labels in the order of its files.
"""

import json
import pathlib
import shlex

from autoaug.datasets.batch_file import DatasetError

UNVERIFIED = "unverified files"  # the source of a set without a manifest


def read(folder):
    """The manifest in a data set's folder, a dict; None where there is none.

    Raises:
        DatasetError: the file is not a manifest.
    """
    path = pathlib.Path(folder) / "manifest.json"
    try:
        manifest = json.loads(path.read_text())
        complete = isinstance(manifest["source"], str) and all(part["sha256"] for part in manifest["parts"].values())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        complete = False
    if not complete:
        remedy = build_command(path.parents[1].name, path.parents[2], rebuild=True)
        raise DatasetError(f"{path}: Expected a manifest with source and parts. Received: another file. {remedy}")
    return manifest


def require(folder, manifest, hashes):
    """Raises DatasetError unless the parts, given by their content hashes, are those of the manifest."""
    for part, found in hashes.items():
        if found != (expected := manifest["parts"].get(part, {}).get("sha256")):
            remedy = build_command(folder.parent.name, folder.parent.parent, rebuild=True)
            raise DatasetError(
                f"{folder}: Expected the {part} part of its manifest, SHA-256 {expected}. Received: {found}. "
                f"The folder is damaged or was changed. {remedy}"
            )


def build_command(name, data_dir, **parameters):
    """Says how to build a data set, as typed in a shell."""
    parameters = {"data_dir": data_dir, **parameters}
    values = "".join(f" -p {key} {shlex.quote(str(value))}" for key, value in parameters.items())
    return f"To make it, run: papermill notebooks/build_datasets.ipynb -y '{{sets: [{name}]}}'{values}"
