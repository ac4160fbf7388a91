"""The plan of a study on this machine, printed before the study starts: each run with its hours, the device, the disk.

The hours are estimated from a timed step of each recipe (`training.step_time`). They do not include evaluation, which
adds about 5 % by default, and waiting for input.
"""

import dataclasses
import heapq
import json
import math
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence

from autoaug import datasets, recipes, records
from autoaug.duration import StepTimes, in_words
from autoaug.recipes import Recipe
from autoaug.report import execution
from autoaug.studies import Run, Stage
from data_prep import sources, subsets

ASK_ABOVE = 1.0  # hours
_CHECKPOINTS = 3  # of a run: the newest two, and the newest at an epoch's end
_BYTES_PER_PARAMETER = 8  # the weight and its momentum, float32
_BYTES_PER_IMAGE = 32 * 32 * 3 + 1


class PlanError(ValueError):
    """A study cannot be started as asked."""


@dataclasses.dataclass(frozen=True)
class Training:
    """A run of train.ipynb.

    Args:
        run: notebook and parameters.
        recipe: the recipe that the parameters describe.
        steps: number of steps that are left; 0 for a finished run.
    """

    run: Run
    recipe: Recipe
    steps: int

    @property
    def title(self) -> str:
        """A title that differs from those of the other trainings."""
        given = {"train_data": execution.TRAIN_DATA, "seed": 0} | self.run.parameters
        main = f"{self.recipe.model} {self.recipe.preset} {given.pop('train_data')} seed {given.pop('seed')}"
        others = [f"{name}={value}" for name, value in given.items() if name not in ("model", "preset")]
        return " ".join([main, *others])


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is left to do of a study, on this machine.

    Args:
        trainings: all trainings of the study, in order.
        hours: of each training, 0 for a finished one.
        device: the device in words; empty if nothing is left to train.
        gpus: the GPUs, by their names in CUDA_VISIBLE_DEVICES; each run has one GPU. Empty: all run on the CPU.
        missing: data sets that have to be built.
        bytes_needed: disk space for data sets, downloads and runs that are not there yet.
    """

    trainings: list[Training]
    hours: list[float]
    device: str
    gpus: tuple[str, ...]
    missing: tuple[str, ...]
    bytes_needed: int

    @property
    def total(self) -> float:
        """Hours until the last run ends. Each GPU has one run at a time; on a CPU, runs at a time share the cores."""
        free_at = [0.0] * max(1, len(self.gpus))
        for hours in self.hours:
            heapq.heappush(free_at, heapq.heappop(free_at) + hours)
        return max(free_at)

    def text(self, free: int) -> str:
        """The plan as it is printed.

        Args:
            free: bytes of disk that are free.
        """
        width = max((len(training.title) for training in self.trainings), default=0)
        left = sum(training.steps > 0 for training in self.trainings)
        lines = [
            f"  {training.title:{width}}  {in_words(hours) if training.steps else 'finished':>10}"
            for training, hours in zip(self.trainings, self.hours, strict=True)
        ]
        if left:
            lines.insert(0, f"{self.device}. What each training takes, estimated from a step timed here:")
            at_a_time = f" on {len(self.gpus)} GPUs, one run on each" if len(self.gpus) > 1 else ""
            lines.append(f"To train: {left} of {len(lines) - 1} runs, {in_words(self.total)} in all{at_a_time}.")
        else:
            lines.append("Nothing is left to train.")
        needed = math.ceil(self.bytes_needed / 1e8) / 10
        return "\n".join([*lines, f"Disk: {needed} GB needed, {free / 1e9:.1f} GB free."])


def make(stages: Sequence[Stage], results_dir: pathlib.Path, data_dir: pathlib.Path) -> Plan:
    """Look up which runs exist, and time a step of each recipe that is left to train.

    Raises:
        PlanError: a run names a model, data set, preset or seed that does not exist, or a step could not be timed.
    """
    runs = [run for stage in stages for run in stage.runs]
    trainings = [_training(run, results_dir, data_dir) for run in runs if run.notebook.stem == "train"]
    left: list[Recipe] = []
    for training in trainings:
        if training.steps and training.recipe not in left:
            left.append(training.recipe)
    measured = _timed(left) if left else StepTimes()
    hours = [
        training.steps * measured.seconds[left.index(training.recipe)] / 3600 if training.steps else 0.0
        for training in trainings
    ]
    parameters = [measured.parameters[left.index(training.recipe)] for training in trainings if training.steps]
    missing = _missing(runs, data_dir)
    needed = _CHECKPOINTS * _BYTES_PER_PARAMETER * sum(parameters) + _data_bytes(missing)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = visible.split(",") if visible else [str(number) for number in range(measured.gpus)]
    return Plan(trainings, hours, measured.device, tuple(names[: measured.gpus]), missing, needed)


def is_carried_out(plan: Plan, stages: Iterable[Stage], results_dir: pathlib.Path, page: pathlib.Path) -> bool:
    """Whether all runs are finished, all data sets built, and the page is newer than the record of every run.

    A study with notebooks other than those that build, train and render is never known to be carried out.
    """
    runs = [run for stage in stages for run in stage.runs]
    if any(run.notebook.stem not in ("build_datasets", "train") and not run.render for run in runs):
        return False
    if plan.missing or any(training.steps for training in plan.trainings) or not page.exists():
        return False
    return all(path.stat().st_mtime < page.stat().st_mtime for path in results_dir.glob("runs/*/record.json"))


def on_cpu(stages: Iterable[Stage]) -> list[Stage]:
    """The study with `device: cpu` in every training; the published recipes refuse a CPU without it."""

    def with_cpu(run: Run) -> Run:
        device = {"device": "cpu"} if run.notebook.stem == "train" else {}
        return dataclasses.replace(run, parameters=run.parameters | device)

    return [dataclasses.replace(stage, runs=tuple(with_cpu(run) for run in stage.runs)) for stage in stages]


def confirm(plan: Plan, results_dir: pathlib.Path, yes: bool) -> bool:
    """Print the plan; ask whether to start if it takes more than an hour. Returns whether to start.

    Args:
        results_dir: the free space of its disk is checked.
        yes: start without asking.

    Raises:
        PlanError: the disk has too little space, or there is no terminal to ask in.
    """
    existing = next(path for path in (results_dir.absolute(), *results_dir.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    print(plan.text(free), flush=True)
    if plan.bytes_needed > free:
        raise PlanError(
            f"{results_dir}: Expected {plan.bytes_needed / 1e9:.1f} GB of free disk. Received: {free / 1e9:.1f} GB"
        )
    if yes or plan.total <= ASK_ABOVE:
        return True
    if not sys.stdin.isatty():
        raise PlanError(
            f"Expected YES=1 (--yes) for a study of more than an hour, or a terminal to ask in. Received: neither, and "
            f"{in_words(plan.total)}. Nothing was started"
        )
    starts = input("Start? [y/N] ").strip().lower() in ("y", "yes")
    if not starts:
        print("Nothing was started.")
    return starts


def _training(run: Run, results_dir: pathlib.Path, data_dir: pathlib.Path) -> Training:
    name = run.parameters.get("train_data", execution.TRAIN_DATA)
    try:
        recipe = execution.recipe(run.parameters)
        recipes.check_seed(run.parameters.get("seed", 0))
        datasets.require_trainable(name)
        total = recipe.total_steps(datasets.DATASETS[name].train_size - recipe.validation_size)
    except ValueError as error:
        raise PlanError(f"train {run.parameters}: {error}") from error
    if execution.is_finished(run.parameters, results_dir, data_dir):
        return Training(run, recipe, 0)
    done = _steps_done(run, name, results_dir, data_dir)
    return Training(run, recipe, max(1, total - done))  # a trained but unfinished run still has test sets to evaluate


def _steps_done(run: Run, train_data: str, results_dir: pathlib.Path, data_dir: pathlib.Path) -> int:
    """Steps up to the newest checkpoint of a run of one worker; 0 if there is none."""
    try:
        folder = execution.run_folder(run.parameters, datasets.load(train_data, data_dir), results_dir)
    except datasets.DatasetError:
        return 0  # the study builds it
    return max(records.checkpoint_steps(folder / records.CHECKPOINTS), default=0)


def _timed(left: Sequence[Recipe]) -> StepTimes:
    """The times of the recipes' steps, from `training.step_time`."""
    print(f"Timing a step of {len(left)} {'recipe' if len(left) == 1 else 'recipes'} …", flush=True)
    command = [sys.executable, "-m", "autoaug.training.step_time"]
    given = json.dumps([dataclasses.asdict(recipe) for recipe in left])
    done = subprocess.run(command, input=given, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise PlanError(f"Expected the time of a step. Received:\n{done.stderr.strip()}")
    return StepTimes(**json.loads(done.stdout.splitlines()[-1]))


def _missing(runs: Iterable[Run], data_dir: pathlib.Path) -> tuple[str, ...]:
    """The data sets of photographs that have to be built; drawn sets take little time and disk."""
    builds = [run.parameters["sets"] for run in runs if "sets" in run.parameters]
    names = subsets.with_inputs([name for sets in builds for name in sets if name not in datasets.EMBEDDED])
    return tuple(set(names) - set(datasets.available(data_dir)))


def _data_bytes(missing: Iterable[str]) -> int:
    """Disk for data sets, with their published files."""
    needed = 0
    for name in missing:
        spec, published = datasets.DATASETS[name], sources.FILES.get(name, ())
        copies = 2 if published else 1  # as built, and as published
        needed += copies * _BYTES_PER_IMAGE * (spec.train_size + spec.test_size)
        needed += sum(source.size or 0 for source in published if source.members)  # the archive
    return needed
