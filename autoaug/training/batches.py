"""Training batches, prepared in background threads before the step that needs them."""

import collections
import concurrent.futures
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float32, Int, Int64, Shaped, UInt8

from autoaug import augment
from autoaug.augment.policies import POLICIES
from autoaug.datasets import Dataset
from autoaug.recipes import Recipe

_AHEAD = 4  # batches in memory beyond the one being trained on
_SPLIT_EPOCH = 2**64 - 1  # the random stream that chooses the validation images; no run reaches this epoch


def split(
    dataset: Dataset, recipe: Recipe, seed: int
) -> tuple[Int64[np.ndarray, " trained_on"], Int64[np.ndarray, " held_out"]]:
    """Indices of the images to train on, and of the `validation_size` images to validate on, each in order."""
    shuffled = augment.epoch_generator(seed, _SPLIT_EPOCH).permutation(len(dataset.train_labels))
    return np.sort(shuffled[recipe.validation_size :]), np.sort(shuffled[: recipe.validation_size])


def load_kernel() -> None:
    """Load the augmentation's kernel. The first time on a machine, this compiles it, which takes some seconds."""
    no_images, no_plan = np.zeros((0, 32, 32, 3), np.uint8), augment.sample_plan(augment.epoch_generator(0, 0), 0)
    augment.augment_batch(no_images, no_plan, mean=np.zeros(3), std=np.ones(3))


class Batches:
    """One epoch's batches. (seed, epoch) determines their order and augmentation.

    Iteration yields (images, labels). The training set, without the validation images, is shuffled in each epoch, and
    the last incomplete batch is dropped. Close the iterator, or exhaust it, to end its threads.

    Args:
        dataset: the data set; its training part is used.
        recipe: for batch_size, augmentation and validation_size.
        seed: of all random choices of the run.
        epoch: counted from 0.
        start: the first batch to yield, counted from 0; earlier batches are not prepared.
        share: (i, n): yield the i-th of n equal parts of every batch.
        threads: number of threads; each augments a batch at a time.

    Attributes:
        wait_seconds: time for which the consumer has waited for input so far.
    """

    def __init__(
        self,
        dataset: Dataset,
        recipe: Recipe,
        seed: int,
        epoch: int,
        start: int = 0,
        share: tuple[int, int] = (0, 1),
        threads: int = 2,
    ) -> None:
        self._dataset, self._batch_size, self._epoch, self._threads = dataset, recipe.batch_size, epoch, threads
        self._start, self._share = start, share
        rng, (trained_on, _) = augment.epoch_generator(seed, epoch), split(dataset, recipe, seed)
        self._order = rng.permutation(trained_on)
        self._plan = augment.sample_plan(rng, len(trained_on), policy=POLICIES[recipe.augmentation])
        self.wait_seconds = 0.0

    def __len__(self) -> int:
        return len(self._order) // self._batch_size - self._start

    def __iter__(self) -> Iterator[tuple[Float32[np.ndarray, "batch 32 32 3"], Int64[np.ndarray, " batch"]]]:
        pending: collections.deque[concurrent.futures.Future] = collections.deque()
        with concurrent.futures.ThreadPoolExecutor(self._threads, thread_name_prefix="augment") as pool:
            try:
                for index in range(self._start, self._start + len(self)):
                    while len(pending) < _AHEAD and index + len(pending) < self._start + len(self):
                        pending.append(pool.submit(self._prepare, index + len(pending)))
                    started = time.perf_counter()
                    batch = pending.popleft().result()
                    self.wait_seconds += time.perf_counter() - started
                    yield batch
            finally:
                pool.shutdown(cancel_futures=True)

    def _prepare(self, index: int) -> tuple[Float32[np.ndarray, "part 32 32 3"], Int64[np.ndarray, " part"]]:
        (number, parts), first = self._share, index * self._batch_size
        part = slice(first + number * self._batch_size // parts, first + (number + 1) * self._batch_size // parts)
        chosen = self._order[part]
        images, plan = self._dataset.train_images[chosen], self._plan[part]
        try:
            return self._augment(images, plan), self._dataset.train_labels[chosen]
        except Exception as error:
            error.add_note(f"while augmenting training image {self._first_failing(images, plan, chosen)}, "
                           f"epoch {self._epoch}, batch {index}")  # fmt: skip
            raise

    def _augment(
        self, images: UInt8[np.ndarray, "n 32 32 3"], plan: Shaped[np.ndarray, " n"]
    ) -> Float32[np.ndarray, "n 32 32 3"]:
        return augment.augment_batch(images, plan, self._dataset.mean, self._dataset.std)

    def _first_failing(
        self, images: UInt8[np.ndarray, "n 32 32 3"], plan: Shaped[np.ndarray, " n"], chosen: Int[np.ndarray, " n"]
    ) -> Any:
        """Index in the training set of the first image that fails by itself; the batch's first image if none does."""
        for i in range(len(images)):
            try:
                self._augment(images[i : i + 1], plan[i : i + 1])
            except Exception:
                return chosen[i]
        return chosen[0]
