"""Executes the notebooks of a study, with one display of progress; runs of a stage may run side by side."""

import concurrent.futures
import contextlib
import dataclasses
import os
import pathlib
import queue
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import psutil
import tqdm
import yaml

from autoaug import datasets, predictions, recipes, records
from autoaug.duration import in_words
from autoaug.files import ROOT
from autoaug.studies import Run, Stage

_THREADS = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
TRAIN_DATA = "synthetic10"  # default of train.ipynb
_BAR = "{l_bar}{bar}| {n_fmt} of {total_fmt} notebooks, {elapsed}"  # no rate: notebooks take different times
_NOT_IN_ID = (
    "device",
    "evaluate_every",
    "checkpoint_epochs",
    "checkpoint_minutes",
)  # change no run's id
_PATIENCE = 30  # seconds for a process to end by itself


class NotebookError(RuntimeError):
    """A notebook failed."""


def execute(
    stages: Sequence[Stage], results_dir: pathlib.Path, data_dir: pathlib.Path, jobs: int, gpus: Sequence[str] = ()
) -> pathlib.Path:
    """Execute the notebooks in the repository's root, stage after stage.

    A single notebook shows what it prints. Of several notebooks, the display shows which are done and estimates the
    remaining time. A training whose run is finished is skipped.

    Args:
        stages: from `studies.read`; one run has `render`.
        results_dir, data_dir: passed, as absolute paths, to every notebook that has such a parameter.
        jobs: number of notebooks at a time in stages that run side by side, at least 1; they share the cores.
        gpus: names as in CUDA_VISIBLE_DEVICES. If there are any, each GPU executes one notebook at a time.

    Returns:
        Path of the executed copy of the notebook to render.

    Raises:
        NotebookError: a notebook failed; the others that run at the same time are stopped.
    """
    folders = {"results_dir": pathlib.Path(results_dir).resolve(), "data_dir": pathlib.Path(data_dir).resolve()}
    copies = folders["results_dir"] / "report" / "notebooks"
    copies.mkdir(parents=True, exist_ok=True)
    total = sum(len(stage.runs) for stage in stages)
    tasks: list[_Task] = []
    with tqdm.tqdm(total=total, bar_format=_BAR, disable=None) as bar:
        for stage in stages:
            of_stage = [
                _Task(run, f"{number}/{total}", copies, folders)
                for number, run in enumerate(stage.runs, len(tasks) + 1)
            ]
            tasks += of_stage
            due = [task for task in of_stage if not task.is_finished()]
            if len(due) < len(of_stage):
                bar.write(f"{stage.name}: {len(of_stage) - len(due)} of {len(of_stage)} runs are finished already")
                bar.update(len(of_stage) - len(due))
            at_a_time = min(len(gpus) or jobs, len(due)) if stage.side_by_side else 1
            if at_a_time > 1:
                bar.write(f"{stage.name}: {len(due)} runs, {at_a_time} at a time")
            _execute_stage(due, at_a_time, gpus, bar)
    return next(task.copy for task in tasks if task.run.render)


@dataclasses.dataclass(frozen=True)
class _Task:
    """A notebook to execute.

    Args:
        run: its file and parameters.
        place: its number among all runs.
        copies: folder of the executed copies.
        folders: values of the parameters results_dir and data_dir.
    """

    run: Run
    place: str
    copies: pathlib.Path
    folders: dict[str, pathlib.Path]

    @property
    def _words(self) -> list[str]:
        return [self.run.notebook.stem, *(f"{name}={value}" for name, value in self.run.parameters.items())]

    @property
    def title(self) -> str:
        return " ".join([f"[{self.place}]", *self._words])

    @property
    def copy(self) -> pathlib.Path:
        number = int(self.place.split("/")[0])
        name = re.sub(r"[^\w=.]+", "-", "-".join([f"{number:02}", *self._words]))  # papermill gives braces a meaning
        return self.copies / f"{name[:200]}.ipynb"

    def is_finished(self) -> bool:
        return self.run.notebook.stem == "train" and is_finished(self.run.parameters, **self.folders)

    def execute(self, threads: int | None, free_gpus: "queue.SimpleQueue[str | None]") -> float:
        """Execute the notebook; returns the seconds that it took.

        Args:
            threads: number of threads of each computation; None: one for each core, and the notebook's output is shown.
            free_gpus: queue from which it takes a GPU for itself; None in the queue: the notebook may use any device.

        Raises:
            NotebookError: the notebook failed.
        """
        passed = {name: str(folder) for name, folder in self.folders.items() if name in self.run.known}
        command = [sys.executable, "-m", "autoaug.report.one_notebook"]
        command += [str(self.run.notebook.resolve()), str(self.copy)]
        command += ["-y", yaml.safe_dump(passed | self.run.parameters), "--cwd", str(ROOT)]
        command += ["--no-progress-bar", "--log-level", "ERROR"]
        shared: dict[str, str] = {}
        if threads is None:
            command += ["--stdout-file", "-"]
        else:
            shared = dict.fromkeys(_THREADS, str(threads))
        gpu = free_gpus.get()
        alone = {} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu}
        started = time.perf_counter()
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=None if threads is None else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=shared | os.environ | alone,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C reaches only this process, which passes it on
            check=False,
        )
        free_gpus.put(gpu)
        if done.returncode:
            raise NotebookError(f"{done.stderr.strip()}\nFailed: {self.title}. The executed copy: {self.copy}")
        return time.perf_counter() - started


def _execute_stage(tasks: Sequence[_Task], at_a_time: int, gpus: Sequence[str], bar: tqdm.tqdm) -> None:
    """Execute tasks, so many at a time; stop all of them if one fails or at an interrupt."""
    if not tasks:
        return
    alone, free_gpus = at_a_time == 1, queue.SimpleQueue[str | None]()
    slots: Sequence[str | None] = gpus or [None] * at_a_time
    for gpu in slots:
        free_gpus.put(gpu)
    threads = None if alone else max(1, (os.cpu_count() or 1) // at_a_time)
    durations: list[float] = []
    with concurrent.futures.ThreadPoolExecutor(at_a_time) as pool:
        try:
            if alone:
                _announce(tasks[0], bar)
            running = {pool.submit(task.execute, threads, free_gpus): task for task in tasks}
            for future in concurrent.futures.as_completed(running):
                durations.append(future.result())
                bar.update()
                left = sum(durations) / len(durations) * (len(tasks) - len(durations)) / at_a_time
                rest = f"; about {in_words(left / 3600)} left" if left else ""
                bar.write(f"{running[future].title}: {durations[-1]:.0f} s{rest}")
                if alone and len(durations) < len(tasks):
                    _announce(tasks[len(durations)], bar)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            _stop_children()
            raise


def _announce(task: _Task, bar: tqdm.tqdm) -> None:
    """Say which notebook begins, and take the bar away: what the notebook prints begins on a line of its own."""
    bar.write(task.title)
    bar.clear()


def _stop_children() -> None:
    """Interrupt the processes that execute notebooks, so that they end their kernels; kill those that do not end.

    Unlike other children, they have sessions of their own.
    """
    children = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getsid(child.pid) == child.pid:
                child.send_signal(signal.SIGINT)
                children.append(child)
    for child in psutil.wait_procs(children, timeout=_PATIENCE)[1]:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()


def is_finished(parameters: dict[str, Any], results_dir: pathlib.Path, data_dir: pathlib.Path) -> bool:
    """Whether train.ipynb with these parameters has nothing left to do: its run is finished, with every test set.

    False if there are other parameters than those known here; then the notebook itself finds out.
    """
    if parameters.keys() - {"model", "preset", "train_data", "seed", *_NOT_IN_ID, *recipes.CHANGES}:
        return False
    try:
        dataset = datasets.load(parameters.get("train_data", TRAIN_DATA), data_dir)
        folder = run_folder(parameters, dataset, results_dir)
        record = records.read(folder)
        names = datasets.available(data_dir, family=datasets.DATASETS[dataset.name].family)
        hashes = {name: datasets.load_test(name, data_dir).sha256 for name in names}
    except (datasets.DatasetError, records.RecordError):
        return False  # the notebook builds missing data, or says what is wrong
    return record["status"] == "finished" and all(
        predictions.are_kept(folder, record, name, sha256) for name, sha256 in hashes.items()
    )


def run_folder(
    parameters: dict[str, Any], dataset: datasets.Dataset, results_dir: str | os.PathLike[str]
) -> pathlib.Path:
    """The folder into which train.ipynb with these parameters writes its run."""
    seed = parameters.get("seed", 0)
    return pathlib.Path(results_dir) / "runs" / records.run_id(recipe(parameters), dataset, seed)


def recipe(parameters: dict[str, Any]) -> recipes.Recipe:
    """The recipe of train.ipynb with these parameters."""
    names = ("model", "preset", *recipes.CHANGES)
    return recipes.variant(**{"model": "wrn"} | {name: parameters[name] for name in names if name in parameters})
