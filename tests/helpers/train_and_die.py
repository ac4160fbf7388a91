"""A process that trains the tiny run and is ended by a signal: `train_and_die.py RUN_DIR SIGNAL WHEN STEP [CHANGES]`.

WHEN is `after`, the end of the step, or `saving`, the moment at which a file of its checkpoint appears. With a STEP
beyond the last it trains to the end. A checkpoint is written after every second step, so that most are inside an epoch.
CHANGES of the recipe are JSON.
"""

import dataclasses
import json
import os
import pathlib
import signal
import sys
import threading

import tiny

from autoaug import datasets, evaluation, training
from autoaug.training import loop

run_dir, number, when, last_step = pathlib.Path(sys.argv[1]), signal.Signals[sys.argv[2]], sys.argv[3], int(sys.argv[4])


def kill_while_saving():
    """Watch for the checkpoint's first file."""
    while not [*(run_dir / "checkpoints").glob(f"step-{last_step:09d}*")]:
        pass
    os.kill(os.getpid(), number)


class MortalStep(loop.TrainingStep):
    """Ends the process when the step is done, or, where that is wished, once its checkpoint is being written."""

    def __call__(self, images, labels, learning_rate, step):
        measured = super().__call__(images, labels, learning_rate, step)
        if step + 1 == last_step:
            if when == "after":
                os.kill(os.getpid(), number)
            else:
                threading.Thread(target=kill_while_saving, daemon=True).start()
        return measured


class EverySecondStep(loop.RunCheckpoints):
    """Leaves out the checkpoints after odd steps."""

    def save(self, step):
        """Write it, if the step is even."""
        if step % 2 == 0:
            super().save(step)


if __name__ == "__main__":
    loop.TrainingStep, loop.RunCheckpoints = MortalStep, EverySecondStep
    dataset = tiny.dataset()
    recipe = dataclasses.replace(tiny.recipe(), **json.loads("".join(sys.argv[5:]) or "{}"))
    model = training.train(recipe, dataset, run_dir, seed=3, checkpoint_minutes=1e-9)
    test = datasets.LabelledImages("synthetic10", dataset.test_images, dataset.test_labels)
    evaluation.evaluate_run(model, dataset, run_dir, [test])
