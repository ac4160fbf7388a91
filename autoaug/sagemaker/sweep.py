"""Launches a whole study on SageMaker: all of its runs that are neither finished nor in training.

    python -m autoaug.sweep --show                          # what each run would take; submits nothing
    python -m autoaug.sweep [notebooks/full.yml]            # the same, then submits

Bucket, role and other options come from AUTOAUG_BUCKET, AUTOAUG_ROLE and so on, as for `launch`.
"""

import argparse
import itertools
import pathlib
import sys
from collections.abc import Sequence

import pandas as pd

from autoaug import recipes, studies
from autoaug.files import ROOT
from autoaug.sagemaker import job, launch
from autoaug.sagemaker.job import LaunchError

_STUDY = ROOT / "notebooks" / "full.yml"
_KNOWN = {"model", "train_data", "seed", "workers", "update", "preset", *recipes.CHANGES}


def read_study(path: pathlib.Path) -> list[job.Training]:
    """The trainings of a study; a stage does not wait for the one before. Other notebooks are for this machine.

    Raises:
        LaunchError: naming the file and the run, what was expected and what was received.
    """
    try:
        runs = [run for stage in studies.read(path) for run in stage.runs if run.notebook.stem == "train"]
    except studies.StudyError as error:
        raise LaunchError(str(error)) from error
    trainings = []
    for number, run in enumerate(runs, 1):
        if not {"model", "train_data"} <= set(run.parameters) <= _KNOWN:
            names = ", ".join(sorted(_KNOWN))
            raise LaunchError(
                f"{path}, run {number}: Expected train with model, train_data, and of {names}. "
                f"Received: {run.parameters}"
            )
        try:
            trainings.append(_training(**run.parameters))
        except (ValueError, TypeError) as error:
            raise LaunchError(f"{path}, run {number}: {error}") from error
    return trainings


def _training(
    model: str,
    train_data: str,
    preset: str = "quick",
    seed: int = 0,
    workers: int = 1,
    update: str = "async",
    **changes: object,
) -> job.Training:
    """What train.ipynb trains with these parameters, its defaults included."""
    return job.Training(recipes.variant(model, preset, **changes), train_data, seed, workers, update)


def plan(trainings: Sequence[job.Training], options: job.Options) -> pd.DataFrame:
    """Check every training; returns a DataFrame with a row each: job, preset, seed, state (of `launch.State`),
    trained_by (the name of a job), estimated hours, instance_hours.

    The estimates are those of `job.Training.hours`: not measured. What is finished costs nothing more.

    Raises:
        LaunchError: as for `launch.check`.
    """
    rows = []
    for training in trainings:
        job.describe(training, options)
        progress, hours = launch.check(training, options), training.hours(options.instance_type)
        hours = float("nan") if hours is None else hours
        row = {"job": training.name, "preset": training.recipe.preset, "seed": training.seed}
        row |= {"state": progress.state.value, "trained_by": progress.job or "–"}
        rows.append(row | {"hours": hours, "instance_hours": hours * training.workers})
    return pd.DataFrame(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0, or 2 where something was not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m autoaug.sweep", description="Launch a study on SageMaker.")
    parser.add_argument("study", nargs="?", type=pathlib.Path, default=_STUDY, help="what to train, in YAML")
    parser.add_argument("--show", action="store_true", help="say what it would take, and submit nothing")
    given = parser.parse_args(arguments)
    try:
        trainings, options = read_study(given.study), launch.options_from({})
        table = plan(trainings, options)
        due = table["state"].isin([launch.State.NEW.value, launch.State.BEGUN.value])
        print(table.to_string(index=False, float_format="{:,.1f}".format))
        hours = table["instance_hours"][due].sum()
        print(f"To train: {due.sum()} of {len(table)} runs, {hours:,.1f} instance-hours of {options.instance_type}, "
              "estimated, not measured.", flush=True)  # fmt: skip
        for training in itertools.compress(trainings, due & (not given.show)):
            print(launch.submit(job.describe(training, options)), flush=True)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0
