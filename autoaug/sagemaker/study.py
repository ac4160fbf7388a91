"""The trainings of a study as jobs, side by side; a stage does not wait for another one.

States are read once, and what is due is submitted. So the same command, given again, goes on: finished trainings are
left out, those in training are left alone, and where a job failed or was stopped, its training goes on.
"""

import dataclasses
import pathlib

import pandas as pd

from autoaug import study as studies
from autoaug.sagemaker import job, launch
from autoaug.sagemaker.options import LaunchError, Options, expect


def read(path: pathlib.Path, options: Options) -> list[tuple[job.Training, Options]]:
    """The trainings of a study, each once, with its options: it is tested on what this study compares it with.

    Raises:
        ValueError: the message names the file and the training, what was expected and what was received.
    """
    runs = [run.parameters for stage in studies.read(path) for run in stage.runs if run.notebook.stem == "train"]
    expect(runs, f"runs of train in {path}", "none")
    trainings = []
    for number, parameters in enumerate(runs, 1):
        try:
            trainings.append(job.training(parameters))
        except ValueError as error:
            raise LaunchError(f"{path}, training {number}: {error}") from error
    names = {training.train_data for training in trainings}
    tests = {name: options.test_sets or tuple(job.default_test_sets(name, names)) for name in names}
    return [(training, dataclasses.replace(options, test_sets=tests[training.train_data])) for training in trainings]


def plan(trainings: list[tuple[job.Training, Options]], at_once: int, ask: bool = True) -> pd.DataFrame:
    """A row for each training: job, preset, seed, hosts, state, last_job, reason, submit.

    Args:
        trainings: from `read`.
        at_once: at most so many jobs may be in training; `submit` is true for the first that are due.
        ask: whether to ask S3 and SageMaker for the states; else they are unknown.

    Raises:
        LaunchError: as for `job.describe` and `launch.state_of`.
    """
    expect(at_once >= 1, "at_once of at least 1", at_once)
    rows = []
    for training, options in trainings:
        row = {"job": training.name, "preset": training.recipe.preset, "seed": training.seed}
        row |= {"hosts": job.describe(training, options)["compute"]["instance_count"]}
        state = launch.state_of(training, options) if ask else ("unknown", "", "")
        row |= dict(zip(("state", "last_job", "reason"), state, strict=True))
        rows.append(row | {"submit": row["state"] not in launch.DONE})
    table = pd.DataFrame(rows)
    free = at_once - (table["state"] == "in training").sum()
    return table.assign(submit=table["submit"] & (table["submit"].cumsum() <= free))
