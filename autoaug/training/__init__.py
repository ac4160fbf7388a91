"""One run, from its recipe to a finished record. `loop` is the training loop; `step` computes a step.

Several workers train on the devices of this machine, in this process (`mirrored`), or on several hosts (`servers`).
"""

import contextlib
import os
import pathlib
from collections.abc import Callable, Sequence

import keras
import pandas as pd

from autoaug import devices, recipes
from autoaug.datasets import Dataset, LabelledImages
from autoaug.recipes import Recipe
from autoaug.runs import evaluation
from autoaug.training import loop
from autoaug.training.checkpoints import lock
from autoaug.training.step import Engine


def train(
    recipe: Recipe,
    dataset: Dataset,
    run_dir: str | os.PathLike[str],
    seed: int = 0,
    workers: int = 1,
    test_sets: Sequence[LabelledImages] | None = None,
    checkpoint_epochs: int = 1,
    checkpoint_minutes: float = 10.0,
    on_epoch: Callable[[pd.DataFrame], object] | None = None,
    device: str = "auto",
) -> keras.Model:
    """Train a model, or continue the same run from its newest good checkpoint; then evaluate it and finish the run.

    Writes what `runs` describes into `run_dir`. After Ctrl-C, SIGTERM or SIGHUP, the current step ends and a checkpoint
    is written; then the signal acts.

    Args:
        recipe: the recipe.
        dataset: the data set; its training part is used.
        run_dir: the run's folder.
        seed: of initial weights, order, augmentation, noise and the validation images; a `recipes.Seed`.
        workers: number of workers: devices of this machine, or hosts of a SageMaker job.
        test_sets: evaluated at the end. None: the test part of the data set.
        checkpoint_epochs: epochs from one checkpoint to the next, at least 1; the last epoch always has one.
        checkpoint_minutes: a checkpoint is also written when the last one is so many minutes old; above 0.
        on_epoch: called with the history after every epoch.
        device: as for `devices.select`.

    Returns:
        The model after the last epoch.

    Raises:
        ValueError: an argument is out of range; the training set is smaller than a batch for each worker; there are
            fewer devices than workers; or `devices.select` refuses a CPU.
        servers.ServersError: a host did not come up, or a process ended that the others need.
        runs.RecordError: the folder belongs to another run, or another process is training it.
        checkpoints.DamagedCheckpointError: all checkpoints are damaged.
        FloatingPointError: a cost was not finite; the last good checkpoint remains.
        OSError: a file cannot be written, for example because the disk is full; the run can be continued later.
    """
    run_dir = pathlib.Path(run_dir)
    recipes.check_seed(seed)
    devices.select(device, recipe.preset)
    for name, value in (("workers", workers), ("checkpoint_epochs", checkpoint_epochs)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f"Expected {name}, an integer of at least 1. Received: {name}={value!r}")
    if not checkpoint_minutes > 0:
        raise ValueError(f"Expected checkpoint_minutes above 0. Received: checkpoint_minutes={checkpoint_minutes}")
    engine, named = _engine(recipe, len(dataset.train_labels) - recipe.validation_size, workers, run_dir)
    tests = _test_part(dataset) if test_sets is None else test_sets
    with lock(run_dir), named:
        with loop.signals_held_back() as signals:
            run = loop.Run(recipe, dataset, run_dir, seed, workers, engine)
            saver = loop.Saver(run, checkpoint_epochs, checkpoint_minutes, signals)
            if run.done < run.total:
                loop.train_model(run, saver, on_epoch)
            else:
                print(f"Nothing left to train: all {run.total:,} steps are done.", flush=True)
        if signals:
            loop.act_on(signals[0])
        model = run.model_of_its_own()
        evaluation.evaluate_run(model, dataset, run_dir, tests)
    return model


def _test_part(dataset: Dataset) -> list[LabelledImages]:
    """The test part of the data set; none if it has no images."""
    part = LabelledImages(dataset.name, dataset.test_images, dataset.test_labels, dataset.source)
    return [part] if len(part.labels) else []


def _engine(
    recipe: Recipe, train_size: int, workers: int, run_dir: pathlib.Path
) -> tuple[Engine, contextlib.AbstractContextManager]:
    """What computes the steps of so many workers, and a context that names its errors.

    Raises:
        ValueError: the message names the argument.
    """
    from autoaug.training import mirrored, servers  # here, since `servers` is also a program

    if workers > 1 and recipe.xla:
        raise ValueError(f"Expected xla=False with several workers. Received: xla=True, workers={workers}")
    hosts, host = servers.from_environment()
    recipe.total_steps(train_size, len(hosts))
    if len(hosts) == 1 and recipe.batch_size % workers:
        raise ValueError(
            "Expected a batch_size that the workers can share equally. "
            f"Received: batch_size={recipe.batch_size}, workers={workers}"
        )
    if len(hosts) > 1 and (workers != len(hosts) or host != 0):
        raise ValueError(
            f"Expected workers={len(hosts)}, one on each host of SM_HOSTS, and the first host to train. "
            f"Received: workers={workers} on host {hosts[host]}"
        )
    if len(hosts) > 1:
        return servers.Servers(hosts), servers.losses_named(run_dir)
    return mirrored.Mirrored(workers) if workers > 1 else Engine(), contextlib.nullcontext()
