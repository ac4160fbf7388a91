"""Checkpoints of the original TensorFlow 1 code into today's models.

A checkpoint is a prefix like `model.ckpt-199`, which has the files `.index` and `.data-…`. The names of its variables
follow from the layers' names (see `models.layers`). Variables that the original stored for its training only are
ignored: the optimizer's slots (`…/Momentum`), `global_step` and the `lrn_rate` variables.
"""

import glob
import os
import pathlib
import re
from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf

from autoaug.files import require_regular

_LEAVES = {"kernel": "weights", "bias": "biases"}
_TRAINING_ONLY = re.compile(r"(^|.*/)(Momentum|global_step|lrn_rate\w*)$")
_LARGEST = 4 * 2**30  # bytes of a file; the largest of the five checkpoints has 0.3·2³⁰, slots included
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
        path: the checkpoint's prefix (`…/model.ckpt-199`), or a folder whose file `checkpoint` names it.

    Raises:
        CheckpointError: there is no such checkpoint, it is damaged, holds NaN or infinite numbers, or the names, shapes
            or types differ from the model's; the message lists them.
    """
    variables = tf1_names(model)
    wanted = {name: (tuple(variable.shape), variable.dtype) for name, variable in variables.items()}
    try:
        if (state := pathlib.Path(path, "checkpoint")).exists():
            require_regular(state, 2**20)
        prefix = pathlib.Path(tf.train.latest_checkpoint(path) or path)
        if prefix.is_dir():
            raise ValueError("a folder whose file `checkpoint` names none that is there. Name its prefix")
        for file in prefix.parent.glob(f"{glob.escape(prefix.name)}.*"):
            require_regular(file, _LARGEST)
        reader = tf.train.load_checkpoint(str(prefix))
        types, shapes = reader.get_variable_to_dtype_map(), reader.get_variable_to_shape_map()
        stored = {name: (tuple(shapes[name]), types[name].name) for name in shapes if not _TRAINING_ONLY.match(name)}
        _require_none(
            f"{name!r:.200} {stored.get(name, 'is missing')}, in the model {wanted.get(name, 'there is none')}"
            for name in stored.keys() | wanted.keys()
            if stored.get(name) != wanted.get(name)
        )
        values = {name: reader.get_tensor(name) for name in variables}
        _require_none(f"{name} is NaN or infinite" for name, value in values.items() if not np.isfinite(value).all())
    except (tf.errors.OpError, RuntimeError, LookupError, OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: Expected an undamaged checkpoint of the model. Received: {error}") from error
    for name, variable in variables.items():
        variable.assign(values[name])


def _require_none(wrong: Iterable[str]) -> None:
    """Raise ValueError, which lists what is wrong with variables, at most 20 of them, unless nothing is."""
    if listed := sorted(wrong):
        more = [f"… and {len(listed) - _MOST_LISTED} more"] if len(listed) > _MOST_LISTED else []
        raise ValueError("\n  ".join([f"{len(listed)} other variables:", *listed[:_MOST_LISTED], *more]))
