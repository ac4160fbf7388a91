"""A process that trains the tiny run with two workers for many epochs: `train_cluster.py RUN_DIR`."""

import dataclasses
import pathlib
import sys

import tiny

from autoaug import training

if __name__ == "__main__":
    recipe = dataclasses.replace(tiny.recipe(), epochs=1000)
    training.train(recipe, tiny.dataset(), pathlib.Path(sys.argv[1]), seed=3, workers=2)
