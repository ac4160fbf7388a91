"""Executes notebooks, those that do not depend on each other side by side, with one display of progress."""

import collections
import itertools
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import tqdm
import yaml

from autoaug import datasets, recipes, records
from autoaug.files import ROOT

_THREADS = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
_PATIENCE = 30  # seconds for a process to end by itself


class NotebookError(RuntimeError):
    """A notebook failed."""


def execute(runs, results_dir, data_dir, jobs):
    """Execute the notebooks in the repository's root: those of one notebook that follow each other side by side.

    A notebook alone shows what it prints; several show which of them are done, and how long it may still take. A
    training whose run is finished is passed over.

    Args:
        runs: from `report.read_runs`.
        results_dir, data_dir: passed, as absolute paths, to every notebook that has such a parameter.
        jobs: how many notebooks at a time, at least 1; they share the cores.

    Returns:
        Path of the executed copy of the notebook to render.

    Raises:
        NotebookError: of the first notebook that fails; those beside it are stopped.
    """
    folders = {"results_dir": pathlib.Path(results_dir).resolve(), "data_dir": pathlib.Path(data_dir).resolve()}
    copies = folders["results_dir"] / "report" / "notebooks"
    copies.mkdir(parents=True, exist_ok=True)
    tasks = [_Task(run, number, len(runs), copies, folders) for number, run in enumerate(runs, 1)]
    with tqdm.tqdm(total=len(tasks), unit="notebook", smoothing=0, disable=None) as bar:
        for _, group in itertools.groupby(tasks, key=lambda task: task.run["notebook"]):
            group = list(group)
            due = [task for task in group if not task.is_finished()]
            if len(due) < len(group):
                bar.write(f"{group[0].name}: {len(group) - len(due)} of {len(group)} runs are finished already")
                bar.update(len(group) - len(due))
            _side_by_side(due, min(jobs, len(due)), alone=len(group) == 1, bar=bar)
    return next(task.copy for task in tasks if task.run["render"])


class _Task:
    """A notebook to execute, once it is started with its process."""

    def __init__(self, run, number, total, copies, folders):
        self.run, self.folders, self.name = run, folders, run["notebook"].stem
        values = [f"{key}={value}" for key, value in run["parameters"].items()]
        self.title = " ".join([f"[{number}/{total}]", self.name, *values])
        self.copy = copies / ("-".join([f"{number:02}", self.name, *values]).replace("/", "-")[:200] + ".ipynb")
        self.process = None

    def is_finished(self):
        return self.name == "train" and is_finished(self.run["parameters"], **self.folders)

    def start(self, threads, alone):
        """Begin; what a notebook alone prints is shown, and errors are kept in a file."""
        passed = {key: str(folder) for key, folder in self.folders.items() if key in self.run["known"]}
        parameters = yaml.safe_dump(passed | self.run["parameters"])
        command = [sys.executable, "-m", "papermill", self.run["notebook"].resolve(), self.copy, "-y", parameters]
        command += ["--cwd", ROOT, "--no-progress-bar", "--log-level", "ERROR", *["--stdout-file", "-"] * alone]
        shared = {} if alone else dict.fromkeys(_THREADS, str(threads)) | {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}
        self.errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            command, stdout=None if alone else subprocess.DEVNULL, stderr=self.errors, env=shared | os.environ
        )

    def finish(self):
        """Seconds that it took.

        Raises:
            NotebookError: it failed.
        """
        self.errors.seek(0)
        with self.errors:
            message = self.errors.read()
        if self.process.returncode:
            cause = message.rpartition("PapermillExecutionError:")[2].strip()
            raise NotebookError(f"{cause}\nFailed: {self.title}. The executed copy: {self.copy}")
        return time.perf_counter() - self.started


def _side_by_side(tasks, jobs, alone, bar):
    """Execute tasks, `jobs` at a time; stop all of them when one fails or at an interrupt."""
    waiting, running, durations = collections.deque(tasks), [], []
    if jobs > 1:
        bar.write(f"{tasks[0].name}: {len(tasks)} runs, {jobs} at a time")
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(waiting.popleft())
                if alone:
                    bar.write(running[-1].title)
                running[-1].start(max(1, os.cpu_count() // jobs), alone)
            for task in [task for task in running if task.process.poll() is not None]:
                running.remove(task)
                durations.append(task.finish())
                bar.update()
                left = sum(durations) / len(durations) * (len(tasks) - len(durations)) / jobs
                bar.write(f"{task.title}: {durations[-1]:.0f} s" + f"; about {left / 60:.1f} min left" * (left > 0))
            time.sleep(0.05)
    except BaseException:
        _stop([task for task in running if task.process])
        raise


def _stop(tasks):
    """Interrupt the processes, which then end their kernels; kill those that do not."""
    for task in tasks:
        task.process.send_signal(signal.SIGINT)
    for task in tasks:
        try:
            task.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            task.process.kill()
            task.process.wait()
        task.errors.close()


def is_finished(parameters, results_dir, data_dir):
    """Whether train.ipynb with these parameters has nothing left to do: its run is finished, on every test set.

    With parameters other than those that name a run here, the notebook itself finds out.
    """
    if parameters.keys() - {"model", "preset", "train_data", "seed", *recipes.CHANGES}:
        return False
    try:
        dataset = datasets.load(parameters.get("train_data", "synthetic10"), data_dir)
        record = records.read(run_folder(parameters, dataset, results_dir))
        names = datasets.available(data_dir, family=datasets.DATASETS[dataset.name].family)
        hashes = {name: datasets.load_test(name, data_dir).sha256 for name in names}
    except (datasets.DatasetError, records.RecordError):
        return False  # the notebook builds what is missing, or says what is wrong
    tested = {name: test["sha256"] for name, test in record["tests"].items()}
    return record["status"] == "finished" and hashes.items() <= tested.items()


def run_folder(parameters, dataset, results_dir):
    """The folder in which train.ipynb with these parameters leaves its run."""
    names = ("model", "preset", *recipes.CHANGES)
    recipe = recipes.variant(**{"model": "wrn"} | {name: parameters[name] for name in names if name in parameters})
    return pathlib.Path(results_dir) / "runs" / records.run_id(recipe, dataset, parameters.get("seed", 0))
