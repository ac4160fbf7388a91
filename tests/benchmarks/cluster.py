"""The quick recipe on one device against two and four workers on the same cores: what it costs to have several.

Four processes on two cores stand for four hosts: without a cost of their own, they would make as many images a second.

python tests/benchmarks/cluster.py                         # six to eight minutes on two slow cores
"""

import contextlib
import dataclasses
import io
import pathlib
import tempfile
import time

import measuring
import numpy as np
import pandas as pd

from autoaug import datasets, recipes, training
from autoaug.training import mirrored
from data_prep import synthetic

ROUNDS = 3
EPOCHS = 4  # the first compiles and is left out
CONTENDERS = {
    "one device": {},
    "two processes, async": {"workers": 2, "update": "async"},
    "four processes, async": {"workers": 4, "update": "async"},
    "two devices, sync": {"workers": 2, "update": "sync"},
}


def measure(dataset, folder, arguments):
    """Images a second of the epochs after the first, and seconds that are of no epoch: start-up and end."""
    recipe = dataclasses.replace(recipes.get("wrn"), epochs=EPOCHS)
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):  # its progress
        training.train(recipe, dataset, folder, **arguments)
    taken = time.perf_counter() - started
    history = pd.read_csv(folder / "history.csv")
    images = recipe.batch_size * (len(dataset.train_labels) // recipe.batch_size) * (EPOCHS - 1)
    return images / history.seconds[1:].sum(), taken - history.seconds.sum()


def main():
    """A row for each contender: images a second, the same relative to one device, seconds outside the epochs."""
    mirrored.prepare_devices(2)  # before the first training starts TensorFlow
    sheet, (speeds, outside) = measuring.Sheet("cluster"), np.empty((2, ROUNDS, len(CONTENDERS)))
    with tempfile.TemporaryDirectory() as folder:
        synthetic.build(folder)
        dataset = datasets.load("synthetic10", folder)
        for turn, place in np.ndindex(ROUNDS, len(CONTENDERS)):
            run_dir = pathlib.Path(folder) / f"{turn}-{place}"
            speeds[turn, place], outside[turn, place] = measure(dataset, run_dir, [*CONTENDERS.values()][place])
    for place, name in enumerate(CONTENDERS):
        sheet.row(
            f"quick Wide-ResNet, {name}",
            images_per_second=measuring.Spread.of(speeds[:, place]),
            of_one_device=measuring.Spread.of(speeds[:, place] / speeds[:, 0]),
            seconds_outside_epochs=measuring.Spread.of(outside[:, place]),
        )
    sheet.write()


if __name__ == "__main__":
    main()
