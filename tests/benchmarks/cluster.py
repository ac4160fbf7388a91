"""The quick recipe on one device against two and four workers on the same cores: what it costs to have several.

Four processes on two cores stand for four hosts: without a cost of their own, they would make as many images a second.

python tests/benchmarks/cluster.py                         # three to four minutes on two slow cores
"""

import contextlib
import dataclasses
import io
import pathlib
import tempfile
import time

import pandas as pd

from autoaug import datasets, recipes, training
from autoaug.training import mirrored
from data_prep import synthetic

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
    """Print a table: images a second, that of one device as 1, seconds outside the epochs."""
    mirrored.prepare_devices(2)  # before the first training starts TensorFlow
    with tempfile.TemporaryDirectory() as folder:
        synthetic.build(folder)
        dataset = datasets.load("synthetic10", folder)
        print("quick Wide-ResNet on synthetic10".ljust(34), f"{'images/s':>10}{'of one':>10}{'start-up, s':>14}")
        alone = None
        for number, (name, arguments) in enumerate(CONTENDERS.items()):
            rate, seconds = measure(dataset, pathlib.Path(folder) / str(number), arguments)
            alone = alone or rate
            print(name.ljust(34), f"{rate:10.0f}{rate / alone:10.2f}{seconds:14.1f}", flush=True)


if __name__ == "__main__":
    main()
