"""Training batches, prepared in background threads before the step that needs them."""

import collections
import concurrent.futures
from collections.abc import Generator

import numpy as np
from jaxtyping import Float32, Int64

from autoaug import augment
from autoaug.augment.policies import POLICIES
from autoaug.datasets import Dataset
from autoaug.recipes import Recipe

_AHEAD = 4  # batches in memory beyond the one being trained on
_THREADS = 2  # each augments a batch at a time
_SPLIT_EPOCH = 2**64 - 1  # the random stream that chooses the validation images; no run reaches this epoch


def split(
    dataset: Dataset, recipe: Recipe, seed: int
) -> tuple[Int64[np.ndarray, " trained_on"], Int64[np.ndarray, " held_out"]]:
    """Indices of the images to train on, and of the `validation_size` images to validate on, each in order."""
    shuffled = augment.epoch_generator(seed, _SPLIT_EPOCH).permutation(len(dataset.train_labels))
    return np.sort(shuffled[recipe.validation_size :]), np.sort(shuffled[: recipe.validation_size])


def of_epoch(
    dataset: Dataset, recipe: Recipe, seed: int, epoch: int, start: int = 0, stop: int | None = None
) -> Generator[tuple[Float32[np.ndarray, "batch 32 32 3"], Int64[np.ndarray, " batch"]], None, None]:
    """One epoch's batches: images and labels. (seed, epoch) determines their order and augmentation.

    The training set, without the validation images, is shuffled in each epoch, and the last incomplete batch is
    dropped. Close the iterator, or exhaust it, to end its threads.

    Epochs and batches are counted from 0. Batches before `start` are not prepared; `stop` is the batch to end before,
    None for the end of the epoch.
    """
    rng, (trained_on, _) = augment.epoch_generator(seed, epoch), split(dataset, recipe, seed)
    order = rng.permutation(trained_on)
    plan = augment.sample_plan(rng, len(trained_on), policy=POLICIES[recipe.augmentation])
    stop = len(trained_on) // recipe.batch_size if stop is None else stop

    def prepare(index):
        part = slice(index * recipe.batch_size, (index + 1) * recipe.batch_size)
        images, labels = dataset.train_images[order[part]], dataset.train_labels[order[part]]
        return augment.augment_batch(images, plan[part], dataset.mean, dataset.std), labels

    pending: collections.deque[concurrent.futures.Future] = collections.deque()
    with concurrent.futures.ThreadPoolExecutor(_THREADS, thread_name_prefix="augment") as pool:
        try:
            for index in range(start, stop):
                while len(pending) < _AHEAD and index + len(pending) < stop:
                    pending.append(pool.submit(prepare, index + len(pending)))
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
