"""The training loop, which no interruption changes.

Every random choice comes from (seed, epoch) for the data and (seed, step) for the noise inside the model, and a
checkpoint holds everything else, so a run that goes on from one does exactly what it would have done without the
interruption. See `training_step` for what a step computes, and `run_checkpoints` for the files.
"""

import contextlib
import io
import json
import pathlib
import time

import numpy as np
import pandas as pd
import tensorflow as tf

from autoaug import estimate, evaluation, interruption, models, pipeline, recipes, records
from autoaug.progress import Progress
from autoaug.run_checkpoints import DamagedCheckpointError, RunCheckpoints
from autoaug.training_step import TrainingStep, precision_scope


def train(recipe, dataset, run_dir, seed=0, checkpoint_epochs=1, checkpoint_minutes=10.0, on_epoch=None):
    """Train a model, or go on from the newest good checkpoint of the same run.

    Writes `record.json` (unfinished until the model is evaluated), `history.csv`, `tensorboard/` and `checkpoints/`
    into `run_dir`. Ctrl-C and SIGTERM let the step end, write a checkpoint, and then act.

    Args:
        recipe: `recipes.Recipe`.
        dataset: `datasets.Dataset`; its training part is used.
        run_dir: the run's folder.
        seed: of initial weights, order, augmentation, noise and the validation images.
        checkpoint_epochs: a checkpoint after every so many epochs, and after the last, at least 1.
        checkpoint_minutes: and, inside an epoch too, when the last one is so many minutes old, above 0.
        on_epoch: called with the history, a DataFrame, after every epoch.

    Returns:
        The `keras.Model` after the last epoch.

    Raises:
        ValueError: an argument is out of range, or the training set is smaller than one batch.
        records.RecordError: the folder belongs to another run, or another process is training it.
        run_checkpoints.DamagedCheckpointError: there are checkpoints and none is whole.
        FloatingPointError: a cost was not finite; the last good checkpoint stays.
        OSError: a file cannot be written, such as on a full disk; going on works once there is space.
    """
    if checkpoint_epochs < 1 or not checkpoint_minutes > 0:
        raise ValueError(
            "Expected checkpoint_epochs of at least 1 and checkpoint_minutes above 0. "
            f"Received: checkpoint_epochs={checkpoint_epochs}, checkpoint_minutes={checkpoint_minutes}"
        )
    recipe.total_steps(len(dataset.train_labels) - recipe.validation_size)  # an error, if that is no full batch
    with records.lock(run_dir), interruption.held_back() as signals:
        run = _Run(recipe, dataset, pathlib.Path(run_dir), seed)
        run.train(checkpoint_epochs, 60 * checkpoint_minutes, signals, on_epoch)
    if signals:
        interruption.act_on(signals[0])
    return run.model


class _Run:
    """A run's model and state: `done` steps of `total`, and the history, one row per epoch."""

    def __init__(self, recipe, dataset, run_dir, seed):
        self.recipe, self.dataset, self.run_dir, self.seed = recipe, dataset, run_dir, seed
        trained_on, self.held_out = pipeline.split(dataset, recipe, seed)
        self.steps_per_epoch = recipe.steps_per_epoch(len(trained_on))
        self.total = recipe.total_steps(len(trained_on))
        with precision_scope(recipe):
            self.model = models.build_model(recipe.model, dataset.num_classes, seed=seed, **recipe.size)
        self.step = TrainingStep(self.model, recipe)
        self.predict = evaluation.Predictor(self.model, dataset.mean, dataset.std)
        parameters = sum(weight.shape.num_elements() for weight in self.step.weights)
        records.start(run_dir, recipe, dataset, seed, parameters=parameters)
        self._history = tf.Variable("[]")  # JSON; in the checkpoint, so that both are of one moment
        self._clock = tf.Variable([0.0, 0.0], dtype=tf.float64)  # seconds of this epoch: all, and waiting for input
        self.checkpoints = RunCheckpoints(
            run_dir / "checkpoints", self.steps_per_epoch,
            model=self.model, history=self._history, clock=self._clock, **self.step.state,
        )  # fmt: skip
        self.done = self.checkpoints.restore()
        self.history, self.clock = json.loads(self._history.numpy()), self._clock.numpy()
        if not self.done and (run_dir / "history.csv").exists():
            raise DamagedCheckpointError(
                f"{run_dir}: expected a checkpoint, since history.csv says that epochs were trained. Received: none in "
                "checkpoints/. Restore it from a copy; or, to train from the beginning, remove the folder."
            )

    def train(self, checkpoint_epochs, checkpoint_seconds, signals, on_epoch):
        """Train what is left to do, or until a signal is noted, writing checkpoints as often as asked for."""
        progress = self._begin() if self.done < self.total else None
        self._write_history(self.history)
        saved, written = time.monotonic(), len(self.history)
        while self.done < self.total and not signals:
            with contextlib.closing(self._epoch(progress)) as steps:
                for epoch_ended in steps:
                    if epoch_ended and on_epoch:
                        on_epoch(pd.DataFrame(self.history))
                    due = epoch_ended and (len(self.history) % checkpoint_epochs == 0 or self.done == self.total)
                    if due or signals or time.monotonic() - saved > checkpoint_seconds:
                        self._save()
                        self._write_history(self.history[written:])
                        saved, written = time.monotonic(), len(self.history)
                    if signals:
                        print(f"{signals[0].name}: stopped after step {self.done:,} of {self.total:,}. "
                              "The same command goes on from there.", flush=True)  # fmt: skip
                        break
        if progress:
            progress.close()

    def _begin(self):
        """Say what is to come; returns the progress display."""
        if self.done:
            print(f"{self.run_dir}: going on after step {self.done:,} of {self.total:,}.")
        images = (self.total - self.done) * self.recipe.batch_size
        print(estimate.describe(3 * models.flops_per_image(self.model) * images))
        pipeline.load_kernel()  # now, and not while an epoch's first step waits for its batch
        return Progress(self.total, self.done, self.recipe.batch_size)

    def _epoch(self, progress):
        """Train to the end of the epoch; yields after each step whether it was the last, the state being whole."""
        epoch, start = divmod(self.done, self.steps_per_epoch)
        batches = pipeline.Batches(self.dataset, self.recipe, self.seed, epoch, start)
        before, begun = self.clock, time.perf_counter()
        for images, labels in batches:
            rate = recipes.learning_rate_at(self.recipe.learning_rate, self.done + 1, self.total)
            self.step(images, labels, np.float32(rate), np.array([self.seed, self.done], np.int32))
            self.done += 1
            self.clock = before + np.array([time.perf_counter() - begun, batches.wait_seconds])
            if progress.advance():
                self._require_finite()
                means = self.step.take_means()
                progress.show({"loss": means["loss"], "accuracy": means["accuracy"]})
            epoch_ended = self.done % self.steps_per_epoch == 0
            if epoch_ended:
                self._require_finite()
                self._end_epoch(epoch, rate)
            yield epoch_ended

    def _end_epoch(self, epoch, rate):
        """Add the epoch's row to the history, and begin the sums anew."""
        row = {"epoch": epoch + 1, "learning_rate": rate, **self.step.take_means()}
        if len(self.held_out):
            logits = self.predict(self.dataset.train_images[self.held_out])
            row["validation_accuracy"] = float(np.mean(logits.argmax(1) == self.dataset.train_labels[self.held_out]))
        seconds, waiting = self.clock.tolist()
        row["images_per_second"] = self.recipe.batch_size * self.steps_per_epoch / seconds
        self.history.append({**row, "input_wait_share": waiting / seconds, "seconds": seconds})
        self.clock = np.zeros(2)
        self.step.reset()

    def _save(self):
        self._require_finite()
        self._history.assign(json.dumps(self.history))
        self._clock.assign(self.clock)
        self.checkpoints.save(self.done)

    def _require_finite(self):
        """Stop at a cost that is not finite, leaving the batch of its step in `failed_step.npz`."""
        failed = int(self.step.failed_step)
        if failed < 0:
            return
        epoch, start = divmod(failed, self.steps_per_epoch)
        images, labels = next(iter(pipeline.Batches(self.dataset, self.recipe, self.seed, epoch, start)))
        rate = recipes.learning_rate_at(self.recipe.learning_rate, failed + 1, self.total)
        buffer = io.BytesIO()
        np.savez(buffer, images=images, labels=labels, learning_rate=np.float32(rate), noise_key=[self.seed, failed])
        records.write_atomically(self.run_dir / "failed_step.npz", buffer.getvalue())
        good = self.checkpoints.steps()
        raise FloatingPointError(
            f"{self.run_dir}: the cost of step {failed + 1:,} (epoch {epoch + 1}, batch {start + 1}) is not finite. "
            f"Its input is in failed_step.npz; the same command trains from the last good checkpoint "
            f"({f'step {good[-1]:,}' if good else 'none yet: from the beginning'}) to that step again."
        )

    def _write_history(self, new_rows):
        """Write the new rows as TensorBoard's events, in the place of all others if they are all, and history.csv."""
        path, content = self.run_dir / "history.csv", pd.DataFrame(self.history).to_csv(index=False).encode()
        if not new_rows or (path.exists() and path.read_bytes() == content):
            return
        folder = self.run_dir / "tensorboard"
        if new_rows == self.history:
            for events in folder.glob("events.out.tfevents.*"):
                events.unlink()
        with tf.summary.create_file_writer(str(folder)).as_default():
            for row in new_rows:
                for name, value in row.items():
                    if name != "epoch":
                        tf.summary.scalar(name, value, step=row["epoch"])
        records.write_atomically(path, content)
