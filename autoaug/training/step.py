"""The compiled training step: the published cost, clipping and optimizer.

cost = softmax cross-entropy + weight decay · Σ ½‖w‖², over every trainable variable
g = ∇cost, clipped to a global norm of 5
a ← 0.9·a + g;  w ← w − lr·(g + 0.9·a)
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from jaxtyping import Float32, Int, Int32

from autoaug.recipes import Recipe

MEASURES = ("loss", "cost", "accuracy", "gradient_norm", "clipped_share")


def noise_key(seed: int, step: int, worker: int = 0) -> Int32[np.ndarray, "2"]:
    """The key of the noise inside the model: (seed, step) for the first worker, a hash of (seed, step, worker) for
    others.

    The hash has 64 bits, so two keys are equal with a probability of 2⁻⁶⁴.
    """
    if worker == 0:
        return np.array([seed, step], np.int32)
    return np.random.SeedSequence((seed, step, worker)).generate_state(2).view(np.int32)


@contextlib.contextmanager
def precision_scope(recipe: Recipe) -> Iterator[None]:
    """The context in which a model is built to compute in the recipe's precision."""
    earlier = keras.config.dtype_policy()
    keras.config.set_dtype_policy(recipe.precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(earlier)


class TrainingStep(tf.Module):
    """The compiled step of one model: updates its weights, its momentum and the sums of the measurements.

    Args:
        model: from normalised images to logits.
        recipe: for weight_decay, momentum, clip_norm, precision and xla.
        seed: of the noise inside the model.

    Attributes:
        state: everything that changes besides the model's variables: trackable objects by name.
    """

    def __init__(self, model: keras.Model, recipe: Recipe, seed: int = 0) -> None:
        super().__init__()
        # Else TensorFlow merges additions of two tensors into one of many, whose order depends on its threads' timing.
        tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
        self.model, self.recipe, self.seed = model, recipe, seed
        self.weights = [variable.value for variable in model.trainable_variables]
        self.momenta = [_zeros_beside(weight) for weight in self.weights]
        self.sums = tf.Variable(tf.zeros(len(MEASURES) + 1), trainable=False)  # and the number of steps
        self.failed_step = tf.Variable(-1, dtype=tf.int64, trainable=False)
        self.state = {"momenta": self.momenta, "sums": self.sums}
        # AutoGraph would take as long as the rest of the first step.
        self._compiled = tf.function(self._step, jit_compile=recipe.xla, autograph=False)

    def __call__(
        self,
        images: Float32[np.ndarray, "batch 32 32 3"],
        labels: Int[np.ndarray, " batch"],
        learning_rate: float,
        step: int,
    ) -> Any:
        """One step of the run, counted from 0, on normalised images.

        Returns:
            float32 [5]: cross-entropy, cost, accuracy, gradient norm before clipping, 1 if it was clipped.
        """
        key = noise_key(self.seed, step)
        return self._compute(images, np.asarray(labels, np.int64), np.float32(learning_rate), key, np.int64(step))

    def _compute(self, *arguments: Any) -> Any:
        return self._compiled(*arguments)

    def _step(self, images, labels, learning_rate, key, step):
        # Every variable is read once, since other workers may change it meanwhile.
        weights = [tf.convert_to_tensor(weight) for weight in self.weights]
        logits, moving = self._forward(weights, images, key)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        # The tree adds gradients in pairs, in a fixed order.
        gradients = tf.gradients(loss, weights, aggregation_method=tf.AggregationMethod.EXPERIMENTAL_TREE)
        accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), labels), tf.float32))
        gradients, loss, accuracy, moving = self._average(gradients, loss, accuracy, moving)
        for variable, value in zip(self.model.non_trainable_variables, moving, strict=True):
            variable.assign(value)
        decay = self.recipe.weight_decay
        cost = loss + decay * tf.add_n([tf.nn.l2_loss(weight) for weight in weights])
        gradients = [gradient + decay * weight for gradient, weight in zip(gradients, weights, strict=True)]
        norm = tf.linalg.global_norm(gradients)
        self._update(gradients, norm, learning_rate)
        measured = tf.stack([loss, cost, accuracy, norm, tf.cast(norm > self.recipe.clip_norm, tf.float32)])
        self.sums.assign_add(tf.concat([measured, [1.0]], axis=0))
        is_first_failure = (self.failed_step < 0) & ~tf.math.is_finite(cost)
        tf.cond(is_first_failure, lambda: tf.group(self.failed_step.assign(step)), tf.no_op)
        return measured

    def _forward(self, weights, images, key):
        """Logits of a model with these weights, and new values of its other variables, such as moving averages."""
        model, moving = self.model, [tf.convert_to_tensor(average) for average in self.model.non_trainable_variables]
        values = zip([*model.trainable_variables, *model.non_trainable_variables], [*weights, *moving], strict=True)
        with keras.StatelessScope(values) as scope:
            logits = model(images, training=True, noise_key=key)
        return logits, [scope.get_current_value(variable) for variable in model.non_trainable_variables]

    def _average(self, *measured):
        """The means over all workers that compute the step together; here there is one."""
        return measured

    def _update(self, gradients, norm, learning_rate):
        scale = self.recipe.clip_norm / tf.maximum(norm, self.recipe.clip_norm)
        for weight, momentum, gradient in zip(self.weights, self.momenta, gradients, strict=True):
            tf.raw_ops.ResourceApplyMomentum(
                var=weight.handle, accum=momentum.handle, lr=learning_rate, grad=scale * gradient,
                momentum=self.recipe.momentum, use_nesterov=True, use_locking=True,
            )  # fmt: skip

    def wait(self) -> None:
        """Return when all steps called so far are done; here, at once."""

    def take_means(self) -> dict[str, float]:
        """Means of the measurements since the last `reset`, by name."""
        *sums, steps = self.sums.numpy()
        return {name: float(total / steps) for name, total in zip(MEASURES, sums, strict=True)}

    def reset(self) -> None:
        """Start new means."""
        self.sums.assign(tf.zeros_like(self.sums))


class Engine:
    """Where the steps of a run are computed: here in this process, on one device; see `mirrored` and `servers`.

    Attributes:
        step: makes the step of a model.
        scope: makes the context in which the model and its step are built.
        turns: number of workers that take turns, each with a batch of its own.
        io_device: the TensorFlow device whose machine writes checkpoints; None: the device of the variables.
    """

    step: type[TrainingStep] = TrainingStep
    scope: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext
    turns: int = 1
    io_device: str | None = None


def _zeros_beside(weight):
    """A variable of zeros on the weight's parameter server; the update needs both on the same server."""
    with tf.distribute.get_strategy().extended.colocate_vars_with(weight):
        return tf.Variable(tf.zeros_like(weight), trainable=False)
