"""A process that trains the tiny run on one and on two devices, in FOLDER/1 and FOLDER/2: `train_mirrored.py FOLDER`.

Batch normalisation is frozen, so both runs compute the same. The learning rate is low, so that rounding grows little.
"""

import dataclasses
import pathlib
import sys

import tiny

from autoaug import training
from autoaug.models import layers
from autoaug.training import mirrored

if __name__ == "__main__":
    folder, dataset = pathlib.Path(sys.argv[1]), tiny.dataset()
    recipe = dataclasses.replace(tiny.recipe(), epochs=5, learning_rate=0.01)
    mirrored.prepare_devices(2)  # before the first training starts TensorFlow
    normalise = layers.FusedBatchNorm.call
    layers.FusedBatchNorm.call = lambda self, x, training=False: normalise(self, x, training=False)
    for workers in (1, 2):
        training.train(recipe, dataset, folder / str(workers), seed=6, workers=workers)
