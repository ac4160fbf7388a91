"""Studies: which notebooks run with which parameters, in which order. Read from YAML, carried out by papermill.

A study is a list of stages, which run one after another:

    # Cost: 6 trainings, 8 hours on one GPU.    (this paragraph of the leading comment is shown before the start)
    - stage: trainings
      side_by_side: true              # the runs do not depend on each other; without it, they run one after another
      runs:
        - notebook: train             # a notebook in the folder of the YAML file, or else in notebooks/
          parameters: {model: wrn}    # values that differ from the notebook's defaults
          each: {seed: [0, 1]}        # lists of values; every combination is a run
          render: true                # this notebook becomes the report's page

The caller, not the file, says where data and results are. A run that is named twice is one run.
"""

import ctypes
import dataclasses
import functools
import itertools
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, NamedTuple

import msgspec
import tqdm
import yaml

from autoaug import datasets, recipes, runs
from autoaug.files import ROOT, absolute, check_yaml, parameters_of, read_text
from autoaug.recipes import require_known
from autoaug.runs import record

_TRAIN, _DATA = ROOT / "notebooks" / "train.ipynb", ROOT / "data"
_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
# PR_SET_PDEATHSIG of prctl(2): Linux ends the process when its parent ends.
_END_WITH_PARENT = functools.partial(ctypes.CDLL(None).prctl, 1, signal.SIGTERM) if sys.platform == "linux" else None


class StudyError(ValueError):
    """A study's file is not as it should be, or the study may not start."""


class NotebookError(RuntimeError):
    """A notebook of a study failed."""


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    notebook: str
    parameters: dict[str, Any] = {}
    each: dict[str, Annotated[list[Any], msgspec.Meta(min_length=1)]] = {}
    render: bool = False


class _Listed(msgspec.Struct, forbid_unknown_fields=True):
    stage: str
    runs: Annotated[list[_Entry], msgspec.Meta(min_length=1)]
    side_by_side: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class StudyRun:
    """A notebook with the parameters that differ from its defaults, and all (`given`); `render`: it becomes a page."""

    notebook: pathlib.Path
    parameters: dict[str, Any]
    given: dict[str, Any]
    render: bool

    @property
    def title(self) -> str:
        """The notebook's name and the parameters."""
        return " ".join([self.notebook.stem, *(f"{name}={value}" for name, value in self.parameters.items())])

    @property
    def recipe(self) -> recipes.Recipe | None:
        """What a run of train.ipynb trains; None for other notebooks."""
        if self.notebook != _TRAIN:
            return None
        changes = {name: self.given[name] for name in recipes.CHANGES}
        return recipes.variant(self.given["model"], self.given["preset"], **changes)

    @property
    def identity(self) -> str:
        """The same for two runs that leave the same results, whichever of its names the model has."""
        if not self.recipe:
            return f"{self.notebook} {self.given}"
        return record.name(self.recipe, *(self.given[name] for name in ("train_data", "seed", "workers")))


class Stage(NamedTuple):
    """Runs that start when the previous stage has ended; several at a time if they run side by side."""

    runs: tuple[StudyRun, ...]
    side_by_side: bool


def read(path: pathlib.Path, data_dir: pathlib.Path = _DATA) -> list[Stage]:
    """The stages of a study; StudyError names the file, what was expected and what was received.

    Training sets must be built in, or in data_dir, or built by the study before; notebooks of one's own may build any.
    """
    stages, seen, built = [], dict[str, StudyRun](), set[str]()
    try:
        text = read_text(path, most_bytes=2**18)
        check_yaml(text, path.name)
        for stage in msgspec.convert(yaml.safe_load(text), list[_Listed]):
            runs = [run for entry in stage.runs for run in _runs(entry, path.parent.resolve())]
            built |= {name for run in runs for name in run.given.get("own", {})}
            are_ours = all(run.notebook.parent == _TRAIN.parent for run in (*seen.values(), *runs))
            for run in runs:
                if run.recipe and are_ours and (name := run.given["train_data"]) not in built:
                    if not (spec := datasets.spec(name, data_dir)).training_files:
                        raise ValueError(f"Expected train_data, a data set with a training part. Received: {name}")
                    run.recipe.steps_per_epoch(spec.train_size - run.recipe.validation_size)
            new = tuple(run for run in runs if seen.setdefault(run.identity, run) is run)
            stages.append(Stage(new, stage.side_by_side))
    except (OSError, yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError) as error:  # YAML's dates too
        raise StudyError(f"{path}: {str(error).replace(', got', '. Received:')}") from error
    return stages


def _runs(entry: _Entry, folder: pathlib.Path) -> Iterator[StudyRun]:
    """The runs of an entry: one for each combination of the values in `each`."""
    notebooks = {file.stem: file for place in (ROOT / "notebooks", folder) for file in place.glob("*.ipynb")}
    require_known("notebook", entry.notebook, notebooks)
    defaults = parameters_of(notebooks[entry.notebook])
    for name in (*entry.parameters, *entry.each):
        require_known("parameter", name, sorted(defaults.keys() - {"data_dir", "results_dir"}))
    bounds = {("confidence", float): Annotated[float, msgspec.Meta(gt=0, lt=1)], ("judges", list): list[str]}
    fields = [(name, bounds.get((name, type(of)), type(of))) for name, of in defaults.items()]
    kinds = msgspec.defstruct("Parameters", fields)
    for values in itertools.product(*entry.each.values()):
        parameters = entry.parameters | dict(zip(entry.each, values, strict=True))
        msgspec.convert(defaults | parameters, kinds)
        run = StudyRun(notebooks[entry.notebook], parameters, defaults | parameters, entry.render)
        if run.recipe:
            recipes.check_options(run.given)
        yield run


def run(
    path: pathlib.Path, results_dir: pathlib.Path, data_dir: pathlib.Path = _DATA, jobs: int = 1, yes: bool = False
) -> pathlib.Path | None:
    """Carry out a study, its notebooks in the repository's root; trainings that are finished are left out.

    Args:
        path: the YAML.
        results_dir, data_dir: passed to every notebook that has such a parameter.
        jobs: notebooks at a time in stages that run side by side; with GPUs, each GPU has one.
        yes: train published recipes without asking.

    Returns:
        The executed copy of the notebook with `render: true`; None if there is none, or the user does not start.
    """
    stages, gpus = read(path, data_dir), _gpus()
    folders = {"data_dir": absolute(data_dir), "results_dir": absolute(results_dir)}
    runs = [run for stage in stages for run in stage.runs]
    due = [run for run in runs if not is_finished(run, **folders)]
    if not _may_start(path, due, len(runs) - len(due), yes):
        return None
    (place := folders["results_dir"] / "report" / "notebooks").mkdir(parents=True, exist_ok=True)
    names = [re.sub(r"[^\w=.]+", "-", f"{number:02} {run.title}")[:150] for number, run in enumerate(runs, 1)]
    copies = {run: place / f"{name}.ipynb" for run, name in zip(runs, names, strict=True)}
    with tqdm.tqdm(total=len(due), unit="notebook", disable=None) as bar:
        for stage in stages:
            slots = (gpus or [""] * jobs) if stage.side_by_side else [",".join(gpus)]
            left = [run for run in stage.runs if not is_finished(run, **folders)]  # on the data that are there by now
            _execute({run: copies[run] for run in left}, slots, folders, bar)
    return next((copy for run, copy in copies.items() if run.render), None)


def is_finished(run: StudyRun, data_dir: pathlib.Path, results_dir: pathlib.Path) -> bool:
    """Whether it is a training whose run is finished on the data as they are now."""
    folder = results_dir / "runs" / run.identity
    return bool(run.recipe) and runs.is_up_to_date(folder, run.given["train_data"], data_dir)


def _may_start(path: pathlib.Path, due: Sequence[StudyRun], done: int, yes: bool) -> bool:
    """Say what is due and what it costs, and ask before published recipes."""
    print(f"{path}: {done} notebooks are done, {len(due)} are due.", *(f"    {run.title}" for run in due), sep="\n")
    if cost := re.search(r"^# (Cost: .*(?:\n# .*)*)", path.read_text("utf-8"), re.MULTILINE):
        print(cost[1].replace("\n# ", "\n"), flush=True)
    if yes or not any(run.recipe and run.recipe.preset == "paper" for run in due):
        return True
    if not (sys.stdin and sys.stdin.isatty()):
        raise StudyError("Expected YES=1 (--yes) to train published recipes, or a terminal. Received: neither")
    print("Start? [y/N]", end=" ", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")  # nothing at Ctrl-D


def _gpus() -> list[str]:
    """The GPUs of this machine, by their names in CUDA_VISIBLE_DEVICES."""
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name for name in visible.split(",") if name.strip() not in ("", "-1")]
    if not shutil.which("nvidia-smi"):
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False).stdout
    return re.findall(r"^GPU (\d+)", listed, re.MULTILINE)


def _start(run: StudyRun, copy: pathlib.Path, passed: dict[str, Any], env: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start papermill for a notebook, in a process that ends with this one; what it prints is kept beside the copy."""
    command = [sys.executable, "-m", "autoaug.papermill_command", str(run.notebook), str(copy), "--cwd", str(ROOT)]
    command += ["-y", yaml.safe_dump(passed), "--no-progress-bar", "--log-level=CRITICAL"]
    command += ["--stdout-file=-", "--stderr-file=-"]
    with copy.with_suffix(".log").open("wb") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=os.environ | env,
            start_new_session=True, preexec_fn=_END_WITH_PARENT,  # Ctrl-C reaches only this process, which passes it on
        )  # fmt: skip


def _execute(
    copies: dict[StudyRun, pathlib.Path], slots: Sequence[str], folders: dict[str, pathlib.Path], bar: "tqdm.tqdm[Any]"
) -> None:
    """Execute runs, one in each slot (a GPU, or empty); stop all of them if one fails or at an interrupt."""
    waiting, free = list(copies), list(slots)
    threads = dict.fromkeys(_THREADS, str(max(1, (os.cpu_count() or 1) // len(slots))))  # results depend on it
    running: dict[subprocess.Popen[bytes], tuple[StudyRun, str]] = {}
    try:
        while waiting or running:
            while waiting and free:
                run, gpu = waiting.pop(0), free.pop()
                passed = {name: str(folder) for name, folder in folders.items() if name in run.given} | run.parameters
                running[_start(run, copies[run], passed, {"CUDA_VISIBLE_DEVICES": gpu} if gpu else threads)] = run, gpu
            time.sleep(0.1)
            for process in [process for process in running if process.poll() is not None]:
                run, gpu = running.pop(process)
                free.append(gpu)
                log, mark = copies[run].with_suffix(".log").read_text("utf-8", errors="replace"), "\nError: "
                for line in re.findall(r"^UserWarning: Left out.*", log, re.MULTILINE):
                    bar.write(line, file=sys.stderr)
                if process.returncode:
                    raise NotebookError(f"{log[max(0, log.rfind(mark)) :].strip()[-2000:]}\nFailed: {run.title}")
                bar.write(f"Done: {run.title}")
                bar.update()
    finally:
        for process in running:
            process.send_signal(signal.SIGINT)  # a training writes a checkpoint first
        for process in running:
            process.wait()  # a second Ctrl-C ends this process, and Linux the others
