"""Trains a whole study on SageMaker, and renders its report.

    python -m autoaug.sweep notebooks/full.yml --show       # estimated hours of each run; needs no account
    python -m autoaug.sweep notebooks/full.yml              # submits what is neither finished nor in training
    python -m autoaug.sweep notebooks/full.yml              # later, when all runs are finished: renders the report
    python -m autoaug.sweep notebooks/full.yml --wait       # or all of it at once

The study's runs of train.ipynb become jobs that run side by side. The data sets must be in the bucket. The report is
rendered on this machine. Options are those of `options.Options`, as for `launch`.
"""

import argparse
import dataclasses
import itertools
import pathlib
import signal
import sys
from collections.abc import Sequence

import pandas as pd

from autoaug import recipes, s3, study
from autoaug.files import ROOT
from autoaug.sagemaker import collection, instances, job, launch, options
from autoaug.sagemaker.launch import Progress, State
from autoaug.sagemaker.options import LaunchError, Options

_STUDY = ROOT / "notebooks" / "full.yml"
_RESULTS = ROOT / "results" / "jobs"
_KNOWN = {"model", "train_data", "seed", "workers", "update", "preset", "evaluate_every", "device", *recipes.CHANGES}
_PRICES = "Prices of an instance-hour: https://aws.amazon.com/sagemaker/pricing"
_EXAMPLE = f"Example: python -m autoaug.sweep notebooks/full.yml --show --instance_type ml.g4dn.xlarge. {_PRICES}"


def read_study(path: pathlib.Path) -> list[job.Training]:
    """The trainings of a study: its runs of train.ipynb. A stage does not wait for the previous one.

    Raises:
        LaunchError: the message names the file and the run, what was expected and what was received.
    """
    try:
        runs = [run for stage in study.read(path) for run in stage.runs if run.notebook.stem == "train"]
    except study.StudyError as error:
        raise LaunchError(str(error)) from error
    if not runs:
        raise LaunchError(f"{path}: Expected runs of train. Received: none")
    trainings = []
    for number, run in enumerate(runs, 1):
        if not {"model", "train_data"} <= set(run.parameters) <= _KNOWN:
            names = ", ".join(sorted(_KNOWN))
            raise LaunchError(
                f"{path}, training {number}: Expected model, train_data, and of {names}. Received: {run.parameters}"
            )
        try:
            trainings.append(_training(**run.parameters))
        except (ValueError, TypeError) as error:
            raise LaunchError(f"{path}, training {number}: {error}") from error
    return trainings


def _training(
    model: str,
    train_data: str,
    preset: str = "quick",
    seed: int = 0,
    workers: int = 1,
    update: str = "async",
    evaluate_every: int = -1,
    device: str = "auto",
    **changes: object,
) -> job.Training:
    """The training of train.ipynb with these parameters, and its defaults for others."""
    recipe = recipes.variant(model, preset, **changes)
    return job.Training(recipe, train_data, seed, workers, update, evaluate_every, device)


def options_of(trainings: Sequence[job.Training], chosen: Options) -> list[Options]:
    """The options of each training; its test sets are those that this study compares it with."""
    studied = {training.train_data for training in trainings}
    return [
        dataclasses.replace(chosen, test_sets=chosen.test_sets or job.default_test_sets(training.train_data, studied))
        for training in trainings
    ]


def progress_of(trainings: Sequence[job.Training], chosen: Options) -> list[Progress]:
    """How far each training has come, by the bucket and the running jobs.

    Raises:
        LaunchError: as for `launch.require_account` and `launch.check`.
        s3.S3Error: the bucket cannot be read.
    """
    launch.require_account(chosen)
    pairs = zip(trainings, options_of(trainings, chosen), strict=True)
    return [launch.check(training, of_training) for training, of_training in pairs]


def plan(trainings: Sequence[job.Training], chosen: Options, progress: Sequence[Progress]) -> pd.DataFrame:
    """A row for each training: job, preset, seed, state, trained_by (the name of a job), hours, instance_hours.

    The hours are estimates of the whole training by `job.Training.hours`, not measured.

    Raises:
        LaunchError: as for `job.describe`.
    """
    rows = []
    for training, its_options, reached in zip(trainings, options_of(trainings, chosen), progress, strict=True):
        hosts = job.describe(training, its_options)["compute"]["instance_count"]
        hours = training.hours(chosen.instance_type)
        hours = float("nan") if hours is None else hours
        row = {"job": training.name, "preset": training.recipe.preset, "seed": training.seed}
        row |= {"state": reached.state.value, "trained_by": reached.job or "–"}
        rows.append(row | {"hours": hours, "instance_hours": hours * hosts})
    return pd.DataFrame(rows)


def summary(table: pd.DataFrame, trainings: Sequence[job.Training], chosen: Options) -> str:
    """The plan as text: each run, each model, the total, other instance types, and spot instances."""
    due = _is_due(table)
    models = table["instance_hours"].groupby([training.recipe.model for training in trainings], sort=False)
    lines = [table.to_string(index=False, float_format="{:,.1f}".format, na_rep="unknown"), ""]
    lines += [f"{model}: {len(hours)} runs, {_sum(hours)} instance-hours" for model, hours in models]
    total = f"{_sum(table['instance_hours'][due])} instance-hours of {chosen.instance_type}, estimated, not measured"
    lines.append(f"To train: {due.sum()} of {len(table)} runs, {total}.")
    if table["hours"][due].notna().any():
        lines.append(f"All jobs at once: {table['hours'][due].max():,.1f} hours, and the wait for instances.")
    others = {name: _hours_on(name, trainings, due) for name in instances.COMPARED if name != chosen.instance_type}
    listed = [f"{name} {hours:,.1f}" for name, hours in others.items() if hours is not None]
    lines.append("Instance-hours on other types, with a synchronous worker for each GPU of an instance: "
                 f"{', '.join(listed) or 'unknown'}.")  # fmt: skip
    spot = sum(
        job.describe(training, chosen)["compute"]["enable_managed_spot_training"]
        for training in itertools.compress(trainings, due)
    )
    lines.append(
        f"On spot instances (option spot: {chosen.spot}): {spot} of the {due.sum()} runs. These take the same hours at "
        "a lower price and wait for capacity; an interrupted run goes on from a checkpoint at most 10 minutes old."
    )
    return "\n".join([*lines, _PRICES])


def _sum(hours: pd.Series) -> str:
    """The sum as text; unknown where a part of it is."""
    return "unknown" if hours.isna().any() else f"{hours.sum():,.1f}"


def _is_due(table: pd.DataFrame) -> pd.Series:
    """Whether a job still has to be submitted for each training, as far as is known."""
    return table["state"].isin([State.NEW.value, State.BEGUN.value, State.UNKNOWN.value])


def _hours_on(instance_type: str, trainings: Sequence[job.Training], due: pd.Series) -> float | None:
    """Instance-hours of the trainings that are due, each on one instance of a type; None if some are unknown."""
    gpus = instances.gpus(instance_type)
    several = {"workers": gpus, "update": "sync"} if gpus > 1 else {"workers": 1}
    hours = [
        dataclasses.replace(training, **several).hours(instance_type)
        for training in itertools.compress(trainings, due)
        if training.recipe.batch_size % gpus == 0
    ]
    known_hours = [estimate for estimate in hours if estimate is not None]
    return sum(known_hours) if len(known_hours) == due.sum() else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0; 1 if a job or the report failed; 2 if something was not as it should be."""
    parser = argparse.ArgumentParser(
        prog="python -m autoaug.sweep",
        description="Train a study on SageMaker, and render its report.",
        epilog=_EXAMPLE,
    )
    parser.add_argument("study", nargs="?", type=pathlib.Path, default=_STUDY, help="what to train, in YAML")
    parser.add_argument("--show", action="store_true", help="print the estimated hours, and submit nothing")
    parser.add_argument("--results", type=pathlib.Path, default=_RESULTS, help=f"for runs and report ({_RESULTS})")
    options.add_to(parser)
    given = parser.parse_args(arguments)
    try:
        trainings, chosen = read_study(given.study), options.from_arguments(given)
        unknown = ""
        try:
            progress = progress_of(trainings, chosen)
        except ValueError as error:
            if not given.show:
                raise
            unknown = f"Which runs are finished is unknown. {error}\n\n"
            progress = [Progress(State.UNKNOWN)] * len(trainings)
        table = plan(trainings, chosen, progress)
        print(unknown + summary(table, trainings, chosen), flush=True)
        return 0 if given.show else _train(trainings, chosen, table, given.results)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("The submitted jobs go on. The same command finds them.", file=sys.stderr)
        return 128 + signal.SIGINT


def _train(trainings: Sequence[job.Training], chosen: Options, table: pd.DataFrame, results: pathlib.Path) -> int:
    """Submit the trainings that are due; with `wait`, or if none is in training, also render. Returns a status."""
    names = [name for name in table["trained_by"] if name != "–"]
    pairs = zip(trainings, options_of(trainings, chosen), strict=True)
    for training, of_training in itertools.compress(pairs, _is_due(table)):
        names.append(launch.submit(job.describe(training, of_training)))
        print(names[-1], flush=True)
    if names and not chosen.wait:
        print(f"{len(names)} jobs are in training. Give the same command again to see their progress, and to render "
              "the report once all runs are finished. --wait waits for them.")  # fmt: skip
        return 0
    failures = collection.wait_for(names)
    for name, reason in failures.items():
        print(f"{name}: {reason}", file=sys.stderr)
    if failures:
        print("The same command submits them again; they continue from their checkpoints.", file=sys.stderr)
        return 1
    return collection.render(s3.fetch(chosen.output_path, results))
