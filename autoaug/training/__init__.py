"""The training loop, which no interruption changes, for one process and for the chief of several workers.

Every random choice comes from (seed, epoch) for the data and (seed, step) for the noise inside the model, and a
checkpoint holds everything else, so a run that goes on from one does exactly what it would have done without the
interruption. See `training_step` for what a step computes, `run_checkpoints` for the files, and `cluster` for several
workers, of which only synchronous ones repeat exactly.
"""

import contextlib
import io
import json
import pathlib
import time

import numpy as np
import pandas as pd
import tensorflow as tf

from autoaug import duration, evaluation, models, recipes, records
from autoaug.files import write_atomically
from autoaug.training import batches as pipeline
from autoaug.training import interruption
from autoaug.training.cluster import launcher as cluster
from autoaug.training.progress import Progress
from autoaug.training.run_checkpoints import DamagedCheckpointError, RunCheckpoints
from autoaug.training.step import TrainingStep, precision_scope


def train(
    recipe,
    dataset,
    run_dir,
    seed=0,
    checkpoint_epochs=1,
    checkpoint_minutes=10.0,
    on_epoch=None,
    workers=1,
    update="async",
):
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
        workers: how many train; above 1, processes of their own do, here or on SageMaker's hosts (see `cluster`).
        update: how several workers update the model, "async" or "sync".

    Returns:
        The `keras.Model` after the last epoch.

    Raises:
        ValueError: an argument is out of range, or the training set is smaller than a batch for each worker.
        cluster.ClusterError: a worker did not come up, or one ended without which the others cannot go on.
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
    cluster.check(recipe, len(dataset.train_labels) - recipe.validation_size, workers, update)
    arguments = recipe, dataset, pathlib.Path(run_dir), seed, checkpoint_epochs, checkpoint_minutes, on_epoch
    if workers > 1:
        cluster.train(*arguments, workers, update)
    return train_here(*arguments, workers, update)


def train_here(
    recipe, dataset, run_dir, seed, checkpoint_epochs, checkpoint_minutes, on_epoch, workers, update, engine=None,
    show=Progress,
):  # fmt: skip
    """Train in this process, the chief's where there are several workers, or restore what such processes have trained.

    Args:
        engine: what computes the steps of several workers, from `distributed`; None: this process does.
        show: makes the progress display.
    """
    with records.lock(run_dir), interruption.held_back() as signals:
        run = _Run(recipe, dataset, run_dir, seed, workers, update, engine)
        if workers > 1 and not engine and run.done < run.total:
            raise cluster.ClusterError(f"{run_dir}: the last checkpoint is damaged. The same command trains it again.")
        run.train(checkpoint_epochs, 60 * checkpoint_minutes, signals, on_epoch, show)
    if signals:
        interruption.act_on(signals[0])
    return run.model


class _Run:
    """A run's model and state: `done` steps of `total`, and the history, one row per epoch.

    Args:
        recipe, dataset, run_dir, seed, workers, update: as for `train`.
        engine: what computes the steps of several workers, from `distributed`; None computes them here.
    """

    def __init__(self, recipe, dataset, run_dir, seed, workers=1, update="async", engine=None):
        self.recipe, self.dataset, self.run_dir, self.seed = recipe, dataset, run_dir, seed
        self.engine = engine
        trained_on, self.held_out = pipeline.split(dataset, recipe, seed)
        self.turns = workers if update == "async" else 1  # updates, one after another, for a step of every worker
        self.steps_per_epoch = self.turns * recipe.steps_per_epoch(len(trained_on), self.turns)
        self.total = recipe.epochs * self.steps_per_epoch
        with precision_scope(recipe), engine.scope() if engine else contextlib.nullcontext():
            self.model = models.build_model(recipe.model, dataset.num_classes, seed=seed, **recipe.size)
            self.step = engine.step(self.model, recipe) if engine else TrainingStep(self.model, recipe)
        self.predict = evaluation.Predictor(self.model, dataset.mean, dataset.std)
        parameters = sum(weight.shape.num_elements() for weight in self.step.weights)
        records.start(run_dir, recipe, dataset, seed, parameters=parameters, workers=workers, update=update)
        self._history = tf.Variable("[]")  # JSON; in the checkpoint, so that both are of one moment
        self._clock = tf.Variable([0.0, 0.0], dtype=tf.float64)  # seconds of this epoch: all, and waiting for input
        self.checkpoints = RunCheckpoints(
            run_dir / "checkpoints", self.steps_per_epoch, engine.device if engine else None,
            model=self.model, history=self._history, clock=self._clock, **self.step.state,
        )  # fmt: skip
        self.done = self.checkpoints.restore()
        self.history, self.clock = json.loads(self._history.numpy()), self._clock.numpy()
        if not self.done and (run_dir / "history.csv").exists():
            raise DamagedCheckpointError(
                f"{run_dir}: expected a checkpoint, since history.csv says that epochs were trained. Received: none in "
                "checkpoints/. Restore it from a copy; or, to train from the beginning, remove the folder."
            )

    def train(self, checkpoint_epochs, checkpoint_seconds, signals, on_epoch, show):
        """Train what is left to do, or until a signal is noted, writing checkpoints as often as asked for."""
        progress = self._begin(show) if self.done < self.total else None
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
                        print(f"Stopped after step {self.done:,} of {self.total:,}. "
                              "The same command goes on from there.", flush=True)  # fmt: skip
                        break
        if progress:
            progress.close()

    def _begin(self, show):
        """Say what is to come; returns the progress display."""
        if self.done:
            print(f"{self.run_dir}: going on after step {self.done:,} of {self.total:,}.")
        images = (self.total - self.done) * self.recipe.batch_size
        print(duration.describe(3 * models.flops_per_image(self.model) * images))
        pipeline.load_kernel()  # now, and not while an epoch's first step waits for its batch
        return show(self.total, self.done, self.recipe.batch_size)

    def _epoch(self, progress):
        """Train to the end of the epoch; yields after each step whether it was the last, the state being whole."""
        epoch, start = divmod(self.done, self.steps_per_epoch)
        share = self.engine.share if self.engine else (0, 1)
        batches = pipeline.Batches(self.dataset, self.recipe, self.seed, epoch, start, share)
        before, begun = self.clock, time.perf_counter()
        for _, (images, labels) in zip(range(start, self.steps_per_epoch), batches, strict=False):
            rate = self._learning_rate(self.done)
            self.step(images, labels, np.float32(rate), np.array([self.seed, self.done], np.int32))
            self.done += 1
            epoch_ended = self.done % self.steps_per_epoch == 0
            if epoch_ended:
                self.step.wait()
            self.clock = before + np.array([time.perf_counter() - begun, batches.wait_seconds])
            if progress.advance():
                self._require_finite()
                means = self.step.take_means()
                progress.show({"loss": means["loss"], "accuracy": means["accuracy"]})
            if epoch_ended:
                self._require_finite()
                self._end_epoch(epoch, rate)
            yield epoch_ended

    def _learning_rate(self, step):
        """Of a step counted from 0; workers that take turns follow the schedule with their own steps each."""
        return recipes.learning_rate_at(self.recipe.learning_rate, step // self.turns + 1, self.total // self.turns)

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
        self.step.wait()
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
        rate = np.float32(self._learning_rate(failed))
        buffer = io.BytesIO()
        np.savez(buffer, images=images, labels=labels, learning_rate=rate, noise_key=[self.seed, failed])
        write_atomically(self.run_dir / "failed_step.npz", buffer.getvalue())
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
        write_atomically(path, content)
