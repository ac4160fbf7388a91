"""A process that trains the tiny run and is ended by a signal, or trains it to the end on several devices.

    train_and_die.py RUN_DIR SIGNAL WHEN STEP [WORKERS]
    train_and_die.py FOLDER twice               # on one device and on two, in FOLDER/1 and FOLDER/2

WHEN is `after`, the end of the step, or `saving`, the moment at which a file of its checkpoint appears. With a STEP
beyond the last it trains to the end. A checkpoint is written after every second step, so that most are inside an epoch.
Several WORKERS train in half precision. `twice` freezes batch normalisation, so that both runs compute the same, and
learns slowly, so that rounding grows little.
"""

import dataclasses
import os
import pathlib
import signal
import sys
import threading

import tiny

from autoaug import training
from autoaug.models import layers
from autoaug.training import loop, mirrored
from autoaug.training.step import TrainingStep


def twice(folder):
    """Train on one device, and on two."""
    mirrored.prepare_devices(2)  # before the first training starts TensorFlow
    normalise = layers.FusedBatchNorm.call
    layers.FusedBatchNorm.call = lambda self, x, training=False: normalise(self, x, training=False)
    for workers in (1, 2):
        recipe = dataclasses.replace(tiny.recipe(), epochs=5, learning_rate=0.01)
        training.train(recipe, tiny.dataset(), folder / str(workers), seed=6, workers=workers)


def kill_while_saving():
    """Watch for the checkpoint's first file."""
    while not [*(run_dir / "checkpoints").glob(f"step-{last_step:09d}*")]:
        pass
    os.kill(os.getpid(), number)


def compute_and_die(self, images, labels, learning_rate, step, compute=TrainingStep.__call__):
    """End the process when the step is done, or, where that is wished, once its checkpoint is being written."""
    measured = compute(self, images, labels, learning_rate, step)
    if step + 1 == last_step:
        if when == "after":
            os.kill(os.getpid(), number)
        threading.Thread(target=kill_while_saving, daemon=True).start()
    return measured


class EverySecondStep(loop.Checkpoints):
    """Leaves out the checkpoints after odd steps."""

    def save(self, step):
        """Write it, if the step is even."""
        if step % 2 == 0:
            super().save(step)


if __name__ == "__main__":
    run_dir, name, *rest = pathlib.Path(sys.argv[1]), *sys.argv[2:]
    if name == "twice":
        twice(run_dir)
        sys.exit()
    number, when, last_step = signal.Signals[name], rest[0], int(rest[1])
    TrainingStep.__call__, loop.Checkpoints = compute_and_die, EverySecondStep
    dataset, recipe, workers = tiny.dataset(), tiny.recipe(), int([*rest, 1][2])
    if workers > 1:
        dataset, recipe = tiny.dataset(32), tiny.recipe_of_half_precision()
    training.train(recipe, dataset, run_dir, seed=3, workers=workers, checkpoint_minutes=1e-9)
