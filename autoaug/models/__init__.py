"""The five models of the research, by name."""

import functools
import inspect
import math
from collections.abc import Callable

import keras

from autoaug import devices
from autoaug.models.pyramid_net import pyramid_net
from autoaug.models.shake_shake import shake_shake
from autoaug.models.wide_resnet import wide_resnet
from autoaug.recipes import long_name

MODELS: dict[str, Callable[..., keras.Model]] = {
    "wrn": wide_resnet,
    "shake_shake_32": functools.partial(shake_shake, widen_factor=2),
    "shake_shake_96": functools.partial(shake_shake, widen_factor=6),
    "shake_shake_112": functools.partial(shake_shake, widen_factor=7),
    "pyramid_net": pyramid_net,
}


def build_model(name: str, num_classes: int = 10, seed: int = 0, **size: int) -> keras.Model:
    """Build one of the five models, with its initial weights.

    Args:
        name: a model's long or short name.
        num_classes: number of logits, at least 2.
        seed: of the initial weights; the same seed gives the same weights on every run.
        **size: arguments of the model's builder; by default the published size. depth and widen_factor (wrn,
            shake_shake_…), depth and alpha (pyramid_net).
    Returns:
        A model from normalised images float32 [n, 32, 32, 3] to logits float32 [n, num_classes]. In training, call it
        as `model(images, training=True, noise_key=key)`. The key is an int32 tensor [2], such as seed and step; models
        without noise ignore it.
    Raises:
        ValueError: unknown name or size argument, a depth that the family does not have, fewer than two classes.
        RuntimeError: Keras has been loaded with another backend than TensorFlow.
    """
    _require_tensorflow()
    devices.keep_float32()
    name = long_name(name)
    builder = MODELS[name]
    known = [argument for argument in inspect.signature(builder).parameters if argument not in ("num_classes", "seed")]
    unknown = sorted(set(size) - set(known))
    if unknown:
        raise ValueError(f"Expected size arguments of {name}: {', '.join(known)}. Received: {', '.join(unknown)}")
    if num_classes < 2:
        raise ValueError(f"Expected num_classes of at least 2. Received: num_classes={num_classes}")
    return builder(**size, num_classes=num_classes, seed=seed)


def _require_tensorflow() -> None:
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            "Expected Keras with its TensorFlow backend, the only one that the models support. "
            f"Received: {keras.backend.backend()}. Set KERAS_BACKEND=tensorflow before Python starts."
        )


def flops_per_image(model: keras.Model) -> int:
    """Operations of one image's forward pass, in convolutions and dense layers; a multiply-add counts as two.

    A training step costs three times as much: the gradients of weights and of inputs cost one forward pass each.
    """
    flops = 0
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            flops += flops_per_image(layer)
        elif isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            _, *positions, _ = layer.output.shape
            flops += 2 * math.prod(layer.kernel.shape) * math.prod(positions)
    return flops
