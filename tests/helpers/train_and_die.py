"""A process that trains the tiny run and is ended by a signal.

    train_and_die.py RUN_DIR SIGNAL WHEN STEP [WORKERS]

WHEN is `after`, the end of the step, or `saving`, the moment at which a file of its checkpoint appears. With a STEP
beyond the last it trains to the end. A checkpoint is written after every second step, so that most are inside an epoch.
Several WORKERS train in half precision.
"""

import os
import pathlib
import signal
import sys
import threading

import tiny

from autoaug import training
from autoaug.training import loop
from autoaug.training.step import TrainingStep

run_dir, number, when, last_step = pathlib.Path(sys.argv[1]), signal.Signals[sys.argv[2]], sys.argv[3], int(sys.argv[4])


def kill_while_saving():
    """Watch for the checkpoint's first file."""
    while not [*(run_dir / "checkpoints").glob(f"step-{last_step:09d}*")]:
        pass
    os.kill(os.getpid(), number)


compute = TrainingStep.__call__


def compute_and_die(self, images, labels, learning_rate, step):
    """End the process when the step is done, or, where that is wished, once its checkpoint is being written."""
    measured = compute(self, images, labels, learning_rate, step)
    if step + 1 == last_step:
        if when == "after":
            os.kill(os.getpid(), number)
        else:
            threading.Thread(target=kill_while_saving, daemon=True).start()
    return measured


class EverySecondStep(loop.Checkpoints):
    """Leaves out the checkpoints after odd steps."""

    def save(self, step):
        """Write it, if the step is even."""
        if step % 2 == 0:
            super().save(step)


if __name__ == "__main__":
    TrainingStep.__call__, loop.Checkpoints = compute_and_die, EverySecondStep
    dataset, recipe, several = tiny.dataset(), tiny.recipe(), {}
    if len(sys.argv) > 5:
        dataset, recipe = tiny.dataset(32), tiny.recipe_of_half_precision()
        several = {"workers": int(sys.argv[5])}
    training.train(recipe, dataset, run_dir, seed=3, checkpoint_minutes=1e-9, **several)
