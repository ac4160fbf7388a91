"""The training step's speed beside plain Keras and PyTorch, its memory, the start-up, and random kills.

python tests/benchmarks/training.py                        # half an hour on two slow cores
python tests/benchmarks/training.py widths memory          # some parts only; the others: families saving startup kills
"""

import dataclasses
import functools
import importlib.util
import json
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from unittest import mock

import keras
import nbformat
import numpy as np
import pandas as pd
import papermill
import tensorflow as tf
import tiny

from autoaug import models, recipes, training
from autoaug.models import layers
from autoaug.training import run_checkpoints
from autoaug.training.step import MEASURES, TrainingStep

HERE = pathlib.Path(__file__).resolve().parent
ROUNDS = 5  # of each contender, taking turns; the median counts
ROUND_SECONDS = 3.0
ALONE_SECONDS = 30.0  # of a contender that is measured in a process of its own


def batch(size):
    """Random images and labels."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((size, 32, 32, 3), np.float32), rng.integers(0, 10, size)


def our_step(recipe):
    """A function that trains one step of the recipe."""
    images, labels = batch(recipe.batch_size)
    step = TrainingStep(models.build_model(recipe.model, **recipe.size), recipe)
    return lambda: step(images, labels, 0.1, 0).numpy()


def keras_step(recipe):
    """The same with Keras' own batch normalisation and optimizer, trained as in Keras' guides.

    Shake-Shake and ShakeDrop have no layer in Keras: theirs stay.
    """
    images, labels = batch(recipe.batch_size)
    plain = functools.partial(keras.layers.BatchNormalization, momentum=0.9, epsilon=1e-5)
    with mock.patch.object(layers, "FusedBatchNorm", plain):
        model = models.build_model(recipe.model, **recipe.size)
    optimizer = keras.optimizers.SGD(0.1, 0.9, nesterov=True, weight_decay=recipe.weight_decay, global_clipnorm=5.0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            cost = loss(labels, model(images, training=True, noise_key=tf.constant([0, 0])))
        optimizer.apply(tape.gradient(cost, model.trainable_weights), model.trainable_weights)
        return cost

    return lambda: step().numpy()


def torch_step(recipe):
    """The same in PyTorch."""
    import torch_models  # needs torch

    step = torch_models.training_step
    return step(recipe.model, recipe.size, recipe.weight_decay, *batch(recipe.batch_size))


CONTENDERS = {"ours": our_step, "plain Keras": keras_step}
if importlib.util.find_spec("torch"):
    CONTENDERS["PyTorch"] = torch_step


def side_by_side(recipe):
    """Seconds per step of each contender: the median of rounds taken in turns."""
    steps = [make(recipe) for make in CONTENDERS.values()]
    for step in steps:
        step()  # compiles
    measured = [[] for _ in steps]
    for _ in range(ROUNDS):
        for step, times in zip(steps, measured, strict=True):
            count, started = 0, time.perf_counter()
            while (passed := time.perf_counter() - started) < ROUND_SECONDS:
                step()
                count += 1
            times.append(passed / count)
    return [statistics.median(times) for times in measured]


def one_by_one(recipe):
    """Seconds per step of each contender, in a process of its own: the largest models leave no room for another."""
    command = [sys.executable, __file__, "seconds_alone", json.dumps(dataclasses.asdict(recipe))]
    outputs = [subprocess.run([*command, name], check=True, capture_output=True, text=True) for name in CONTENDERS]
    return [float(output.stdout.split("seconds ")[1]) for output in outputs]


def seconds_alone(recipe, name):
    """Print the median seconds of a contender's steps after the first."""
    step, times = CONTENDERS[name](recipes.Recipe(**json.loads(recipe))), []
    step()
    while sum(times) < ALONE_SECONDS:
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    print("seconds", statistics.median(times))


def compare(name, recipe, measure):
    """Print images a second of a recipe's step, ours and others'."""
    seconds = measure(recipe)
    print(name.ljust(40), *(f"{recipe.batch_size / value:12.1f}" for value in seconds), flush=True)


def print_contenders():
    """Print the head of a table, and who is missing."""
    if "PyTorch" not in CONTENDERS:
        print("PyTorch is left out: it is not installed.")
    print("training step, images/s".ljust(40), *(f"{name:>12}" for name in CONTENDERS))


def widths():
    """The Wide-ResNet-28 at three widths."""
    print_contenders()
    for width, measure in ((16, side_by_side), (32, side_by_side), (160, one_by_one)):
        recipe = dataclasses.replace(recipes.get("wrn", "paper"), size={"widen_factor": width // 16})
        compare(f"Wide-ResNet-28, width {width}", recipe, measure)


def families():
    """The other four models, quick and full."""
    print_contenders()
    for preset, measure in (("quick", side_by_side), ("paper", one_by_one)):
        for name in list(models.MODELS)[1:]:
            compare(f"{name}, {preset}", recipes.get(name, preset), measure)


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
    print(f"peak memory of training width 16: {peaks[0]:.0f} MB with 512 images, {peaks[1]:.0f} MB with 50,000")


STARTUP = """
import time
clock = [time.perf_counter()]
from autoaug import models, training
clock.append(time.perf_counter())
import numpy as np
from autoaug import recipes
recipe = recipes.get("wrn")
model = models.build_model("wrn", **recipe.size)
clock.append(time.perf_counter())
step = TrainingStep(model, recipe)
for _ in range(2):
    step(np.zeros((128, 32, 32, 3), np.float32), np.zeros(128, int), np.float32(0), np.zeros(2, np.int32)).numpy()
    clock.append(time.perf_counter())
print(*np.diff(clock).round(2))
"""


def startup():
    """Seconds until the quick run's first step, by part, and of its notebook, cell by cell, with one epoch."""
    output = subprocess.run([sys.executable, "-c", STARTUP], check=True, capture_output=True, text=True).stdout
    print("quick run, s: imports, building, first step, second step:", *output.split())
    notebook = HERE.parents[1] / "notebooks" / "train.ipynb"
    with tempfile.TemporaryDirectory() as folder:
        for which in ("first", "second"):
            out = pathlib.Path(folder) / "out.ipynb"
            parameters = {"epochs": 1, "data_dir": f"{folder}/data", "results_dir": f"{folder}/{which}"}
            started = pd.Timestamp.now(tz="UTC")
            papermill.execute_notebook(notebook, out, parameters, cwd=notebook.parents[1], progress_bar=False)
            print(f"train.ipynb, one epoch, {which} run (the data are built in the first), s: begun, taken")
            for cell in nbformat.read(out, as_version=4).cells:
                if cell.cell_type == "code":
                    times = (cell.metadata.papermill[key] for key in ("start_time", "end_time"))
                    begun, ended = ((pd.Timestamp(time, tz="UTC") - started).total_seconds() for time in times)
                    print(f"  {begun:6.1f}  {ended - begun:6.1f}  {cell.source.strip().splitlines()[-1][:60]}")


def saving():
    """Seconds to write a checkpoint of the full Wide-ResNet, momentum included."""
    recipe = recipes.get("wrn", "paper")
    model = models.build_model("wrn")
    state = TrainingStep(model, recipe).state
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = run_checkpoints.RunCheckpoints(folder, 390, model=model, **state)
        seconds = []
        for step in range(1, 4):
            started = time.perf_counter()
            checkpoints.save(step)
            seconds.append(time.perf_counter() - started)
        size = sum(path.stat().st_size for path in pathlib.Path(folder).glob("step-000000003*")) / 1e6
    print(f"checkpoint of the full Wide-ResNet, {size:.0f} MB: {statistics.median(seconds):.2f} s")


def kills():
    """Kills at random moments, and compares with a run without interruptions: a small network and a deep one."""
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
        logits = [np.load(run / "predictions" / "synthetic10.npz")["logits"] for run in (whole, killed)]
        columns = ["epoch", "learning_rate", *MEASURES]
        histories = [pd.read_csv(run / "history.csv")[columns] for run in (whole, killed)]
        print(f"{times} kills, {changes or 'the tiny run'}: same logits: {np.array_equal(*logits)}; "
              f"same history: {histories[0].equals(histories[1])}")  # fmt: skip


PARTS = {part.__name__: part for part in (widths, families, memory, saving, startup, kills)}

if __name__ == "__main__":
    if sys.argv[1:2] == ["train_on"]:
        train_on(int(sys.argv[2]))
    elif sys.argv[1:2] == ["seconds_alone"]:
        seconds_alone(*sys.argv[2:])
    else:
        for part in sys.argv[1:] or PARTS:
            PARTS[part]()
