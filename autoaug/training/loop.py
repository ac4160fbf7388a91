"""The training loop, for one process and for the chief of several workers. An interruption does not change the result.

All random choices depend on (seed, epoch) for the data, and on (seed, step, worker) for the noise inside the model. A
checkpoint holds everything else. So a run that continues from a checkpoint does exactly what it would have done without
the interruption. With several workers, this holds for synchronous ones only.
"""

import contextlib
import io
import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from autoaug import devices, duration, evaluation, models, records
from autoaug.datasets import Dataset, LabelledImages
from autoaug.files import write_atomically
from autoaug.recipes import Recipe
from autoaug.training import batches, interruption, step_time
from autoaug.training.history import HistoryWriter, Row
from autoaug.training.options import RunOptions
from autoaug.training.progress import Progress
from autoaug.training.run_checkpoints import DamagedCheckpointError, RunCheckpoints
from autoaug.training.schedule import Epoch, Schedule
from autoaug.training.step import TrainingStep, precision_scope


@runtime_checkable
class Engine(Protocol):
    """Computes the steps of a run."""

    @property
    def share(self) -> tuple[int, int]:
        """(i, n): this process prepares the i-th of n equal parts of every batch."""

    @property
    def device(self) -> str | None:
        """The TensorFlow device whose machine writes checkpoints; None: the device of the variables."""

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """The context in which the model and its step are built."""

    def step(self, model: keras.Model, recipe: Recipe, seed: int) -> TrainingStep:
        """The step that trains the model."""


class OneProcess:
    """Computes the steps in this process."""

    share, device = (0, 1), None
    scope = staticmethod(contextlib.nullcontext)

    def step(self, model: keras.Model, recipe: Recipe, seed: int) -> TrainingStep:
        """The step that trains the model."""
        return TrainingStep(model, recipe, seed)


class Run:
    """A run's model and state: `done` steps of `total`, and the history with one row per epoch.

    A new object has the state of the newest good checkpoint.

    Raises:
        records.RecordError: the folder belongs to another run.
        run_checkpoints.DamagedCheckpointError: epochs were trained, but there is no good checkpoint.
    """

    def __init__(self, recipe: Recipe, dataset: Dataset, options: RunOptions, engine: Engine | None = None) -> None:
        self.recipe, self.dataset, self.options, self.engine = recipe, dataset, options, engine or OneProcess()
        trained_on, self.held_out = batches.split(dataset, recipe, options.seed)
        self.schedule = Schedule(recipe, len(trained_on), options.workers if options.update == "async" else 1)
        with precision_scope(recipe), self.engine.scope():
            self.model = models.build_model(recipe.model, dataset.num_classes, seed=options.seed, **recipe.size)
            self.step = self.engine.step(self.model, recipe, options.seed)
        self.predict = evaluation.Predictor(self.model, dataset.mean, dataset.std)
        parameters = sum(weight.shape.num_elements() for weight in self.step.weights)
        records.start(
            options.run_dir,
            recipe,
            dataset,
            options.seed,
            parameters,
            workers=options.workers,
            update=options.update,
            computing=devices.recorded(),
        )
        self._history = tf.Variable("[]")  # JSON; part of the checkpoint, so that both always agree
        self._clock = tf.Variable([0.0, 0.0], dtype=tf.float64)
        self.checkpoints = RunCheckpoints(
            options.run_dir / records.CHECKPOINTS, self.schedule.steps_per_epoch, self.engine.device,
            model=self.model, history=self._history, clock=self._clock, **self.step.state,
        )  # fmt: skip
        self.done = self.checkpoints.restore()
        self.history: list[Row] = json.loads(self._history.numpy())
        self.seconds, self.waiting = self._clock.numpy().tolist()  # of this epoch's steps: all, and waiting for input
        if not self.done and (options.run_dir / records.HISTORY).exists():
            raise DamagedCheckpointError(
                f"{options.run_dir}: Expected a checkpoint, since history.csv lists trained epochs. Received: no "
                "checkpoint in checkpoints/. Restore it from a copy; or remove the folder to train from the beginning."
            )

    @property
    def total(self) -> int:
        """Steps of the whole run."""
        return self.schedule.total

    @property
    def is_between_epochs(self) -> bool:
        """Whether the last step was an epoch's last."""
        return self.done % self.schedule.steps_per_epoch == 0

    def save(self) -> None:
        """Write a checkpoint."""
        self.step.wait()
        require_finite(self)
        self._history.assign(json.dumps(self.history))
        self._clock.assign([self.seconds, self.waiting])
        self.checkpoints.save(self.done)


def train_here(
    recipe: Recipe,
    dataset: Dataset,
    options: RunOptions,
    test_sets: Sequence[LabelledImages] = (),
    on_epoch: Callable[[pd.DataFrame], object] | None = None,
    engine: Engine | None = None,
    show: Callable[[int, int, int], Any] = Progress,
) -> keras.Model:
    """Train in this process; with several workers, this is the chief's process.

    Args:
        recipe, dataset, test_sets, on_epoch: as for `training.train`.
        options: of the run.
        engine: computes the steps; None: this process does.
        show: makes the progress display.

    Returns:
        The model after the last epoch.
    """
    with records.lock(options.run_dir), interruption.held_back() as signals:
        run = Run(recipe, dataset, options, engine)
        train_model(run, test_sets, on_epoch, signals, show)
    if signals:
        interruption.act_on(signals[0])
    return run.model


def train_model(
    run: Run,
    test_sets: Sequence[LabelledImages],
    on_epoch: Callable[[pd.DataFrame], object] | None,
    signals: Sequence[int],
    show: Callable[[int, int, int], Any],
) -> None:
    """Train the steps that are left, or until a signal is noted."""
    saver = Saver(run, signals)
    if run.done == run.total:
        print(f"Nothing left to train: all {run.total:,} steps are done.", flush=True)
        return
    monitor = evaluation.Monitor(test_sets, run.dataset, run.options.evaluate_every)
    _announce(run, monitor)
    batches.load_kernel()  # now, so that the first step does not wait for it
    estimate = "" if run.recipe.xla else f": about {duration.compiling(len(run.model.weights)):.0f} s"
    print(f"Compiling the training step{estimate}.", flush=True)
    progress = show(run.total, run.done, run.recipe.batch_size)
    while run.done < run.total and not signals:
        train_epoch(run, progress, saver, signals)
        if run.is_between_epochs:
            end_epoch(run, monitor)
            if on_epoch:
                on_epoch(pd.DataFrame(run.history))
            saver.save_if_due(epoch_has_ended=True)
    if signals:
        print(f"Stopped after step {run.done:,} of {run.total:,}. The same command goes on from there.", flush=True)
    progress.close()


def train_epoch(run: Run, progress: Any, saver: "Saver", signals: Sequence[int]) -> None:
    """Train to the end of the epoch, or until a signal is noted, and write checkpoints that are due."""
    epoch = Epoch(run.dataset, run.schedule, run.options.seed, run.done, run.engine.share)
    seconds, waiting, begun = run.seconds, run.waiting, time.perf_counter()
    with contextlib.closing(iter(epoch)) as steps:
        for step in steps:
            run.step(step.images, step.labels, step.learning_rate, step.number)
            run.done = step.number + 1
            if run.is_between_epochs:
                run.step.wait()
            run.seconds = seconds + time.perf_counter() - begun
            run.waiting = waiting + epoch.wait_seconds
            if progress.advance():
                require_finite(run)
                means = run.step.take_means()
                progress.show({"loss": means["loss"], "accuracy": means["accuracy"]})
            if not run.is_between_epochs:
                saver.save_if_due(epoch_has_ended=False)
                if signals:
                    return


def end_epoch(run: Run, monitor: evaluation.Monitor) -> None:
    """Evaluate, add the epoch's row to the history, and start new sums."""
    require_finite(run)
    epoch, begun = len(run.history) + 1, time.perf_counter()
    row = {"epoch": epoch, "learning_rate": run.schedule.learning_rate(run.done - 1), **run.step.take_means()}
    if len(run.held_out):
        held_out = run.dataset.train_images[run.held_out], run.dataset.train_labels[run.held_out]
        row["validation_accuracy"] = evaluation.accuracy(run.predict, *held_out)
    row |= monitor.accuracies(run.predict, epoch)
    row["images_per_second"] = run.recipe.batch_size * run.schedule.steps_per_epoch / run.seconds
    row["input_wait_share"] = run.waiting / run.seconds
    row["seconds"] = run.seconds + time.perf_counter() - begun  # with the evaluation, which the speed leaves out
    run.history.append(row)
    run.seconds = run.waiting = 0.0
    run.step.reset()


class Saver:
    """Writes checkpoints, together with the history, as often as the run's options say.

    Args:
        run: the run; its history is written at once, in the state of the newest checkpoint.
        signals: the signals noted so far; after a signal, a checkpoint is due too.
    """

    def __init__(self, run: Run, signals: Sequence[int]) -> None:
        self._run, self._signals, self._saved = run, signals, time.monotonic()
        self._history = HistoryWriter(run.options.run_dir)
        self._history.write(run.history)

    def save_if_due(self, epoch_has_ended: bool) -> None:
        """Write a checkpoint after the last step, if one is due."""
        run, options = self._run, self._run.options
        due = epoch_has_ended and (len(run.history) % options.checkpoint_epochs == 0 or run.done == run.total)
        if due or self._signals or time.monotonic() - self._saved > 60 * options.checkpoint_minutes:
            run.save()
            self._history.write(run.history)
            self._saved = time.monotonic()


def require_finite(run: Run) -> None:
    """Stop if a cost was not finite, and save the batch of its step in `failed_step.npz`.

    Raises:
        FloatingPointError: the message names the step, and the checkpoint from which the same command continues.
    """
    failed = int(run.step.failed_step.numpy())
    if failed < 0:
        return
    epoch = Epoch(run.dataset, run.schedule, run.options.seed, failed)
    step = next(iter(epoch))
    buffer = io.BytesIO()
    np.savez(buffer, step=failed, images=step.images, labels=step.labels, learning_rate=step.learning_rate)
    write_atomically(run.options.run_dir / "failed_step.npz", buffer.getvalue())
    good = run.checkpoints.steps()
    raise FloatingPointError(
        f"{run.options.run_dir}: the cost of step {failed + 1:,} (epoch {epoch.number + 1}, "
        f"batch {failed % run.schedule.steps_per_epoch + 1}) is not finite. "
        f"Its input is in failed_step.npz. The same command trains again from the last good checkpoint "
        f"({f'step {good[-1]:,}' if good else 'none yet: from the beginning'})."
    )


def _announce(run: Run, monitor: evaluation.Monitor) -> None:
    """Print what comes next."""
    if run.done:
        print(f"{run.options.run_dir}: going on after step {run.done:,} of {run.total:,}.")
    xla = "on" if run.recipe.xla else "off"
    print(f"{devices.description()}. Precision {run.recipe.precision}, TensorFloat-32 off, XLA {xla}.")
    images = (run.total - run.done) * run.recipe.batch_size
    print(duration.describe(3 * models.flops_per_image(run.model) * images))
    if not run.done and _may_be_faster_in_bfloat16(run):
        print(f"This processor has units for bfloat16 ({devices.bfloat16_units()}). Timing a step.", flush=True)
        print(step_time.of_precisions(run.recipe))
    if 0 < monitor.every <= run.recipe.epochs:
        print(f"Epochs from one evaluation of the test sets to the next: {monitor.every}.")


def _may_be_faster_in_bfloat16(run: Run) -> bool:
    """Whether to time both precisions. This compiles two more steps, which would take a good part of a quick run."""
    in_float32 = run.recipe.precision == "float32" and run.recipe.preset != "quick" and run.options.workers == 1
    return in_float32 and not devices.gpus() and bool(devices.bfloat16_units())
