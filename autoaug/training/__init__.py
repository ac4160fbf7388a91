"""One run, from its recipe to a finished record. `loop` is the training loop; `step` computes a step.

Several workers train on the devices of this machine, in this process (`mirrored`), or on several hosts (`servers`).
"""

import os
import pathlib
import signal
from collections.abc import Sequence

import keras

from autoaug import devices, recipes
from autoaug.datasets import Dataset, LabelledImages
from autoaug.recipes import Recipe
from autoaug.runs import evaluation, record
from autoaug.training import loop
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
    device: str = "auto",
) -> keras.Model:
    """Train a model, or continue the same run from its newest good checkpoint; then evaluate it and finish the run.

    Writes what `runs` describes into `run_dir`. After Ctrl-C, SIGTERM or SIGHUP, the current step ends and a checkpoint
    is written; then the signal acts.

    Args:
        recipe, dataset, run_dir: what is trained, on the data set's training part, and the run's folder.
        seed: of initial weights, order, augmentation, noise and the validation images; a `recipes.Seed`.
        workers: how many: devices of this machine, or hosts of a SageMaker job.
        test_sets: evaluated at the end. None: the test part of the data set.
        checkpoint_epochs: epochs from one checkpoint to the next, at least 1; the last epoch always has one.
        checkpoint_minutes: a checkpoint is also written when the last one is so many minutes old; above 0.
        device: as for `devices.select`.

    Returns:
        The model after the last epoch.

    Raises:
        ValueError: an argument is out of range, or asks for more images, devices or hosts than there are.
        servers.ServersError: a host did not come up, or a process ended that the others need.
        runs.RecordError: the folder belongs to another run, another process is training it, or no checkpoint is good.
        FloatingPointError: a cost was not finite; the last good checkpoint remains.
        OSError: a file cannot be written, for example because the disk is full; the run can be continued later.
    """
    from autoaug.training import servers  # here, since it is also a program

    run_dir = pathlib.Path(run_dir)
    numbers = {"workers": workers, "checkpoint_epochs": checkpoint_epochs, "checkpoint_minutes": checkpoint_minutes}
    recipes.check_options({"seed": seed, "device": device} | numbers)
    devices.select(device, recipe.preset)
    engine = _engine(recipe, len(dataset.train_labels) - recipe.validation_size, workers)
    if test_sets is None:
        test = LabelledImages(dataset.name, dataset.test_images, dataset.test_labels, dataset.source)
        test_sets = [test] if len(test.labels) else []
    for name, labels in ((dataset.name, dataset.train_labels), *((test.name, test.labels) for test in test_sets)):
        if not len(labels) or labels.min() < 0 or labels.max() >= dataset.num_classes:
            raise ValueError(f"{name}: Expected images, labels below {dataset.num_classes}. Received: none, or others")
    with record.lock(run_dir), servers.losses_named(run_dir):
        with loop.signals_held_back() as signals:
            run = loop.Run(recipe, dataset, run_dir, seed, workers, engine)
            saver = loop.Saver(run, checkpoint_epochs, checkpoint_minutes, signals)
            if run.done < run.total:
                loop.train_model(run, saver)
            else:
                print(f"Nothing left to train: all {run.total:,} steps are done.", flush=True)
        if signals:  # Python exits with 130, 143 or 129
            raise KeyboardInterrupt if signals[0] == signal.SIGINT else SystemExit(128 + signals[0])
        model = run.model_of_its_own()
        evaluation.evaluate_run(model, dataset, run_dir, test_sets)
    return model


def _engine(recipe: Recipe, train_size: int, workers: int) -> Engine:
    """What computes the steps of so many workers; a ValueError names the argument that does not fit."""
    from autoaug.training import mirrored, servers

    hosts, host = servers.from_environment()
    recipe.steps_per_epoch(train_size, len(hosts))
    if workers > 1 and recipe.xla:
        raise ValueError(f"Expected xla=False with several workers. Received: xla=True, workers={workers}")
    if len(hosts) > 1:
        if (workers, host) != (len(hosts), 0):
            expected = f"workers={len(hosts)}, one on each host of SM_HOSTS, and the first host to train"
            raise ValueError(f"Expected {expected}. Received: workers={workers} on host {hosts[host]}")
        return servers.Servers(hosts)
    if recipe.batch_size % workers:
        received = f"batch_size={recipe.batch_size}, workers={workers}"
        raise ValueError(f"Expected a batch_size that the workers can share equally. Received: {received}")
    return mirrored.Mirrored(workers) if workers > 1 else Engine()
