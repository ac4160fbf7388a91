"""The original's training step of the Wide-ResNet: a graph of TensorFlow 1's operations, run by a session.

Written from the description of what the original computes. The graph gets NumPy batches and updates each variable on
its own. `training.py` compares with it.
"""

import math

import tensorflow as tf

from autoaug import recipes

v1 = tf.compat.v1
DECAY, EPSILON = 0.9, 1e-5  # of batch normalisation


def convolution(x, channels, stride=1):
    """3×3, without bias."""
    deviation = math.sqrt(2 / (9 * channels))
    weights = v1.get_variable(
        "weights", (3, 3, x.shape[-1], channels), initializer=v1.random_normal_initializer(stddev=deviation)
    )
    return tf.nn.conv2d(x, weights, stride, "SAME")


def batch_norm_relu(x):
    """Normalisation by the batch, with moving statistics; then ReLU."""
    shape = x.shape[-1:]
    scale, offset = (
        v1.get_variable(name, shape, initializer=start())
        for name, start in (("gamma", v1.ones_initializer), ("beta", v1.zeros_initializer))
    )
    moving = [
        v1.get_variable(name, shape, initializer=start(), trainable=False)
        for name, start in (("moving_mean", v1.zeros_initializer), ("moving_variance", v1.ones_initializer))
    ]
    y, *measured = v1.nn.fused_batch_norm(x, scale, offset, epsilon=EPSILON, is_training=True)
    for kept, new in zip(moving, measured, strict=True):
        v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, v1.assign_sub(kept, (kept - new) * (1 - DECAY)))
    return tf.nn.relu(y)


def shortcut(x, channels, stride):
    """Average pool by the stride, then zero channels on both sides, where channels differ."""
    missing = (channels - x.shape[-1]) // 2
    if not missing:
        return x
    x = tf.nn.avg_pool2d(x, stride, stride, "VALID") if stride > 1 else x
    return tf.pad(x, [[0, 0], [0, 0], [0, 0], [missing, missing]])


def block(x, channels, stride, first):
    """BN-ReLU-conv3×3(stride)-BN-ReLU-conv3×3, plus the shortcut."""
    with v1.variable_scope("1"):
        y = batch_norm_relu(x)
        start = y if first else x
        y = convolution(y, channels, stride)
    with v1.variable_scope("2"):
        y = convolution(batch_norm_relu(y), channels)
    return y + shortcut(start, channels, stride)


def logits_of(images, depth, widen_factor, classes):
    """Wide-ResNet with the original's shortcuts around the groups."""
    with v1.variable_scope("stem"):
        x = stem = convolution(images, 16)
    for group, stride in enumerate((1, 2, 2)):
        start, channels = x, 16 * widen_factor * 2**group
        for place in range((depth - 4) // 6):
            with v1.variable_scope(f"{group}_{place}"):
                x = block(x, channels, 1 if place else stride, first=group == place == 0)
        x = x + shortcut(start, channels, stride)
    x = batch_norm_relu(x + shortcut(stem, x.shape[-1], 4))
    x = tf.reduce_mean(x, (1, 2))
    limit = 1 / math.sqrt(classes)
    weights = v1.get_variable("dense", (x.shape[-1], classes), initializer=v1.random_uniform_initializer(-limit, limit))
    return x @ weights + v1.get_variable("biases", (classes,), initializer=v1.zeros_initializer())


def training_step(recipe: recipes.Recipe, images, labels):
    """A function that trains one step of the recipe on the NumPy batch, and returns its cost."""
    with tf.Graph().as_default(), v1.variable_scope("model", use_resource=False):
        fed = v1.placeholder(tf.float32, images.shape), v1.placeholder(tf.int64, labels.shape)
        logits = logits_of(fed[0], recipe.size.get("depth", 28), recipe.size["widen_factor"], 10)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(fed[1], logits))
        variables = v1.trainable_variables()
        cost = loss + recipe.weight_decay * tf.add_n([tf.nn.l2_loss(variable) for variable in variables])
        gradients, _ = tf.clip_by_global_norm(tf.gradients(cost, variables), recipe.clip_norm)
        optimizer = v1.train.MomentumOptimizer(recipe.learning_rate, recipe.momentum, use_nesterov=True)
        with tf.control_dependencies(v1.get_collection(v1.GraphKeys.UPDATE_OPS)):
            train = optimizer.apply_gradients(zip(gradients, variables, strict=True))
        session = v1.Session()
        session.run(v1.global_variables_initializer())
    feed = dict(zip(fed, (images, labels), strict=True))
    return lambda: session.run([train, cost, logits], feed)[1]
