"""The batch and the learning rate of every step. Steps and epochs are counted from 0."""

import dataclasses
from collections.abc import Generator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int64

from autoaug import recipes
from autoaug.datasets import Dataset
from autoaug.training.batches import Batches


@dataclasses.dataclass(frozen=True)
class Schedule:
    """The steps of a run.

    Args:
        recipe: for epochs, batch_size and learning_rate.
        train_size: number of images trained on.
        turns: number of workers that take turns; so many successive updates are one step of the cosine. 1 if a single
            process or synchronous workers compute every update.
    """

    recipe: recipes.Recipe
    train_size: int
    turns: int = 1

    @property
    def steps_per_epoch(self) -> int:
        """Updates in an epoch."""
        return self.turns * self.recipe.steps_per_epoch(self.train_size, self.turns)

    @property
    def total(self) -> int:
        """Updates in the run."""
        return self.recipe.epochs * self.steps_per_epoch

    def learning_rate(self, step: int) -> float:
        """Of a step."""
        return recipes.learning_rate_at(
            self.recipe.learning_rate, step // self.turns + 1, self.total // self.turns
        )  # the formula counts from 1


class Step(NamedTuple):
    """A step's number in the run, its learning rate and its batch."""

    number: int
    learning_rate: float
    images: Float32[np.ndarray, "batch 32 32 3"]
    labels: Int64[np.ndarray, " batch"]


class Epoch:
    """The remaining steps of an epoch. Iterate only once; close the iterator, or exhaust it, to end its threads.

    Args:
        dataset: the data set; its training part is used.
        schedule: of the run.
        seed: of the run.
        done: number of steps of the run before these.
        share: (i, n): yield the i-th of n equal parts of every batch.
    """

    def __init__(
        self, dataset: Dataset, schedule: Schedule, seed: int, done: int, share: tuple[int, int] = (0, 1)
    ) -> None:
        self.number, first = divmod(done, schedule.steps_per_epoch)
        self._schedule, self._done = schedule, done
        self._batches = Batches(dataset, schedule.recipe, seed, self.number, first, share)

    @property
    def wait_seconds(self) -> float:
        """Time for which the consumer has waited for input so far."""
        return self._batches.wait_seconds

    def __iter__(self) -> Generator[Step, None, None]:
        numbers = range(self._done, (self.number + 1) * self._schedule.steps_per_epoch)
        for number, (images, labels) in zip(numbers, self._batches, strict=False):  # a worker's turn may lack a batch
            yield Step(number, self._schedule.learning_rate(number), images, labels)
