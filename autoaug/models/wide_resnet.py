"""Wide-ResNet-28-10 (Zagoruyko and Komodakis, 2016, arXiv:1605.07146), as in the AutoAugment code.

conv3×3 to 16 channels, three groups of (depth − 4) / 6 blocks with 16k, 32k and 64k channels at strides 1, 2, 2,
BN-ReLU, global average pool, dense; k is the widen factor. Initial weights: see `layers`.

Deviations from the paper, all made by the original code:
- Shortcuts that change the number of channels have no weights: average pool, then zero channels on both sides. The
  paper has 1×1 convolutions, and so 36.48 million parameters; this model has 36.22 million.
- Each group's input is added to its output, and the first convolution's output to that of the last group. This shortens
  the gradient's way to the first layers and adds no parameters.
- No dropout.
- Only the first block's shortcut starts after BN-ReLU; in the paper's code every shortcut with a convolution does.
"""

import keras
from keras import KerasTensor

from autoaug.models.layers import batch_norm_relu, classifier, convolution, padded_shortcut

BASE_CHANNELS = 16


def wide_resnet(depth: int = 28, widen_factor: int = 10, *, num_classes: int = 10, seed: int = 0) -> keras.Model:
    """conv3×3(16), 3 groups, BN-ReLU, global average pool, dense: float32 [n, 32, 32, 3] → logits [n, num_classes].

    Args:
        depth: layers with weights along the longest path, 6·blocks + 4, with so many blocks in each group.
        widen_factor: k ≥ 1; the groups have 16k, 32k and 64k channels.
        num_classes, seed: see `build_model`.
    """
    blocks = (depth - 4) // 6
    images = keras.Input((32, 32, 3), name="images")
    x = stem = convolution(images, BASE_CHANNELS, 3, 1, name="init__init_conv", seed=seed)
    for i, stride in enumerate((1, 2, 2)):
        x = _group(x, BASE_CHANNELS * widen_factor * 2**i, blocks, stride, index=i + 1, seed=seed)
    x = x + _shortcut(stem, x.shape[-1], stride=4)
    x = batch_norm_relu(x, name="unit_last__final_bn")
    logits = classifier(x, num_classes, name="unit_last__FC", seed=seed)
    return keras.Model(images, logits, name="wide_resnet")


def _group(x: KerasTensor, channels: int, blocks: int, stride: int, *, index: int, seed: int) -> KerasTensor:
    """Blocks, plus the group's input at the end."""
    group_input = x
    for i in range(blocks):
        x = _block(x, channels, stride if i == 0 else 1, name=f"unit_{index}_{i}", seed=seed)
    return x + _shortcut(group_input, channels, stride)


def _block(x: KerasTensor, channels: int, stride: int, *, name: str, seed: int) -> KerasTensor:
    """BN-ReLU-conv3×3(stride)-BN-ReLU-conv3×3, plus the shortcut."""
    first = name == "unit_1_0"
    activation = "shared_activation" if first else "residual_only_activation"
    y = batch_norm_relu(x, name=f"{name}__{activation}__init_bn")
    shortcut = _shortcut(y if first else x, channels, stride)
    y = convolution(y, channels, 3, stride, name=f"{name}__sub1__conv1", seed=seed)
    y = batch_norm_relu(y, name=f"{name}__sub2__bn2")
    y = convolution(y, channels, 3, 1, name=f"{name}__sub2__conv2", seed=seed)
    return y + shortcut


def _shortcut(x: KerasTensor, channels: int, stride: int) -> KerasTensor:
    """Average pool by the stride, with as many zero channels before as after; the identity if nothing changes."""
    missing = channels - x.shape[-1]
    return padded_shortcut(x, stride, missing // 2, missing // 2)
