"""Shake-Shake 26 2×{32, 96, 112}d (Gastaldi, 2017, arXiv:1705.07485), as in the AutoAugment code.

conv3×3 to 16 channels, BN; three stages of (depth − 2) / 6 blocks with 16k, 32k and 64k channels at strides 1, 2, 2;
ReLU, global average pool, dense; k is the widen factor: 2, 6 or 7. Initial weights: see `layers`.

Noise: in training, the two branches of a block are weighted for each image by u₁ / (u₁ + u₂) and u₂ / (u₁ + u₂), with
u₁ and u₂ uniform. The backward pass has other weights, drawn the same way.

Deviations from the paper, both made by the original code:
- The weights are u₁ / (u₁ + u₂); the paper draws the first weight uniformly. Both have mean ½; here they lie closer to
  ½, so the noise is weaker.
- Widths are 16k, and the paper's 2×32d is k = 2. The widths are the same.
"""

import keras
import tensorflow as tf
from keras import KerasTensor, ops

from autoaug.models.layers import FusedBatchNorm, Maps, NoiseLayer, batch_norm_relu, classifier, convolution, scale

BASE_CHANNELS = 16


def shake_shake(depth: int = 26, widen_factor: int = 2, *, num_classes: int = 10, seed: int = 0) -> keras.Model:
    """conv3×3(16)-BN, 3 stages, ReLU, global average pool, dense: float32 [n, 32, 32, 3] → logits [n, num_classes].

    Args:
        depth: layers with weights along the longest path, 6·blocks + 2, with so many blocks in each stage.
        widen_factor: k ≥ 1; the stages have 16k, 32k and 64k channels.
        num_classes, seed: see `build_model`.
    """
    blocks = (depth - 2) // 6
    images = keras.Input((32, 32, 3), name="images")
    x = FusedBatchNorm(name="init_bn")(convolution(images, BASE_CHANNELS, 3, 1, name="init_conv", seed=seed))
    for i, first_stride in enumerate((1, 2, 2)):
        for j in range(blocks):
            stride, name = first_stride if j == 0 else 1, f"L{i + 1}__layer_{j}"
            x = _block(x, BASE_CHANNELS * widen_factor * 2**i, stride, index=i * blocks + j, name=name, seed=seed)
    logits = classifier(ops.relu(x), num_classes, name="FC", seed=seed)
    return keras.Model(images, logits, name="shake_shake")


def _block(x: KerasTensor, channels: int, stride: int, *, index: int, name: str, seed: int) -> KerasTensor:
    """Two branches, shaken, plus the shortcut."""
    branches = [_branch(x, channels, stride, name=f"{name}__branch_{i}", seed=seed) for i in range(2)]
    return ShakeShake(index, name=f"{name}__shake")(branches) + _shortcut(x, channels, stride, name=name, seed=seed)


def _branch(x: KerasTensor, channels: int, stride: int, *, name: str, seed: int) -> KerasTensor:
    """ReLU-conv3×3(stride)-BN-ReLU-conv3×3-BN."""
    x = convolution(ops.relu(x), channels, 3, stride, name=f"{name}__conv1", seed=seed)
    x = batch_norm_relu(x, name=f"{name}__bn1")
    x = convolution(x, channels, 3, 1, name=f"{name}__conv2", seed=seed)
    return FusedBatchNorm(name=f"{name}__bn2")(x)


def _shortcut(x: KerasTensor, channels: int, stride: int, *, name: str, seed: int) -> KerasTensor:
    """The identity if channels agree; else two subsampled paths-conv1×1(channels / 2), concatenated, BN.

    The second path is shifted by one pixel down and right, zero beyond the edge, also at stride 1.
    """
    if x.shape[-1] == channels:
        return x
    shifted = ops.pad(x, [(0, 0), (0, 1), (0, 1), (0, 0)])[:, 1:, 1:, :]
    paths = [
        convolution(path[:, ::stride, ::stride, :], channels // 2, 1, 1, name=f"{name}__path{i}_conv", seed=seed)
        for i, path in enumerate((x, shifted), start=1)
    ]
    return FusedBatchNorm(name=f"{name}__final_path_bn")(ops.concatenate(paths, axis=-1))


@keras.saving.register_keras_serializable("autoaug")
class ShakeShake(NoiseLayer):
    """a·x₁ + (1 − a)·x₂ with a = u₁ / (u₁ + u₂) for each image, another a backward; a = ½ in evaluation."""

    def call(self, branches: list[Maps], training: bool = False, noise_key: tf.Tensor | None = None) -> Maps:
        """Mix two branches."""
        first, second = branches
        if not training:
            return 0.5 * (first + second)
        u = self.uniforms(noise_key, 4, tf.shape(first)[0])
        forward, backward = u[0] / (u[0] + u[1]), u[2] / (u[2] + u[3])
        return scale(first, forward, backward) + scale(second, 1 - forward, 1 - backward)
