"""The compiled training step: the published cost, clipping and optimizer.

cost = softmax cross-entropy + weight decay · Σ ½‖w‖², over every trainable variable
g = ∇cost, clipped to a global norm of 5
a ← 0.9·a + g;  w ← w − lr·(g + 0.9·a)
"""

import contextlib

import keras
import tensorflow as tf

MEASURES = ("loss", "cost", "accuracy", "gradient_norm", "clipped_share")
_FIRST_LOSS_SCALE = 2.0**15
_DOUBLE_AFTER = 2000  # steps in a row with a finite gradient

# One operation that adds three tensors or more takes them in the order in which threads happen to free them: a step
# would not repeat to the bit. So `_step` adds pairs, and this keeps TensorFlow from joining them again.
tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})


@contextlib.contextmanager
def precision_scope(recipe):
    """The context in which a model is built to compute in the recipe's precision."""
    earlier = keras.config.dtype_policy()
    keras.config.set_dtype_policy(recipe.precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(earlier)


class TrainingStep(tf.Module):
    """The compiled step of one model: updates its weights, its momentum and the sums of what is measured.

    With mixed_float16 the loss is multiplied before the backward pass, lest small gradients vanish, and the gradients
    are divided again. Where one overflows the update is left out and the factor halved; after 2,000 steps without it
    is doubled (Micikevicius et al., 2018, arXiv:1710.03740, section 3.2).

    Args:
        model: `keras.Model` from normalised images to logits.
        recipe: `recipes.Recipe`, for weight_decay, momentum, clip_norm, precision and xla.

    Attributes:
        state: all that changes beside the model's variables, as trackable objects by name.
    """

    def __init__(self, model, recipe):
        super().__init__()
        self.model, self.recipe = model, recipe
        self.weights = [variable.value for variable in model.trainable_variables]
        self.momenta = [_zeros_beside(weight) for weight in self.weights]
        self.sums = tf.Variable(tf.zeros(len(MEASURES)), trainable=False)
        self.steps = tf.Variable(0.0, trainable=False)
        self.failed_step = tf.Variable(-1, dtype=tf.int64, trainable=False)
        self.state = {"momenta": self.momenta, "sums": self.sums, "steps": self.steps}
        self.loss_scale = self.good_steps = None
        if recipe.precision == "mixed_float16":
            self.loss_scale = tf.Variable(_FIRST_LOSS_SCALE, trainable=False)
            self.good_steps = tf.Variable(0.0, trainable=False)  # float32 as all state, which workers add up
            self.state |= {"loss_scale": self.loss_scale, "good_steps": self.good_steps}
        self._compiled = tf.function(self._step, jit_compile=recipe.xla)

    def __call__(self, images, labels, learning_rate, noise_key):
        """One step.

        Args:
            images: float32 [batch_size, 32, 32, 3], normalised.
            labels: int64 [batch_size].
            learning_rate: float32 scalar.
            noise_key: int32 [2], (seed, step), for the noise inside the model.

        Returns:
            float32 [5]: cross-entropy, cost, accuracy, gradient norm before clipping, 1 if it was clipped.
        """
        return self._compiled(images, labels, learning_rate, noise_key)

    def _step(self, images, labels, learning_rate, noise_key):
        # Each is read once, since other workers may change it meanwhile.
        weights = [tf.convert_to_tensor(weight) for weight in self.weights]
        scale = None if self.loss_scale is None else tf.convert_to_tensor(self.loss_scale)
        logits, moving = self._forward(weights, images, noise_key)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        scaled_loss = loss if scale is None else loss * scale
        gradients = tf.gradients(scaled_loss, weights, aggregation_method=tf.AggregationMethod.EXPERIMENTAL_TREE)
        if scale is not None:
            gradients = [gradient / scale for gradient in gradients]
        accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), labels), tf.float32))
        gradients, loss, accuracy, moving = self._average(gradients, loss, accuracy, moving)
        for variable, value in zip(self.model.non_trainable_variables, moving, strict=True):
            variable.assign(value)
        decay = self.recipe.weight_decay
        cost = loss + decay * tf.add_n([tf.nn.l2_loss(weight) for weight in weights])
        gradients = [gradient + decay * weight for gradient, weight in zip(gradients, weights, strict=True)]
        norm = tf.linalg.global_norm(gradients)
        if scale is None:
            self._update(gradients, norm, learning_rate)
        else:
            self._update_if_finite(gradients, norm, learning_rate, scale)
        measured = tf.stack([loss, cost, accuracy, norm, tf.cast(norm > self.recipe.clip_norm, tf.float32)])
        with tf.control_dependencies([self.sums.assign_add(measured)]):  # lest another worker's step is counted without
            self.steps.assign_add(1.0)
        if (self.failed_step < 0) & ~tf.math.is_finite(cost):
            self.failed_step.assign(tf.cast(noise_key[1], tf.int64))
        return measured

    def _forward(self, weights, images, noise_key):
        """Logits, and the new values of what is not trained, such as moving averages, of a model with these weights."""
        model, moving = self.model, [tf.convert_to_tensor(each) for each in self.model.non_trainable_variables]
        values = zip([*model.trainable_variables, *model.non_trainable_variables], [*weights, *moving], strict=True)
        with keras.StatelessScope(values) as scope:
            logits = model(images, training=True, noise_key=noise_key)
        return logits, [scope.get_current_value(variable) for variable in model.non_trainable_variables]

    def _average(self, *measured):
        """The means over all that compute the step together: here, of one."""
        return measured

    def _update(self, gradients, norm, learning_rate):
        scale = self.recipe.clip_norm / tf.maximum(norm, self.recipe.clip_norm)
        for weight, momentum, gradient in zip(self.weights, self.momenta, gradients, strict=True):
            tf.raw_ops.ResourceApplyMomentum(
                var=weight.handle, accum=momentum.handle, lr=learning_rate, grad=scale * gradient,
                momentum=self.recipe.momentum, use_nesterov=True, use_locking=True,
            )  # fmt: skip

    def _update_if_finite(self, gradients, norm, learning_rate, scale):
        """Update, unless the gradient has overflowed, and change the loss scale where that is due."""
        if not tf.math.is_finite(norm):
            self._set_loss_scale(scale / 2)
        else:
            self._update(gradients, norm, learning_rate)
            if self.good_steps.assign_add(1.0) >= _DOUBLE_AFTER:
                self._set_loss_scale(scale * 2)

    def _set_loss_scale(self, scale):
        self.loss_scale.assign(scale)
        self.good_steps.assign(0.0)

    def wait(self):
        """Return when every step called so far is done: here, at once."""

    def take_means(self):
        """Means of what was measured since the last `reset`, by name."""
        return dict(zip(MEASURES, (self.sums / self.steps).numpy().tolist(), strict=True))

    def reset(self):
        """Begin the means anew."""
        self.sums.assign(tf.zeros_like(self.sums))
        self.steps.assign(0.0)


def _zeros_beside(weight):
    """A variable of zeros where the weight is: the update needs both on one parameter server."""
    with tf.distribute.get_strategy().extended.colocate_vars_with(weight):
        return tf.Variable(tf.zeros_like(weight), trainable=False)
