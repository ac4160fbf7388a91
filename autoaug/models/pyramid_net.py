"""PyramidNet-272, alpha 200 (Han et al., arXiv:1610.02915), with ShakeDrop (Yamada et al., arXiv:1802.02375).

conv3×3 to 16 channels, BN; three groups of (depth − 2) / 9 bottlenecks at strides 1, 2, 2; BN, ReLU, global average
pool, dense. The width starts at 16; each bottleneck adds alpha / (number of all bottlenecks). Initial weights: see
`layers`.

ShakeDrop at bottleneck l of L has p = 1 − l / 2L. In training, each image's branch is multiplied by b + α − bα and its
gradient by b + β − bβ, with b ~ Bernoulli(p), α ~ U(−1, 1), β ~ U(0, 1). In evaluation, the factor is p, the mean.

As in the AutoAugment code, names in checkpoints contain p as Python prints it: `bottleneck_0.9944444444444445`. No
deviation from the papers is known.
"""

from typing import Any

import keras
import tensorflow as tf
from keras import KerasTensor

from autoaug.models.layers import (
    FusedBatchNorm,
    Maps,
    NoiseLayer,
    batch_norm_relu,
    classifier,
    convolution,
    padded_shortcut,
    scale,
)

BASE_CHANNELS = 16
EXPANSION = 4


def pyramid_net(depth: int = 272, alpha: int = 200, *, num_classes: int = 10, seed: int = 0) -> keras.Model:
    """conv3×3(16)-BN, 3 groups, BN-ReLU, global average pool, dense: float32 [n, 32, 32, 3] → logits [n, num_classes].

    Args:
        depth: layers with weights along the longest path, 9·bottlenecks + 2, with so many bottlenecks in each group.
        alpha: number of channels that all bottlenecks together add to the width, ≥ 1.
        num_classes, seed: see `build_model`.
    """
    per_group = (depth - 2) // 9
    images = keras.Input((32, 32, 3), name="images")
    x = FusedBatchNorm(name="init_bn")(convolution(images, BASE_CHANNELS, 3, 1, name="init_conv", seed=seed))
    for i, stride in enumerate((1, 2, 2)):
        x = _group(x, alpha, per_group, stride, index=i, seed=seed)
    logits = classifier(batch_norm_relu(x, name="final_bn"), num_classes, name="FC", seed=seed)
    return keras.Model(images, logits, name="pyramid_net")


def _group(x: KerasTensor, alpha: int, bottlenecks: int, stride: int, *, index: int, seed: int) -> KerasTensor:
    """Bottlenecks of growing width; the first has the stride."""
    total = 3 * bottlenecks
    group_input = y = keras.Input(x.shape[1:])
    for i in range(bottlenecks):
        position = index * bottlenecks + i
        channels = int(BASE_CHANNELS + alpha * (position + 1) / total + 0.5)
        p = 1 - 0.5 * (position + 1) / total  # ShakeDrop's equation 6
        y = _bottleneck(y, channels, stride if i == 0 else 1, index=position, survival=p, seed=seed)
    return Group(group_input, y, name=f"group_{index + 1}")(x)


def _bottleneck(x: KerasTensor, channels: int, stride: int, *, index: int, survival: float, seed: int) -> KerasTensor:
    """BN-conv1×1(n)-BN-ReLU-conv3×3(n, stride)-BN-ReLU-conv1×1(4n)-BN, ShakeDrop, plus the shortcut."""
    name = f"bottleneck_{survival}"
    y = FusedBatchNorm(name=f"{name}__bn_1_pre")(x)
    y = convolution(y, channels, 1, 1, name=f"{name}__1x1_conv_contract", seed=seed)
    y = batch_norm_relu(y, name=f"{name}__bn_1_post")
    y = convolution(y, channels, 3, stride, name=f"{name}__3x3", seed=seed)
    y = batch_norm_relu(y, name=f"{name}__bn_2")
    y = convolution(y, EXPANSION * channels, 1, 1, name=f"{name}__1x1_conv_expand", seed=seed)
    y = FusedBatchNorm(name=f"{name}__bn_3")(y)
    y = ShakeDrop(index, survival, name=f"{name}__shake_drop")(y)
    return y + padded_shortcut(x, stride, 0, y.shape[-1] - x.shape[-1])


@keras.saving.register_keras_serializable("autoaug")
class Group(keras.Model):
    """Each group is a model, because Keras walks a model's graph by recursion and Python stops at 1,000 calls.

    The group passes `noise_key` on to its layers. Keras does this for the outermost model only.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._register_call_context_args("noise_key")


@keras.saving.register_keras_serializable("autoaug")
class ShakeDrop(NoiseLayer):
    """(b + α − bα)·x for each image, backward b + β − bβ; p·x in evaluation. b is 1 with probability p = `survival`."""

    def __init__(self, index: int, survival: float, **kwargs: Any) -> None:
        super().__init__(index, **kwargs)
        self.survival = survival

    def call(self, x: Maps, training: bool = False, noise_key: tf.Tensor | None = None) -> Maps:
        """Scale a branch."""
        if not training:
            return self.survival * x
        u = self.uniforms(noise_key, 3, tf.shape(x)[0])
        b = tf.cast(u[0] <= self.survival, tf.float32)
        alpha, beta = 2 * u[1] - 1, u[2]
        return scale(x, b + alpha - b * alpha, b + beta - b * beta)
