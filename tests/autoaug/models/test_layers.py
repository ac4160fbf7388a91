"""Batch normalisation, initial weights and the noise of Shake-Shake and ShakeDrop, on small inputs."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from autoaug.models import layers
from autoaug.models.pyramid_net import ShakeDrop
from autoaug.models.shake_shake import ShakeShake

KEY = np.array([3, 17], np.int32)
IMAGES = 4000


def test_batch_norm_normalises_by_the_batch_and_averages_the_corrected_variance():
    rng = np.random.default_rng(0)
    x = rng.normal(2, 3, (4, 3, 3, 5)).astype(np.float32)
    layer = layers.FusedBatchNorm()
    layer.build(x.shape)
    gamma, beta = rng.normal(size=(2, 5)).astype(np.float32)
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    mean, variance, n = x.mean((0, 1, 2)), x.var((0, 1, 2)), 36
    y = layer(x, training=True)
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta, atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean, 0.1 * mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * variance * n / (n - 1), rtol=1e-5)
    moving_mean, moving_variance = layer.moving_mean.numpy(), layer.moving_variance.numpy()
    evaluated = layer(x, training=False)
    expected = (x - moving_mean) / np.sqrt(moving_variance + 1e-5) * gamma + beta
    np.testing.assert_allclose(evaluated, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(layer.moving_mean, moving_mean)


@pytest.mark.parametrize(("channels", "computed_in"), [(20, tf.float32), (32, tf.bfloat16)])
def test_batch_norm_in_bfloat16_computes_in_float32_where_channels_are_not_in_sixteens(channels, computed_in):
    layer = layers.FusedBatchNorm(dtype="mixed_bfloat16")
    x = tf.cast(tf.random.stateless_normal((2, 4, 4, channels), (0, 0)), tf.bfloat16)
    y = layer(x, training=True)
    assert y.dtype == tf.bfloat16 and {variable.dtype for variable in layer.weights} == {"float32"}
    graph = tf.function(lambda x: layer(x, training=True)).get_concrete_function(x).graph
    assert [node.get_attr("T") for node in graph.get_operations() if node.type == "FusedBatchNormV3"] == [computed_in]
    in_float32 = layers.FusedBatchNorm()(tf.cast(x, tf.float32), training=True)
    np.testing.assert_allclose(tf.cast(y, tf.float32), in_float32, rtol=2**-8, atol=2**-8)


def convolution_weights(name, seed, filters=64):
    images = keras.Input((8, 8, 32))
    return keras.Model(images, layers.convolution(images, filters, 3, 1, name=name, seed=seed)).weights[0].numpy()


def test_weights_start_normal_and_not_truncated_and_the_dense_layer_uniform_with_zero_biases():
    z = convolution_weights("conv", seed=0).ravel() / np.sqrt(2 / (3 * 3 * 64))
    assert scipy.stats.kstest(z, "norm").pvalue > 1e-3
    assert 0.002 < np.mean(np.abs(z) > 2.8) < 0.01  # 0.0051 of a normal; none of a truncated one
    x = keras.Input((4, 4, 512))
    kernel, biases = keras.Model(x, layers.classifier(x, 16, name="FC", seed=0)).get_weights()
    assert scipy.stats.kstest(kernel.ravel(), scipy.stats.uniform(-0.25, 0.5).cdf).pvalue > 1e-3
    np.testing.assert_array_equal(biases, 0)
    other = convolution_weights("other", seed=0).ravel()  # each has its own stream of the seed
    assert abs(np.corrcoef(z, other)[0, 1]) < 0.05


def shake_shake_coefficients(layer, key=KEY, n=IMAGES):
    """Forward and backward coefficients of both branches, [n] each."""
    ones, zeros = tf.ones((n, 1, 1, 1)), tf.zeros((n, 1, 1, 1))
    with tf.GradientTape() as tape:
        tape.watch([ones, zeros])
        mixed = layer([ones, zeros], training=True, noise_key=key)
    backward = tape.gradient(mixed, [ones, zeros])
    swapped = layer([zeros, ones], training=True, noise_key=key)
    return [np.ravel(value) for value in (mixed, swapped, *backward)]


def shake_shake_cdf(a):
    """P(u₁ / (u₁ + u₂) ≤ a) for two uniforms."""
    a = np.clip(a, 1e-9, 1 - 1e-9)
    return np.where(a < 0.5, a / (2 * (1 - a)), 1 - (1 - a) / (2 * a))


def test_shake_shake_draws_independent_coefficients_that_sum_to_one():
    first, second, back_first, back_second = shake_shake_coefficients(ShakeShake(index=0))
    np.testing.assert_allclose(first + second, 1, rtol=1e-6)
    np.testing.assert_allclose(back_first + back_second, 1, rtol=1e-6)
    for coefficients in (first, back_first):
        assert scipy.stats.kstest(coefficients, shake_shake_cdf).pvalue > 1e-3
    assert abs(np.corrcoef(first, back_first)[0, 1]) < 0.06  # 3.8 standard errors
    assert abs(first.mean() - 0.5) < 0.015
    x = [tf.ones((2, 1, 1, 1)), 3 * tf.ones((2, 1, 1, 1))]
    np.testing.assert_allclose(ShakeShake(index=0)(x, training=False), 2 * np.ones((2, 1, 1, 1)))  # the mean


def shake_drop_factors(survival, index=0, n=IMAGES):
    """Forward and backward factor, [n] each."""
    x = tf.ones((n, 1, 1, 1))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = ShakeDrop(index, survival)(x, training=True, noise_key=KEY)
    return np.ravel(y), np.ravel(tape.gradient(y, x))


def test_shake_drop_factors_follow_their_distributions():
    forward, backward = shake_drop_factors(survival=0.7)
    kept = forward == 1
    assert abs(kept.mean() - 0.7) < 0.03
    np.testing.assert_array_equal(backward == 1, kept)  # one b for both passes
    alpha, beta = forward[~kept], backward[~kept]  # b + α − bα = α where b = 0
    assert scipy.stats.kstest(alpha, scipy.stats.uniform(-1, 2).cdf).pvalue > 1e-3
    assert scipy.stats.kstest(beta, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(alpha, beta)[0, 1]) < 0.11  # 3.8 standard errors
    assert abs(forward.mean() - 0.7) < 0.05
    x = np.full((1, 2, 2, 3), 2, np.float32)
    np.testing.assert_allclose(ShakeDrop(0, 0.7)(x, training=False), np.float32(0.7) * x)  # the mean


def test_noise_is_a_function_of_key_and_index_alone():
    layer = ShakeShake(index=2)
    first = shake_shake_coefficients(layer)[0]
    np.testing.assert_array_equal(first, shake_shake_coefficients(ShakeShake(index=2))[0])
    traced = tf.function(lambda x: layer([x, 0 * x], training=True, noise_key=tf.constant(KEY)))
    np.testing.assert_array_equal(first, np.ravel(traced(tf.ones((IMAGES, 1, 1, 1)))))
    others = [shake_shake_coefficients(ShakeShake(index=3))[0]]
    others += [shake_shake_coefficients(layer, key=np.array(key, np.int32))[0] for key in ([3, 18], [4, 17])]
    for other in others:
        assert abs(np.corrcoef(first, other)[0, 1]) < 0.06
    with pytest.raises(ValueError, match="Expected noise_key"):
        layer([tf.ones((2, 1, 1, 1))] * 2, training=True)


def test_noise_is_per_image_and_keeps_the_branch_type():
    y = ShakeDrop(0, 0.5)(np.ones((50, 3, 3, 2), np.float32), training=True, noise_key=KEY).numpy()
    np.testing.assert_array_equal(y, np.broadcast_to(y[:, :1, :1, :1], y.shape))
    assert len(np.unique(y[:, 0, 0, 0])) > 10
    x = tf.ones((2, 4, 4, 3), tf.bfloat16)
    assert ShakeShake(0, dtype="mixed_bfloat16")([x, x], training=True, noise_key=KEY).dtype == tf.bfloat16
