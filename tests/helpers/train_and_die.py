"""A process that trains the tiny run and is ended by a signal, or trains it to the end.

    train_and_die.py RUN_DIR SIGNAL WHEN STEP [WORKERS]
    train_and_die.py FOLDER twice               # on one device and on two, in FOLDER/1 and FOLDER/2
    train_and_die.py RUN_DIR host NUMBER EPOCHS [KILL…]

WHEN is `after`, the end of the step, or `saving`, the moment at which a file of its checkpoint appears. With a STEP
beyond the last it trains to the end. A checkpoint is written after every second step, so that most are inside an epoch.
Several WORKERS train in half precision. `twice` freezes batch normalisation, so that both runs compute the same, and
learns slowly, so that rounding grows little. A `host` is one of two; number 0 is the chief. It obeys each KILL, written
EPOCH:PROCESS, at the end of the epoch; PROCESS is `chief`, or `ps` or `worker`, which are the second host's.
"""

import dataclasses
import json
import os
import pathlib
import signal
import sys
import threading
import time

import psutil
import tiny

from autoaug import training
from autoaug.models import layers
from autoaug.training import loop, mirrored, servers
from autoaug.training.step import TrainingStep

HOSTS = ["127.0.0.1", "127.0.0.2"]


def twice():
    """Train on one device, and on two."""
    mirrored.prepare_devices(2)  # before the first training starts TensorFlow
    normalise = layers.FusedBatchNorm.call
    layers.FusedBatchNorm.call = lambda self, x, training=False: normalise(self, x, training=False)
    for workers in (1, 2):
        recipe = dataclasses.replace(tiny.recipe(), epochs=5, learning_rate=0.01)
        training.train(recipe, tiny.dataset(), run_dir / str(workers), seed=6, workers=workers)


def kill(role):
    """Kill the process that has the role's port, which is looked for again until there is one."""
    port = int(servers.addresses(HOSTS)[role][-1].rpartition(":")[2])
    while True:
        for connection in psutil.net_connections("tcp"):
            if connection.status == "LISTEN" and connection.laddr.port == port and connection.pid:
                print(f"killing {role}", flush=True)
                os.kill(connection.pid, signal.SIGKILL)
                return
        time.sleep(0.1)


def host(number, epochs, *kills):
    """Be a host until the job ends."""
    os.environ |= {"SM_HOSTS": json.dumps(HOSTS), "SM_CURRENT_HOST": HOSTS[int(number)]}
    if number != "0":
        sys.exit(servers.main())
    due = dict(each.split(":") for each in kills)

    def end_and_obey(run, end_epoch=loop.end_epoch):
        end_epoch(run)
        print(f"epoch {len(run.history)}", flush=True)
        if role := due.pop(str(len(run.history)), None):
            kill(role)

    loop.end_epoch = end_and_obey
    recipe = dataclasses.replace(tiny.recipe(), epochs=int(epochs))
    training.train(recipe, tiny.dataset(), run_dir, seed=3, workers=2)


def kill_while_saving(number, step):
    """Watch for the checkpoint's first file."""
    while not [*(run_dir / "checkpoints").glob(f"step-{step:09d}*")]:
        pass
    os.kill(os.getpid(), number)


def one(number, when, last_step, workers=1):
    """Train, and end when the last step is done, or, where that is wished, once its checkpoint is being written."""
    compute, save = TrainingStep.__call__, loop.Checkpoints.save

    def compute_and_die(self, images, labels, learning_rate, step):
        compute(self, images, labels, learning_rate, step)
        if step + 1 == last_step:
            if when == "after":
                os.kill(os.getpid(), number)
            threading.Thread(target=kill_while_saving, args=(number, last_step), daemon=True).start()

    TrainingStep.__call__ = compute_and_die
    loop.Checkpoints.save = lambda self, step: None if step % 2 else save(self, step)
    dataset, recipe = tiny.dataset(), tiny.recipe()
    if workers > 1:
        dataset, recipe = tiny.dataset(32), tiny.recipe_of_half_precision()
    training.train(recipe, dataset, run_dir, seed=3, workers=workers, checkpoint_minutes=1e-9)


if __name__ == "__main__":
    run_dir, mode, *rest = pathlib.Path(sys.argv[1]), *sys.argv[2:]
    if mode == "twice":
        twice()
    elif mode == "host":
        host(*rest)
    else:
        one(signal.Signals[mode], rest[0], *map(int, rest[1:]))
