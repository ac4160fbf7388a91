"""Parts that the families share: convolution, fused batch normalisation, classifier, shortcuts, noise per image.

A layer's name is the path of its variables in the original checkpoints, with `__` instead of `/`, which Keras does not
allow: `unit_1_0__sub1__conv1` holds `model/unit_1_0/sub1/conv1/weights`.

Initial weights, as in the original: convolutions normal with standard deviation √(2 / (k·k·out)), not truncated; the
dense layer uniform in ±1/√classes with biases 0; batch normalisation with scale 1 and offset 0. Each weight has its own
random stream, keyed by the model's seed and the layer's name.
"""

import zlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from jaxtyping import Float
from keras import KerasTensor, ops

DECAY = 0.9
EPSILON = 1e-5
Maps = Float[tf.Tensor, "n h w channels"]


def convolution(x: KerasTensor, filters: int, kernel_size: int, stride: int, *, name: str, seed: int) -> KerasTensor:
    """conv k×k without bias, SAME padding: [n, h, w, in] → [n, ⌈h/stride⌉, ⌈w/stride⌉, filters]."""
    stddev = (2 / (kernel_size * kernel_size * filters)) ** 0.5
    return keras.layers.Conv2D(
        filters,
        kernel_size,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer=keras.initializers.RandomNormal(stddev=stddev, seed=_stream(seed, name)),
        name=name,
    )(x)


def batch_norm_relu(x: KerasTensor, *, name: str) -> KerasTensor:
    """BN-ReLU."""
    return ops.relu(FusedBatchNorm(name=name)(x))


def classifier(x: KerasTensor, num_classes: int, *, name: str, seed: int) -> KerasTensor:
    """Global average pool, dense: [n, h, w, channels] → logits [n, num_classes], float32 in mixed precision too."""
    bound = num_classes**-0.5
    return keras.layers.Dense(
        num_classes,
        kernel_initializer=keras.initializers.RandomUniform(-bound, bound, seed=_stream(seed, name)),
        dtype="float32",
        name=name,
    )(ops.mean(x, axis=(1, 2)))


def padded_shortcut(x: KerasTensor, stride: int, before: int, after: int) -> KerasTensor:
    """Mean over stride×stride squares, SAME padding, with zero channels before and after those of x."""
    x = x if stride == 1 else ops.average_pool(x, stride, stride, padding="same")
    return ops.pad(x, [(0, 0), (0, 0), (0, 0), (before, after)]) if before + after else x


def _stream(seed: int, name: str) -> int:
    """The seed of one weight's random stream: the same on every run and platform."""
    return zlib.crc32(f"{seed}/{name}".encode())


@keras.saving.register_keras_serializable("autoaug")
class FusedBatchNorm(keras.layers.Layer):
    """Batch normalisation over NHWC in one fused operation, decay 0.9, epsilon 1e-5.

    In training, x is normalised by the mean and the (biased) variance of its batch. The moving averages become
    0.9 · old + 0.1 · batch; the variance in the average has Bessel's correction n / (n − 1), as in the original's fused
    operation. Each of several replicas normalises by its own part of the batch, and the moving averages are averaged
    over the replicas. Keras' own layer is not fused and lacks the correction.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create scale and offset, and the moving averages, float32 [channels] each."""
        shape = input_shape[-1:]
        self.beta = self.add_weight(shape=shape, initializer="zeros", autocast=False, name="beta")
        self.gamma = self.add_weight(shape=shape, initializer="ones", autocast=False, name="gamma")
        moving = {"trainable": False, "autocast": False, "aggregation": "mean"}
        self.moving_mean = self.add_weight(shape=shape, initializer="zeros", name="moving_mean", **moving)
        self.moving_variance = self.add_weight(shape=shape, initializer="ones", name="moving_variance", **moving)

    def call(self, x: Maps, training: bool = False) -> Maps:
        """Normalise x; in training, update the moving averages.

        A CPU's bfloat16 operation is made for channels in sixteens; with 84 it takes four times as long as float32's.
        """
        training = bool(training)
        is_slow = x.dtype == tf.bfloat16 and x.shape[-1] % 16
        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=tf.cast(x, tf.float32) if is_slow else x,
            scale=self.gamma,
            offset=self.beta,
            mean=self.moving_mean,
            variance=self.moving_variance,
            epsilon=EPSILON,
            exponential_avg_factor=1 - DECAY,
            is_training=training,
        )
        if training:
            self.moving_mean.assign(mean)
            self.moving_variance.assign(variance)
        return tf.cast(y, x.dtype)


@keras.saving.register_keras_serializable("autoaug")
class Normalize(keras.layers.Layer):
    """(value/255 − mean)/std of uint8 images, from a table: with the same rounding as in `augment_batch`."""

    def __init__(self, mean: Any, std: Any, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", "autocast": False, "trainable": False} | kwargs)
        self.mean, self.std = ([float(value) for value in values] for values in (mean, std))
        table = (np.arange(256)[:, None] / 255 - np.array(self.mean)) / np.array(self.std)
        self._table = table.astype(np.float32).ravel()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "mean": self.mean, "std": self.std}

    def call(self, images: tf.Tensor) -> Float[tf.Tensor, "n 32 32 3"]:
        """Look each value up."""
        return tf.gather(self._table, tf.cast(images, tf.int32) * 3 + tf.range(3))


class NoiseLayer(keras.layers.Layer):
    """A layer whose training noise is a function of `noise_key` and of its index among the model's noise layers."""

    def __init__(self, index: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.index = index
        self._register_call_context_args("noise_key")  # Keras 3.15.1's, pinned: it is not public

    def uniforms(
        self, noise_key: tf.Tensor | None, count: int, batch_size: tf.Tensor
    ) -> list[Float[tf.Tensor, "batch 1 1 1"]]:
        """`count` tensors, uniform in (0, 1], with one number for each image; ValueError without a noise_key."""
        if noise_key is None:
            raise ValueError(
                f"Expected noise_key, an int32 tensor [2] of seed and step, to train {self.name}: "
                "model(images, training=True, noise_key=key). Received: noise_key=None"
            )
        key = tf.random.fold_in(noise_key, self.index)
        # 1 − u excludes 0, so that u₁ / (u₁ + u₂) is defined for every draw.
        return tf.unstack(1 - tf.random.stateless_uniform([count, batch_size, 1, 1, 1], key))


@tf.custom_gradient
def scale(x: tf.Tensor, forward: tf.Tensor, backward: tf.Tensor) -> Any:
    """forward · x; its gradient is backward · dy. The factors are float32 [n, 1, 1, 1] and get no gradient."""

    def gradient(dy: tf.Tensor) -> tuple[tf.Tensor, None, None]:
        return tf.cast(backward, dy.dtype) * dy, None, None

    return tf.cast(forward, x.dtype) * x, gradient
