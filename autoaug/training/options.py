"""The options of a run, in one object."""

import dataclasses
import pathlib

from autoaug import recipes


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a recipe is trained on a data set.

    Args:
        run_dir: the run's folder.
        seed: of initial weights, order, augmentation, noise and the validation images; one of `recipes.SEEDS`.
        checkpoint_epochs: number of epochs from one checkpoint to the next, at least 1; the last epoch always has one.
        checkpoint_minutes: a checkpoint is also written when the last one is so many minutes old; above 0.
        evaluate_every: number of epochs from one evaluation of the test sets to the next; 0: never; −1: as often as
            adds about 5 % to the computation (`evaluation.affordable_interval`).
        workers: number of workers.
        update: how several workers update the model, one of `recipes.UPDATES`.
        open_ports: whether workers on this machine may train without a private network; then others on the machine and
            in its network can read and write files as the user who trains.

    Raises:
        ValueError: an option is out of range.
    """

    run_dir: pathlib.Path
    seed: int = 0
    checkpoint_epochs: int = 1
    checkpoint_minutes: float = 10.0
    evaluate_every: int = -1
    workers: int = 1
    update: str = "async"
    open_ports: bool = False

    def __post_init__(self) -> None:
        recipes.check_seed(self.seed)
        if self.checkpoint_epochs < 1 or not self.checkpoint_minutes > 0:
            raise ValueError(
                "Expected checkpoint_epochs of at least 1 and checkpoint_minutes above 0. Received: "
                f"checkpoint_epochs={self.checkpoint_epochs}, checkpoint_minutes={self.checkpoint_minutes}"
            )
        if self.evaluate_every < -1:
            raise ValueError(f"Expected evaluate_every of at least -1. Received: evaluate_every={self.evaluate_every}")
