"""Checkpoints of the original TensorFlow 1 code into today's models.

A checkpoint is a prefix like `model.ckpt-199`, which has the files `.index` and `.data-…`. The names of its variables
follow from the layers' names (see `models.layers`). Variables that the original stored for its training only are
ignored: the optimizer's slots (`…/Momentum`), `global_step` and the `lrn_rate` variables.
"""

import contextlib
import glob
import os
import pathlib
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from autoaug.files import ArchiveError, read_text, require_regular, unpack

_LEAVES = {"kernel": "weights", "bias": "biases"}
_TRAINING_ONLY = re.compile(r"(^|.*/)(Momentum|global_step|lrn_rate\w*)$")
_CHECKPOINT_FILE = re.compile(r"checkpoint|[\w.-]+\.(index|data-\d{5}-of-\d{5})")
_NAMED = re.compile(r'^\s*model_checkpoint_path:\s*"(?:[^"\n]*/)?([^"/\\\n\0]{1,200})"', re.MULTILINE)
_LARGEST_STATE = 2**20  # bytes of the file `checkpoint`
_LARGEST_ARCHIVE = 4 * 2**30  # bytes unpacked; the largest of the five checkpoints has 0.3·2³⁰, slots included
_MOST_LISTED = 20


class CheckpointError(ValueError):
    """A checkpoint is missing, cannot be read or does not fit the model."""


def tf1_names(model: keras.Model) -> dict[str, keras.Variable]:
    """The model's variables by their names in the original's checkpoints.

    `unit_1_0__sub1__conv1/kernel` is `model/unit_1_0/sub1/conv1/weights` there.
    """
    names = {}
    for variable in model.weights:
        layer, leaf = variable.path.split("/")[-2:]
        names[f"model/{layer.replace('__', '/')}/{_LEAVES.get(leaf, leaf)}"] = variable
    return names


def load_tf1(model: keras.Model, path: str | os.PathLike[str]) -> None:
    """Load a checkpoint of the original code into the model: every variable exactly, or an error without any change.

    Args:
        model: one of `build_model`, with the checkpoint's size and number of classes.
        path: the checkpoint's prefix (`…/model.ckpt-199`), a folder with the file `checkpoint`, or a `.tar.gz` of
            either, such as SageMaker's `model.tar.gz`.
    Raises:
        CheckpointError: there is no such checkpoint, it is damaged, holds NaN or infinite numbers, or the names, shapes
            or types differ from the model's; the message lists them.
    """
    if not os.fspath(path):
        raise CheckpointError("Expected checkpoint, the path of a prefix, a folder or a .tar.gz. Received: none")
    variables = tf1_names(model)
    with _open(pathlib.Path(path)) as prefix:
        try:
            for file in prefix.parent.glob(f"{glob.escape(prefix.name)}.*"):
                require_regular(file, _LARGEST_ARCHIVE)
            reader = tf.train.load_checkpoint(str(prefix))
            types = reader.get_variable_to_dtype_map()
            stored = {
                name: (tuple(shape), types[name].name)
                for name, shape in reader.get_variable_to_shape_map().items()
                if not _TRAINING_ONLY.match(name)
            }
            _require_fit(stored, {name: (tuple(v.shape), v.dtype) for name, v in variables.items()}, path)
            values = {name: reader.get_tensor(name) for name in variables}
        except CheckpointError:
            raise
        except (tf.errors.OpError, RuntimeError, LookupError, OSError, ValueError, TypeError) as error:
            raise CheckpointError(f"{path}: Expected an undamaged checkpoint. Received: {error}") from error
    if bad := sorted(name for name, value in values.items() if not np.isfinite(value).all()):
        raise CheckpointError(f"{path}: Expected finite weights. Received: others.{_listed('NaN or infinite', bad)}")
    for name, variable in variables.items():
        variable.assign(values[name])


Shapes = Mapping[str, tuple[tuple[int, ...], str]]
"""Name of a variable → its shape and type."""


def _require_fit(stored: Shapes, wanted: Shapes, path: str | os.PathLike[str]) -> None:
    """Raise one error that lists all differences."""
    missing = [f"{name} {wanted[name]}" for name in sorted(wanted.keys() - stored.keys())]
    left_over = [f"{name} {stored[name]}" for name in sorted(stored.keys() - wanted.keys())]
    different = [
        f"{name} {stored[name]}, in the model {wanted[name]}"
        for name in sorted(wanted.keys() & stored.keys())
        if stored[name] != wanted[name]
    ]
    if missing or left_over or different:
        raise CheckpointError(
            f"{path}: Expected the variables of the model. Received: others."
            + _listed("Only in the model", missing)
            + _listed("Only in the checkpoint", left_over)
            + _listed("Of another shape or type", different)
        )


def _listed(title: str, lines: Sequence[str]) -> str:
    """A titled list, at most 20 lines of it."""
    if not lines:
        return ""
    more = [f"… and {len(lines) - _MOST_LISTED} more"] if len(lines) > _MOST_LISTED else []
    return "\n  ".join([f"\n{title} ({len(lines)}):", *lines[:_MOST_LISTED], *more])


@contextlib.contextmanager
def _open(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """The prefix of the checkpoint at a path; an archive stays unpacked while the context lasts."""
    if path.is_file() and path.name.endswith((".tar.gz", ".tgz")):
        with tempfile.TemporaryDirectory() as folder:
            try:
                unpack(path, folder, lambda member: bool(_CHECKPOINT_FILE.fullmatch(member.name)), _LARGEST_ARCHIVE)
            except ArchiveError as error:
                raise CheckpointError(str(error)) from error
            inner = [index.parent for index in pathlib.Path(folder).rglob("*.index")]
            yield _newest(inner[0] if inner else pathlib.Path(folder), path)
    elif path.is_dir():
        yield _newest(path, path)
    elif path.with_name(path.name + ".index").is_file():
        yield path
    else:
        raise CheckpointError(
            f"Expected a checkpoint: its prefix (the file {path.name}.index must exist), a folder that holds it, or a "
            f".tar.gz of it. Received: {path}"
        )


def _newest(folder: pathlib.Path, path: pathlib.Path) -> pathlib.Path:
    """The prefix that the folder's file `checkpoint` names, or the folder's only prefix.

    Only the last part of the path in that file counts, since it is a path on the machine that wrote it.
    """
    try:
        text = read_text(folder / "checkpoint", _LARGEST_STATE)
    except FileNotFoundError:
        text = ""
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: Expected its file `checkpoint` to be text. Received: {error}") from error
    if (named := _NAMED.search(text)) and (folder / f"{named[1]}.index").is_file():
        return folder / named[1]
    prefixes = sorted(index.with_suffix("") for index in folder.glob("*.index") if index.is_file())
    if len(prefixes) == 1:
        return prefixes[0]
    names = ", ".join(prefix.name for prefix in prefixes) or "no .index file"
    raise CheckpointError(f"{path}: Expected its file `checkpoint` to name a checkpoint there. Received: {names}")
