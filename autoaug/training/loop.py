"""The training loop: `train_model` → `train_epoch` → the step. An interruption does not change the result.

All random choices depend on (seed, epoch) for the data, and on (seed, step, worker) for the noise inside the model. A
checkpoint holds everything else. So a run that continues from a checkpoint does exactly what it would have done without
the interruption, on a CPU with as many threads. On several hosts, where workers do not wait for each other, this does
not hold.
"""

import contextlib
import json
import os
import pathlib
import signal
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from numba.core import config as numba_config

from autoaug import devices, models, recipes
from autoaug.datasets import Dataset
from autoaug.files import write_atomically
from autoaug.recipes import Recipe
from autoaug.runs import evaluation, record
from autoaug.training import batches
from autoaug.training.checkpoints import Checkpoints
from autoaug.training.progress import Progress
from autoaug.training.step import Engine, precision_scope

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Run:
    """A run's model and state: `done` steps of `total`, and the history with one row per epoch.

    A new object has the state of the newest good checkpoint; it raises a RecordError if the folder belongs to another
    run, or if epochs were trained, but there is no good checkpoint. Steps and epochs are counted from 0. Where workers
    take turns, so many successive steps are one step of the learning rate's schedule.
    """

    def __init__(
        self, recipe: Recipe, dataset: Dataset, run_dir: pathlib.Path, seed: int, workers: int, engine: Engine
    ) -> None:
        self.recipe, self.dataset, self.run_dir, self.seed, self.engine = recipe, dataset, run_dir, seed, engine
        trained_on, self.held_out = batches.split(dataset, recipe, seed)
        turns = self.engine.turns
        self.steps_per_epoch = turns * recipe.steps_per_epoch(len(trained_on), turns)
        self.total = turns * recipe.total_steps(len(trained_on), turns)
        with self.engine.scope():
            self.model = self._build()
            self.step = self.engine.step(self.model, recipe, seed)
        self.whole = evaluation.whole(self.model, dataset)
        parameters = sum(weight.shape.num_elements() for weight in self.step.weights)
        cores = vars(numba_config)["NUMBA_DEFAULT_NUM_THREADS"]  # that are usable, as TensorFlow too counts them
        computing = {"device": devices.description(), "threads": int(os.environ.get("TF_NUM_INTRAOP_THREADS") or cores)}
        computing["tf32"] = tf.config.experimental.tensor_float_32_execution_enabled()
        record.start(run_dir, recipe, dataset, seed, parameters, workers=workers, computing=computing)
        self._state = tf.Variable(b"")  # JSON; part of the checkpoint, so that both always agree
        state = {"model": self.model, "state": self._state, **self.step.state}
        self.checkpoints = Checkpoints(run_dir / record.CHECKPOINTS, self.engine.io_device, **state)
        self.history: list[dict[str, float]] = []
        self.seconds = 0.0  # of this epoch's steps
        self.done = self.checkpoints.restore()
        if self.done:
            turns, self.history, self.seconds = json.loads(self._state.numpy())
            if turns != self.engine.turns:
                expected = f"Expected a run of {turns} hosts, as it was begun"
                raise record.RecordError(f"{run_dir}: {expected}. Received: {self.engine.turns}")
        elif (run_dir / record.HISTORY).exists():
            raise record.RecordError(
                f"{run_dir}: Expected a checkpoint, since history.csv lists trained epochs. Received: no checkpoint in "
                "checkpoints/. Restore it from a copy; or remove the folder to train from the beginning."
            )

    def _build(self) -> keras.Model:
        """The model with its initial weights."""
        with precision_scope(self.recipe):
            return models.build_model(self.recipe.model, self.dataset.num_classes, seed=self.seed, **self.recipe.size)

    @property
    def is_between_epochs(self) -> bool:
        """Whether the last step was an epoch's last."""
        return self.done % self.steps_per_epoch == 0

    def learning_rate(self, step: int) -> float:
        """Of a step; the formula counts from 1."""
        turns = self.engine.turns
        return recipes.learning_rate_at(self.recipe.learning_rate, step // turns + 1, self.total // turns)

    def batches(self, done: int) -> Generator[Any, None, None]:
        """The batches of the epoch that are left after so many steps of the run."""
        epoch, first = divmod(done, self.steps_per_epoch)
        return batches.of_epoch(self.dataset, self.recipe, self.seed, epoch, first, self.steps_per_epoch)

    def save(self) -> None:
        """Write a checkpoint."""
        self.step.wait()
        require_finite(self)
        self._state.assign(json.dumps([self.engine.turns, self.history, self.seconds]))
        self.checkpoints.save(self.done)

    def model_of_its_own(self) -> keras.Model:
        """The model with plain variables, wherever the engine keeps them."""
        if type(self.engine) is Engine:
            return self.model
        model = self._build()
        for mine, trained in zip(model.variables, self.model.variables, strict=True):
            mine.assign(trained.numpy())
        return model


def train_model(run: Run, saver: "Saver") -> None:
    """Train the steps that are left, or until a signal is noted."""
    if run.done:
        print(f"{run.run_dir}: going on after step {run.done:,} of {run.total:,}.")
    xla = "on" if run.recipe.xla else "off"
    print(f"{devices.description()}. Precision {run.recipe.precision}, TensorFloat-32 off, XLA {xla}.")
    print(f"Compiling the training step of a model with {len(run.model.weights)} variables.", flush=True)
    progress = Progress(run.total, run.done, run.recipe.batch_size)
    while run.done < run.total and not saver.signals:
        train_epoch(run, progress, saver)
        if run.is_between_epochs:
            end_epoch(run)
            saver.save_if_due(epoch_has_ended=True)
    with contextlib.suppress(OSError):
        progress.close()
        if saver.signals:
            print(f"Stopped after step {run.done:,} of {run.total:,}. The same command goes on from there.", flush=True)


def train_epoch(run: Run, progress: Progress, saver: "Saver") -> None:
    """Train to the end of the epoch, or until a signal is noted, and write checkpoints that are due."""
    seconds, begun = run.seconds, time.perf_counter()
    with contextlib.closing(run.batches(run.done)) as left:
        for images, labels in left:
            run.step(images, labels, run.learning_rate(run.done), run.done)
            run.done += 1
            if run.is_between_epochs:
                run.step.wait()
            run.seconds = seconds + time.perf_counter() - begun
            if progress.advance() and not saver.signals:
                require_finite(run)
                means = run.step.take_means()
                with contextlib.suppress(OSError):  # the terminal is gone
                    progress.show(means["loss"], means["accuracy"])
            if not run.is_between_epochs:
                saver.save_if_due(epoch_has_ended=False)
                if saver.signals:
                    return


def end_epoch(run: Run) -> None:
    """Evaluate the held-out images, add the epoch's row to the history, and start new sums."""
    require_finite(run)
    epoch, begun = len(run.history) + 1, time.perf_counter()
    row = {"epoch": epoch, "learning_rate": run.learning_rate(run.done - 1), **run.step.take_means()}
    if len(run.held_out):
        images = run.dataset.train_images[run.held_out]
        answers = run.whole.predict(images, evaluation.BATCH_SIZE, verbose=0).argmax(axis=1)
        row["validation_accuracy"] = float(np.mean(answers == run.dataset.train_labels[run.held_out]))
    row["images_per_second"] = run.recipe.batch_size * run.steps_per_epoch / run.seconds
    row["seconds"] = run.seconds + time.perf_counter() - begun  # with the evaluation, which the speed leaves out
    run.history.append(row)
    run.seconds = 0.0
    run.step.reset()


class Saver:
    """Writes checkpoints, together with history.csv, so that both always agree.

    Args:
        run: the run; its history is written at once, in the state of the newest checkpoint.
        epochs, minutes: from one checkpoint to the next; the last epoch always has one.
        signals: the signals noted so far; after a signal, a checkpoint is due too.
    """

    def __init__(self, run: Run, epochs: int, minutes: float, signals: Sequence[signal.Signals] = ()) -> None:
        self._run, self._epochs, self._seconds, self.signals = run, epochs, 60 * minutes, signals
        self._saved = time.monotonic()
        self._write_history()

    def save_if_due(self, epoch_has_ended: bool) -> None:
        """Write a checkpoint after the last step, if one is due."""
        run = self._run
        due = epoch_has_ended and (len(run.history) % self._epochs == 0 or run.done == run.total)
        if due or self.signals or time.monotonic() - self._saved > self._seconds:
            run.save()
            self._write_history()
            self._saved = time.monotonic()

    def _write_history(self) -> None:
        path, content = self._run.run_dir / record.HISTORY, pd.DataFrame(self._run.history).to_csv(index=False)
        if self._run.history and not (path.exists() and path.read_bytes() == content.encode()):
            write_atomically(path, content.encode())


def require_finite(run: Run) -> None:
    """Raise FloatingPointError if a cost was not finite; it names the step, and the checkpoint to go on from."""
    failed = int(run.step.failed_step.numpy())
    if failed < 0:
        return
    (epoch, batch), good = divmod(failed, run.steps_per_epoch), run.checkpoints.steps()
    raise FloatingPointError(
        f"{run.run_dir}: the cost of step {failed + 1:,} (epoch {epoch + 1}, batch {batch + 1}) is not finite. "
        f"The same command trains again from "
        f"{f'the last good checkpoint (step {good[-1]:,})' if good else 'the beginning, since there is no checkpoint'}."
    )


@contextlib.contextmanager
def signals_held_back() -> Iterator[list[signal.Signals]]:
    """In this context, signals that would end the process are only added to the list that it yields.

    A second signal acts at once, and one that is ignored stays ignored (as under nohup). Outside the main thread the
    list stays empty, since Python handles no signals there.
    """
    noted: list[signal.Signals] = []
    earlier: dict[signal.Signals, Any] = {}

    def note(number: int, _frame: object) -> None:
        noted.append(signal.Signals(number))
        for other, handler in earlier.items():
            signal.signal(other, handler)

    if threading.current_thread() is threading.main_thread():
        taken = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
        earlier |= {number: signal.signal(number, note) for number in taken}
    try:
        yield noted
    finally:
        for other, handler in earlier.items():
            signal.signal(other, handler)
