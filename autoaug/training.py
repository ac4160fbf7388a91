"""One training loop: a compiled step, the published loss, clipping, optimizer and schedule, and a checkpoint an epoch.

    cost = softmax cross-entropy + weight decay · Σ ½‖w‖², over every trainable variable
    g = ∇cost, clipped to a global norm of 5
    a ← 0.9·a + g;  w ← w − lr·(g + 0.9·a)

Every random choice comes from (seed, epoch) for the data and (seed, step) for the noise inside the model, so a run that
goes on from a checkpoint does what it would have done without the interruption.
"""

import io
import pathlib
import time

import numpy as np
import pandas as pd
import tensorflow as tf

from autoaug import models, pipeline, recipes, records
from autoaug.progress import Progress

_MEASURES = ("loss", "cost", "accuracy", "gradient_norm", "clipped_share")


class TrainingStep(tf.Module):
    """The compiled step of one model: updates its weights, its momentum and the sums of what is measured.

    Args:
        model: `keras.Model` from normalised images to logits.
        recipe: `recipes.Recipe`, for weight_decay, momentum and clip_norm.
    """

    def __init__(self, model, recipe):
        super().__init__()
        self.model, self.recipe = model, recipe
        self.weights = [variable.value for variable in model.trainable_variables]
        self.momenta = [tf.Variable(tf.zeros_like(weight), trainable=False) for weight in self.weights]
        self.sums = tf.Variable(tf.zeros(len(_MEASURES)), trainable=False)
        self.steps = tf.Variable(0.0, trainable=False)

    @tf.function
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
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self.weights)
            logits = self.model(images, training=True, noise_key=noise_key)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        decay, clip_norm = self.recipe.weight_decay, self.recipe.clip_norm
        cost = loss + decay * tf.add_n([tf.nn.l2_loss(weight) for weight in self.weights])
        gradients = tape.gradient(loss, self.weights)
        gradients = [gradient + decay * weight for gradient, weight in zip(gradients, self.weights, strict=True)]
        norm = tf.linalg.global_norm(gradients)
        scale = clip_norm / tf.maximum(norm, clip_norm)
        for weight, momentum, gradient in zip(self.weights, self.momenta, gradients, strict=True):
            tf.raw_ops.ResourceApplyMomentum(
                var=weight.handle, accum=momentum.handle, lr=learning_rate, grad=scale * gradient,
                momentum=self.recipe.momentum, use_nesterov=True,
            )  # fmt: skip
        accuracy = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(logits, 1), labels), tf.float32))
        measured = tf.stack([loss, cost, accuracy, norm, tf.cast(norm > clip_norm, tf.float32)])
        self.sums.assign_add(measured)
        self.steps.assign_add(1.0)
        return measured

    def take_means(self):
        """Means of what was measured since the last `reset`, by name."""
        return dict(zip(_MEASURES, (self.sums / self.steps).numpy().tolist(), strict=True))

    def reset(self):
        """Begin the means anew."""
        self.sums.assign(tf.zeros_like(self.sums))
        self.steps.assign(0.0)


def train(recipe, dataset, run_dir, seed=0):
    """Train a model, or go on from the newest checkpoint of the same run.

    Writes `record.json` (unfinished until the model is evaluated), `history.csv` and `checkpoints/` into `run_dir`.

    Args:
        recipe: `recipes.Recipe`.
        dataset: `datasets.Dataset`; its training part is used.
        run_dir: the run's folder.
        seed: of initial weights, order, augmentation and noise.

    Returns:
        The `keras.Model` after the last epoch.

    Raises:
        ValueError: if the training set is smaller than one batch.
        records.RecordError: if the folder belongs to another run.
        FloatingPointError: if the cost is no longer finite; the last good checkpoint stays.
    """
    run_dir, train_size = pathlib.Path(run_dir), len(dataset.train_labels)
    steps_per_epoch, total_steps = recipe.steps_per_epoch(train_size), recipe.total_steps(train_size)
    model = models.build_model(recipe.model, dataset.num_classes, seed=seed, **recipe.size)
    step = TrainingStep(model, recipe)
    records.start(run_dir, recipe, dataset, seed, parameters=sum(w.shape.num_elements() for w in step.weights))
    checkpoint = tf.train.Checkpoint(model=model, momenta=step.momenta, epoch=tf.Variable(0, dtype=tf.int64))
    manager = tf.train.CheckpointManager(checkpoint, run_dir / "checkpoints", max_to_keep=2)
    history = _restore(checkpoint, manager, run_dir)
    done = len(history)
    if done:
        print(f"{run_dir}: going on after epoch {done} of {recipe.epochs}.")
    progress = Progress(total_steps, done * steps_per_epoch, recipe.batch_size) if done < recipe.epochs else None
    for epoch in range(done, recipe.epochs):
        batches = pipeline.Batches(dataset, recipe, seed, epoch)
        rates = [
            recipes.learning_rate_at(recipe.learning_rate, epoch * steps_per_epoch + i + 1, total_steps)
            for i in range(steps_per_epoch)
        ]
        history.append({"epoch": epoch + 1, **_train_epoch(step, batches, rates, (seed, epoch), progress)})
        _write_history(run_dir, history)
        checkpoint.epoch.assign(epoch + 1)
        manager.save(checkpoint_number=epoch + 1)
    if progress:
        progress.close()
    return model


def _train_epoch(step, batches, rates, key, progress):
    """Train one epoch; returns its row of the history."""
    started = time.perf_counter()
    seed, epoch = key
    step.reset()
    for i, (images, labels) in enumerate(batches):
        noise_key = np.array([seed, epoch * len(batches) + i], np.int32)
        step(images, labels, np.float32(rates[i]), noise_key)
        if progress.advance():
            means = step.take_means()
            progress.show({"loss": means["loss"], "accuracy": means["accuracy"]})
    means, seconds = step.take_means(), time.perf_counter() - started
    if not np.isfinite(means["cost"]):
        raise FloatingPointError(f"The cost of epoch {epoch + 1} is {means['cost']}. Its checkpoint was not written.")
    return {
        "learning_rate": rates[-1],
        **means,
        "images_per_second": len(labels) * len(batches) / seconds,
        "input_wait_share": batches.wait_seconds / seconds,
        "seconds": seconds,
    }


def _restore(checkpoint, manager, run_dir):
    """Restore the newest checkpoint, if there is one. Returns the history up to it, a list of rows."""
    if manager.latest_checkpoint is None:
        return []
    checkpoint.restore(manager.latest_checkpoint).assert_consumed()
    path = run_dir / "history.csv"
    rows = pd.read_csv(path).to_dict("records") if path.exists() else []
    done = int(checkpoint.epoch)
    if [row["epoch"] for row in rows[:done]] != list(range(1, done + 1)):
        raise ValueError(f"{path}: expected a row for each of epochs 1 to {done}. Received: {len(rows)} rows.")
    return rows[:done]


def _write_history(run_dir, history):
    buffer = io.StringIO()
    pd.DataFrame(history).to_csv(buffer, index=False)
    records.write_atomically(run_dir / "history.csv", buffer.getvalue().encode())
