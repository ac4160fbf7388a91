"""One run, from plan to checkpoint: `loop` has the loop, `step` what a step computes.

Several workers: synchronous ones of one host train in this process (`mirrored`), others in theirs (`cluster`).
"""

import os
import pathlib
from collections.abc import Callable, Sequence

import keras
import pandas as pd

from autoaug import devices, records
from autoaug.datasets import Dataset, LabelledImages
from autoaug.recipes import Recipe
from autoaug.training import loop
from autoaug.training.cluster import launcher
from autoaug.training.cluster.layout import from_environment
from autoaug.training.cluster.messages import ClusterError
from autoaug.training.mirrored import Mirrored
from autoaug.training.options import RunOptions


def train(
    recipe: Recipe,
    dataset: Dataset,
    run_dir: str | os.PathLike[str],
    seed: int = 0,
    checkpoint_epochs: int = 1,
    checkpoint_minutes: float = 10.0,
    on_epoch: Callable[[pd.DataFrame], object] | None = None,
    workers: int = 1,
    update: str = "async",
    test_sets: Sequence[LabelledImages] = (),
    evaluate_every: int = -1,
    open_ports: bool = False,
    device: str = "auto",
) -> keras.Model:
    """Train a model, or go on from the newest good checkpoint of the same run.

    Writes `record.json` (unfinished until the model is evaluated), `history.csv`, `tensorboard/` and `checkpoints/`
    into `run_dir`. Ctrl-C and SIGTERM let the step end, write a checkpoint, and then act.

    Args:
        recipe: what is trained.
        dataset: its training part is used.
        run_dir, seed, checkpoint_epochs, checkpoint_minutes, evaluate_every, open_ports: as for `options.RunOptions`.
        on_epoch: called with the history after every epoch.
        workers: how many train: here, or one on each of SageMaker's hosts.
        update: how several workers update the model, one of `recipes.UPDATES`.
        test_sets: evaluated after every `evaluate_every`-th epoch: the history gets a column `test_accuracy:<name>` for
            each, the fraction of its images that is right, leaving out those that are among the training images.
        device: as for `devices.select`.

    Returns:
        The model after the last epoch.

    Raises:
        ValueError: an argument is out of range; the training set is smaller than a batch for each worker; there is no
            device for each synchronous worker; the ports of asynchronous ones would be open, and `open_ports` does not
            allow it; or the published recipe would be trained on a CPU unasked.
        ClusterError: a worker did not come up, or one ended without which the others cannot go on.
        records.RecordError: the folder belongs to another run, or another process is training it.
        run_checkpoints.DamagedCheckpointError: there are checkpoints and none is whole.
        FloatingPointError: a cost was not finite; the last good checkpoint stays.
        OSError: a file cannot be written, such as on a full disk; going on works once there is space.
    """
    devices.select(device, recipe.preset)
    options = RunOptions(
        run_dir=pathlib.Path(run_dir),
        seed=seed,
        checkpoint_epochs=checkpoint_epochs,
        checkpoint_minutes=checkpoint_minutes,
        evaluate_every=evaluate_every,
        workers=workers,
        update=update,
        open_ports=open_ports,
    )
    launcher.check(recipe, len(dataset.train_labels) - recipe.validation_size, workers, update)
    if workers == 1:
        return loop.train_here(recipe, dataset, options, test_sets, on_epoch)
    if update == "sync" and len(from_environment()[0]) == 1:
        return loop.train_here(recipe, dataset, options, test_sets, on_epoch, Mirrored(workers))
    launcher.train(recipe, dataset, options, test_sets, on_epoch)
    with records.lock(run_dir):
        run = loop.Run(recipe, dataset, options)
    if run.done < run.total:
        raise ClusterError(f"{run_dir}: the last checkpoint is damaged. The same command trains it again.")
    return run.model
