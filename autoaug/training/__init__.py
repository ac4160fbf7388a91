"""One run, from plan to checkpoint. `loop` is the training loop; `step` computes a step.

Synchronous workers of one host train in this process (`mirrored`); other workers have their own processes (`cluster`).
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
    """Train a model, or continue the same run from its newest good checkpoint.

    Writes `record.json` (unfinished until the model is evaluated), `history.csv`, `tensorboard/` and `checkpoints/`
    into `run_dir`. After Ctrl-C or SIGTERM, the current step ends and a checkpoint is written; then the signal acts.

    Args:
        recipe: the recipe.
        dataset: the data set; its training part is used.
        run_dir, seed, checkpoint_epochs, checkpoint_minutes, evaluate_every, open_ports: as for `options.RunOptions`.
        on_epoch: called with the history after every epoch.
        workers: number of workers, on this machine or one on each host of a SageMaker job.
        update: how several workers update the model, one of `recipes.UPDATES`.
        test_sets: evaluated after every `evaluate_every`-th epoch. The history gets a column `test_accuracy:<name>` for
            each: the fraction of right answers, without images that are among the training images.
        device: as for `devices.select`.

    Returns:
        The model after the last epoch.

    Raises:
        ValueError: an argument is out of range; the training set is smaller than a batch for each worker; there are
            fewer devices than synchronous workers; the ports of asynchronous workers would be open, and `open_ports`
            does not allow it; or `devices.select` refuses a CPU.
        ClusterError: a worker did not start, or a process ended that the others need.
        records.RecordError: the folder belongs to another run, or another process is training it.
        run_checkpoints.DamagedCheckpointError: all checkpoints are damaged.
        FloatingPointError: a cost was not finite; the last good checkpoint remains.
        OSError: a file cannot be written, for example because the disk is full; the run can be continued later.
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
        raise ClusterError(f"{run_dir}: the last checkpoint is damaged. Give the same command again to train it again.")
    return run.model
