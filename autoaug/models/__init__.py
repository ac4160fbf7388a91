"""The models, by name: the five of Lu et al. (2020), and those of `autoaug/models/<name>.py` that were added."""

import functools
import importlib
import inspect
import operator
from collections.abc import Callable

import keras
import tensorflow as tf

from autoaug.models.pyramid_net import pyramid_net
from autoaug.models.shake_shake import shake_shake
from autoaug.models.wide_resnet import wide_resnet
from autoaug.recipes import SHORT_NAMES, check_size, long_name, require_known

MODELS: dict[str, Callable[..., keras.Model]] = {
    "wrn": wide_resnet,
    "shake_shake_32": functools.partial(shake_shake, widen_factor=2),
    "shake_shake_96": functools.partial(shake_shake, widen_factor=6),
    "shake_shake_112": functools.partial(shake_shake, widen_factor=7),
    "pyramid_net": pyramid_net,
}
for _name in SHORT_NAMES.keys() - MODELS:
    MODELS[_name] = getattr(importlib.import_module(f"autoaug.models.{_name}"), _name)


def build_model(name: str, num_classes: int = 10, seed: int = 0, **size: int) -> keras.Model:
    """Build a model, with its initial weights.

    Args:
        name: a model's long or short name.
        num_classes: number of logits, at least 2.
        seed: of the initial weights; the same seed gives the same weights on every run.
        **size: arguments of the model's builder; by default the published size. depth and widen_factor (wrn,
            shake_shake_…), depth and alpha (pyramid_net).
    Returns:
        A model from normalised images float32 [n, 32, 32, 3] to logits float32 [n, num_classes]. In training, call it
        as `model(images, training=True, noise_key=key)` with a key int32 [2], such as seed and step.
    Raises:
        ValueError: unknown name or size argument, a depth that the family does not have, fewer than two classes.
    """
    tf.config.experimental.enable_tensor_float_32_execution(False)  # see `autoaug.devices`
    name = long_name(name)
    check_size(name, size)
    known = inspect.signature(MODELS[name]).parameters.keys() - {"num_classes", "seed"}
    for argument in size:
        require_known(f"size of {name}", argument, known)
    if num_classes < 2:
        raise ValueError(f"Expected num_classes of at least 2. Received: num_classes={num_classes}")
    return MODELS[name](**size, num_classes=operator.index(num_classes), seed=operator.index(seed))
