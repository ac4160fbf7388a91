"""The record of a run: what was trained, on what, by which code. No counts: they are read from the predictions.

It is written when training starts, as "unfinished", and again when the last test set has been evaluated, as "finished".
Only finished runs are counted.
"""

import contextlib
import datetime
import hashlib
import importlib.metadata
import os
import pathlib
import platform
import re
import subprocess
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import filelock
import msgspec

from autoaug import recipes
from autoaug.datasets import Dataset, Label
from autoaug.files import ROOT, read_text, write_atomically

CHECKPOINTS, HISTORY, PREDICTIONS, MODEL = "checkpoints", "history.csv", "predictions", "model.keras"
"""Names in a run's folder, beside record.json."""

_PACKAGES = ("tensorflow", "tensorflow-cpu", "keras", "numpy", "numba")
_TIME = r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])(:[0-5][0-9]){2}Z\Z"

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,199}\Z")]
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Positive = Annotated[int, msgspec.Meta(ge=1, le=10**12)]
Kind = Literal["trained", "checkpoint", "predictions"]
Channels = Annotated[list[Annotated[float, msgspec.Meta(ge=0, le=1)]], msgspec.Meta(min_length=3, max_length=3)]


class RecordError(ValueError):
    """A file of a run is unreadable, or holds what it must not, or belongs to another run; the message names it."""


@contextlib.contextmanager
def reading(path: str | os.PathLike[str], expected: str) -> Iterator[None]:
    """In this context, whatever a damaged file raises becomes a RecordError that names it, in one line."""
    try:
        yield
    except Exception as error:  # NumPy, zipfile, pandas and Keras raise a dozen kinds of errors for damaged files
        said = (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
        line = re.sub("Expected `str` matching regex '.*'", "other characters, or too many", " ".join(said.split()))
        raise RecordError(f"{path}: Expected {expected}. Received: {line[:300]}") from error


class TrainData(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The training part of a data set; what is not known of a stranger's is None."""

    name: Name
    num_classes: Annotated[int, msgspec.Meta(ge=2, le=256)]
    train_size: Positive | None = None
    source: Label = "not known here"
    sha256: Sha256 | None = None
    mean: Channels | None = None
    std: Channels | None = None


class Test(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A test set that the run was evaluated on: where its images come from, and the hash of pixels and labels."""

    source: Label
    sha256: Sha256


class Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The commit, and whether files differ from it; None where that is not known."""

    commit: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{40}\Z")] | None
    dirty: bool | None


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The record. `family` is the models' name for readers; `recipe` is None if the model is a stranger's."""

    format: Literal[2]
    status: Literal["unfinished", "finished"]
    kind: Kind
    run_id: Name
    family: Label
    recipe: recipes.Recipe | None
    seed: recipes.Seed
    workers: Positive
    train_data: TrainData
    tests: dict[Name, Test]
    code: Code
    packages: dict[Name, Name]
    machine: dict[Name, Label | int | bool]
    parameters: Positive | None
    started: Annotated[str, msgspec.Meta(pattern=_TIME)]
    wall_seconds: Annotated[float, msgspec.Meta(ge=0, le=1e12)]


def read(folder: str | os.PathLike[str]) -> Record:
    """The record in a run's folder; a RecordError names the file and what is wrong with it."""
    path = pathlib.Path(folder) / "record.json"
    with reading(path, "a run's record"):
        text = read_text(path)
        record = msgspec.json.decode(text, type=Record)
        known = recipes.Recipe.__dataclass_fields__  # msgspec ignores unknown fields of a dataclass
        if unknown := (msgspec.json.decode(text)["recipe"] or {}).keys() - known.keys():
            raise ValueError(f"a recipe with unknown fields, {', '.join(sorted(unknown))[:80]!r}")
        return record


def write(folder: str | os.PathLike[str], record: Record) -> None:
    """Write the record to `folder/record.json`, whole or not at all."""
    content = msgspec.json.format(msgspec.json.encode(record), indent=2)
    write_atomically(pathlib.Path(folder) / "record.json", content + b"\n")


@contextlib.contextmanager
def lock(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Lock a run's folder, which is made; a crash releases the lock. A RecordError says that another process has it."""
    path = pathlib.Path(folder) / ".lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(path, timeout=0):
            yield
    except filelock.Timeout as error:
        raise RecordError(f"{folder}: another process is at work on this run. Wait for it or stop it.") from error


def name(recipe: recipes.Recipe | str, train_data: str, seed: int, workers: int = 1) -> str:
    """Name of a run: `wrn-cifar10-10k-small-seed0-1a2b3c4d`; the last part is a hash of all that defines it.

    `recipe` may be the name of a stranger's model. The data's content is not in the hash, but in the record.
    """
    recipes.check("seed", seed, recipes.Seed)
    identity = msgspec.json.encode([recipe, train_data, seed, *([workers] if workers > 1 else []), "trained"])
    model, preset = (recipe, []) if isinstance(recipe, str) else (recipes.SHORT_NAMES[recipe.model], [recipe.preset])
    parts = [model, train_data.replace("_", "-"), *preset, f"seed{seed}", hashlib.sha256(identity).hexdigest()[:8]]
    with reading("-".join(parts), "name and train_data of letters, digits, _, ., + and -"):
        return msgspec.convert("-".join(parts), Name)


def start(
    folder: str | os.PathLike[str],
    recipe: recipes.Recipe | None,
    train_data: Dataset | TrainData,
    seed: int,
    parameters: int | None,
    kind: Kind = "trained",
    workers: int = 1,
    computing: Mapping[str, Any] | None = None,
    family: str = "",
) -> Record:
    """Write the unfinished record of a new run, or return the existing record of the same run.

    Where the code's commit is not known, a line says so. If the folder holds the record of another run, a RecordError
    says in what it differs.

    Args:
        folder: the run's folder; it is made if it does not exist.
        recipe, seed, parameters, kind, workers: as in the record.
        train_data: the training set (for an imported model, the set that normalises its input).
        computing: what the record says of the device, if TensorFlow computes the model.
        family: the models' name for readers; empty: the recipe's title.
    """
    folder = pathlib.Path(folder)
    if isinstance(train_data, Dataset):
        data, (mean, std) = train_data, (list(map(float, each)) for each in (train_data.mean, train_data.std))
        size = len(data.train_labels)
        train_data = TrainData(data.name, data.num_classes, size, data.source, data.sha256, mean, std)
    if recipe and not family:
        family = recipes.title(recipe) + (f", {workers} workers" if workers > 1 else "")
    installed = (package for name in _PACKAGES for package in importlib.metadata.distributions(name=name))
    record = Record(
        format=2, status="unfinished", kind=kind, run_id=folder.name, recipe=recipe, seed=seed, workers=workers,
        family=family, train_data=train_data, tests={},
        code=code_version(), packages={package.name: package.version for package in installed}, parameters=parameters,
        machine={"platform": platform.platform(), "python": platform.python_version(), **(computing or {})},
        started=f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}", wall_seconds=0.0,
    )  # fmt: skip
    if (folder / "record.json").exists():
        earlier = _same_run(folder, read(folder), record)
        return earlier if kind == "trained" else record  # the answers are replaced
    if not record.code.commit:
        print(f"{folder.name}: the code's commit is not known (no git, or no checkout).", flush=True)
    with reading(folder, "a folder and names that a record may have"):
        record = msgspec.convert(msgspec.to_builtins(record), Record)
    write(folder, record)
    return record


def _same_run(folder: pathlib.Path, earlier: Record, record: Record) -> Record:
    """The earlier record; RecordError unless both have the same kind, recipe, seed, workers and data."""
    names = ("kind", "seed", "workers")
    old, new = (
        {name: one[name] for name in names} | (one["recipe"] or {}) | one["train_data"]
        for one in map(msgspec.to_builtins, (earlier, record))
    )
    if differing := [key for key in new | old if old.get(key) != new.get(key) and key not in ("mean", "std")]:
        said = "; ".join(f"{key}: {str(old.get(key))[:40]} there, {str(new.get(key))[:40]} now" for key in differing)
        raise RecordError(f"{folder} belongs to another run. {said}. Remove it, or give another results_dir.")
    return earlier


def code_version() -> Code:
    """The commit of this code, and whether files differ from it, if that is known.

    Only the folder of the code counts: variables such as GIT_DIR, which git's hooks set, may name another clone.
    """
    if (sent := ROOT / "code_version.json").exists():  # the source of a job is no checkout
        return msgspec.json.decode(sent.read_bytes(), type=Code)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", f"--git-dir={ROOT}/.git", f"--work-tree={ROOT}", "describe"]
    command += ["--always", "--exclude=*", "--abbrev=40", "--dirty"]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, cwd=ROOT)
    except (OSError, subprocess.CalledProcessError):  # no git, no checkout, or one without a commit
        return Code(None, None)
    commit, _, dirty = done.stdout.strip().partition("-")
    return Code(commit, bool(dirty))
