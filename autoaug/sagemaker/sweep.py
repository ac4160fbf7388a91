"""Launches a whole study on SageMaker: all of its runs that are neither finished nor in training.

    python -m autoaug.sweep --show                          # what each run would take; submits nothing
    python -m autoaug.sweep [notebooks/study.yml]           # the same, then submits

Bucket, role and other options come from AUTOAUG_BUCKET, AUTOAUG_ROLE and so on, as for `launch`.
"""

import argparse
import itertools
import pathlib
import sys

import pandas as pd
import yaml

from autoaug import recipes
from autoaug.files import ROOT
from autoaug.sagemaker import job, launch
from autoaug.sagemaker.job import LaunchError

_STUDY = ROOT / "notebooks" / "study.yml"
_KNOWN = {"model", "train_data", "seed", "workers", "update", "preset", *recipes.CHANGES}


def read_study(path):
    """The trainings of a study, from a YAML list of entries {name: value or list of values}.

    Names are parameters of the training notebook; every combination of the listed values is a run.

    Returns:
        List of `job.Training`.

    Raises:
        LaunchError: naming the file and the entry, what was expected and what was received.
    """
    try:
        entries = yaml.safe_load(pathlib.Path(path).read_text())
    except (OSError, yaml.YAMLError) as error:
        raise LaunchError(f"{path}: Expected a list of trainings in YAML. Received: {error}") from error
    if not isinstance(entries, list) or not entries:
        raise LaunchError(f"{path}: Expected a list of trainings. Received: {entries!r}")
    trainings = []
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or not {"model", "train_data"} <= set(entry) <= _KNOWN:
            names = ", ".join(sorted(_KNOWN))
            raise LaunchError(f"{path}, entry {number}: Expected model, train_data, and of {names}. Received: {entry}")
        values = [value if isinstance(value, list) else [value] for value in entry.values()]
        try:
            trainings += [_training(**dict(zip(entry, each, strict=True))) for each in itertools.product(*values)]
        except (ValueError, TypeError) as error:
            raise LaunchError(f"{path}, entry {number}: {error}") from error
    return trainings


def _training(model, train_data, preset="paper", seed=0, workers=1, update="async", **changes):
    return job.Training(recipes.variant(model, preset, **changes), train_data, seed, workers, update)


def plan(trainings, options):
    """Check every training; returns a DataFrame with a row each: job, seed, state, estimated hours, instance_hours.

    The estimates are those of `job.Training.hours`: not measured. What is finished costs nothing more.

    Raises:
        LaunchError: as for `launch.check`.
    """
    rows = []
    for training in trainings:
        job.describe(training, options)
        state, hours = launch.check(training, options), training.hours(options.instance_type)
        hours = float("nan") if hours is None else hours
        row = {"job": training.name, "preset": training.recipe.preset, "seed": training.seed, "state": state}
        rows.append(row | {"hours": hours, "instance_hours": hours * training.workers})
    return pd.DataFrame(rows)


def main(arguments=None):
    """Returns the exit status: 0, or 2 where something was not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m autoaug.sweep", description="Launch a study on SageMaker.")
    parser.add_argument("study", nargs="?", default=_STUDY, help="YAML list of trainings")
    parser.add_argument("--show", action="store_true", help="say what it would take, and submit nothing")
    given = parser.parse_args(arguments)
    try:
        trainings, options = read_study(given.study), launch.options_from({})
        table = plan(trainings, options)
        due = table["state"].isin(["new", "begun"])
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
