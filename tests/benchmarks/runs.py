"""What a run takes beside its steps: memory, start-up, checkpoints; and that random kills change nothing.

python tests/benchmarks/runs.py                            # about ten minutes on two slow cores
python tests/benchmarks/runs.py memory                     # one part only; the others: saving startup kills
"""

import dataclasses
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time
from unittest import mock

import measuring
import nbformat
import numpy as np
import pandas as pd
import papermill
import tiny

from autoaug import models, recipes, training
from autoaug.training import checkpoints as run_checkpoints
from autoaug.training.step import MEASURES, TrainingStep
from data_prep import synthetic

HERE = pathlib.Path(__file__).resolve().parent
ROUNDS = 3  # of the start-up


class Enough(Exception):
    """Ends a run whose memory has been seen."""


def train_on(train_size):
    """Peak megabytes after two steps of the Wide-ResNet of width 16 on as many random images."""
    dataset = tiny.dataset()
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (train_size, 32, 32, 3), np.uint8)
    dataset = dataclasses.replace(dataset, train_images=images, train_labels=rng.integers(0, 10, train_size))
    recipe = dataclasses.replace(recipes.get("wrn"), epochs=1, batch_size=128, size={"widen_factor": 1})
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(TrainingStep, "__call__", two_steps()):
        try:
            training.train(recipe, dataset, folder)
        except Enough:
            kilobytes = re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path("/proc/self/status").read_text())[1]
            print(f"peak {int(kilobytes) / 1024:.0f}")


def two_steps():
    """A step that is done twice and then ends the run."""
    step, left = TrainingStep.__call__, [2]

    def call(self, *arguments):
        if not left[0]:
            raise Enough
        left[0] -= 1
        return step(self, *arguments)

    return call


def memory():
    """Peak memory of a training process, with 512 images and with 50,000."""
    peaks = []
    for size in (512, 50_000):
        command = [sys.executable, __file__, "train_on", str(size)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        peaks.append(float(output.split("peak ")[1]))
    SHEET.row("peak memory of training width 16, MB", images_512=peaks[0], images_50000=peaks[1])


STARTUP = """
import time
clock = [time.perf_counter()]
from autoaug import models, training
from autoaug.training.step import TrainingStep
clock.append(time.perf_counter())
import numpy as np
from autoaug import recipes
recipe = recipes.get("wrn")
model = models.build_model("wrn", **recipe.size)
clock.append(time.perf_counter())
step = TrainingStep(model, recipe)
for _ in range(2):
    step(np.zeros((128, 32, 32, 3), np.float32), np.zeros(128, int), 0.0, 0).numpy()
    clock.append(time.perf_counter())
print(*np.diff(clock).round(2))
"""


def startup():
    """Seconds until the quick run's first step, by part, and of its notebook with one epoch, cell by cell."""
    command = [sys.executable, "-c", STARTUP]
    outputs = [subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(ROUNDS)]
    parts = np.array([output.split() for output in outputs], float).T
    names = ("imports_s", "building_s", "first_step_s", "second_step_s")
    SHEET.row("quick run", **dict(zip(names, map(measuring.Spread.of, parts), strict=True)))
    with tempfile.TemporaryDirectory() as folder:
        synthetic.build(f"{folder}/data")
        rounds = [cell_seconds(pathlib.Path(folder), f"results-{number}") for number in range(ROUNDS)]
    for name in rounds[0]:
        SHEET.row(f"train.ipynb: {name}"[:70], seconds=measuring.Spread.of([taken[name] for taken in rounds]))


def cell_seconds(folder, results):
    """Seconds of the training notebook, by the last line of each cell."""
    notebook, out = HERE.parents[1] / "notebooks" / "train.ipynb", folder / "out.ipynb"
    parameters = {"epochs": 1, "data_dir": f"{folder}/data", "results_dir": f"{folder}/{results}"}
    started = pd.Timestamp.now(tz="UTC")
    papermill.execute_notebook(notebook, out, parameters, cwd=HERE.parents[1], progress_bar=False)
    ended, taken = pd.Timestamp.now(tz="UTC"), {}
    for cell in nbformat.read(out, as_version=4).cells:
        if cell.cell_type == "code" and not cell.metadata.tags:  # without the parameters
            begun, done = (pd.Timestamp(cell.metadata.papermill[key], tz="UTC") for key in ("start_time", "end_time"))
            taken.setdefault("the kernel's start", (begun - started).total_seconds())
            taken[cell.source.strip().splitlines()[-1]] = (done - begun).total_seconds()
    return taken | {"all": (ended - started).total_seconds()}


def saving():
    """Seconds to write a checkpoint of the full Wide-ResNet, momentum included."""
    recipe = recipes.get("wrn", "paper")
    model = models.build_model("wrn")
    state = TrainingStep(model, recipe).state
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = run_checkpoints.Checkpoints(folder, model=model, **state)
        seconds = []
        for step in range(1, 4):
            started = time.perf_counter()
            checkpoints.save(step)
            seconds.append(time.perf_counter() - started)
        size = sum(path.stat().st_size for path in pathlib.Path(folder).glob("step-000000003*")) / 1e6
    SHEET.row("checkpoint of the full Wide-ResNet", megabytes=size, seconds=measuring.Spread.of(seconds))


def kills():
    """Kills at random moments, then the comparison with the run that was let be: of a small network and a deep one."""
    _kill(20, {})
    _kill(5, {"size": {"depth": 28, "widen_factor": 1}, "batch_size": 128, "epochs": 40})


def _kill(times, changes):
    script, rng = HERE.parent / "helpers" / "train_and_die.py", random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = pathlib.Path(folder) / "whole", pathlib.Path(folder) / "killed"
        commands = [[sys.executable, str(script), str(run), "SIGKILL", "after", "99", json.dumps(changes)]
                    for run in (whole, killed)]  # fmt: skip
        started = time.perf_counter()
        subprocess.run(commands[0], check=True, capture_output=True)
        length = time.perf_counter() - started
        for _ in range(times):
            process = subprocess.Popen(commands[1], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(length * rng.uniform(0.5, 1.0))  # the first half is start-up
            process.kill()
            process.wait()
        subprocess.run(commands[1], check=True, capture_output=True)
        answers = [np.load(run / "predictions" / "synthetic10.npz")["answers"] for run in (whole, killed)]
        columns = ["epoch", "learning_rate", *MEASURES]
        histories = [pd.read_csv(run / "history.csv")[columns] for run in (whole, killed)]
        same = {"same_answers": np.array_equal(*answers), "same_history": histories[0].equals(histories[1])}
        SHEET.row(f"{times} kills of {'a deep' if changes else 'the tiny'} run", **same)


PARTS = {part.__name__: part for part in (memory, saving, startup, kills)}

if __name__ == "__main__":
    if sys.argv[1:2] == ["train_on"]:
        train_on(int(sys.argv[2]))
    else:
        SHEET = measuring.Sheet("runs")
        for part in sys.argv[1:] or PARTS:
            PARTS[part]()
        SHEET.write()
