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
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from autoaug import recipes
from autoaug.datasets import Dataset
from autoaug.files import ROOT, read_text, remove_left_over, write_atomically

CHECKPOINTS, HISTORY, PREDICTIONS, MODEL = "checkpoints", "history.csv", "predictions", "model.keras"
"""Names in a run's folder, beside record.json."""

_TIME = "%Y-%m-%dT%H:%M:%SZ"
_PACKAGES = ("tensorflow", "tensorflow-cpu", "keras", "numpy", "numba")
_HIDDEN = "\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff0-\uffff"

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,199}\Z")]
Label = Annotated[str, msgspec.Meta(pattern=rf"^[^<>&{_HIDDEN}]{{1,200}}\Z")]  # for readers: no markup, nothing hidden
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Positive = Annotated[int, msgspec.Meta(ge=1, le=10**12)]
Kind = Literal["trained", "checkpoint", "predictions"]
Channels = Annotated[list[Annotated[float, msgspec.Meta(ge=0, le=1)]], msgspec.Meta(min_length=3, max_length=3)]


class RecordError(ValueError):
    """A file of a run is unreadable, or holds what it must not, or belongs to another run; the message names it."""


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a record, or all of it: no other fields, and each of its type."""


class TrainData(_Part, frozen=True):
    """The training part of a data set; what is not known of a stranger's is None."""

    name: Name
    num_classes: Annotated[int, msgspec.Meta(ge=2, le=256)]
    train_size: Positive | None
    source: Label
    sha256: Sha256 | None
    mean: Channels | None
    std: Channels | None


class Test(_Part, frozen=True):
    """A test set that the run was evaluated on: where its images come from, and the hash of pixels and labels."""

    source: Label
    sha256: Sha256


class Code(_Part, frozen=True):
    """The commit, and whether files differ from it; None where that is not known."""

    commit: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{40}\Z")] | None
    dirty: bool | None


class Record(_Part, frozen=True):
    """The record. `family` is the models' name for readers; `recipe` is None if the model is a stranger's."""

    format: Literal[2]
    status: Literal["unfinished", "finished"]
    kind: Kind
    run_id: Name
    family: Label
    recipe: recipes.Recipe | None
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
    workers: Positive
    train_data: TrainData
    tests: dict[Name, Test]
    code: Code
    packages: dict[Name, Name]
    machine: dict[Name, Label | int | bool]
    parameters: Positive | None
    started: str
    wall_seconds: Annotated[float, msgspec.Meta(ge=0, le=1e12)]

    def __post_init__(self) -> None:
        if not re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", self.started, re.ASCII):
            raise ValueError(f"Expected started, a time such as 2026-01-31T12:00:00Z. Received: {self.started[:40]!r}")
        datetime.datetime.strptime(self.started, _TIME)
        if self.kind != "predictions" and (self.recipe is None or self.train_data.mean is None):
            raise ValueError("Expected a recipe, and mean and std. Received: none")
        if self.recipe is not None and not all(re.fullmatch("[a-z_]{1,40}", name) for name in self.recipe.size):
            raise ValueError("Expected size, names with integers. Received: other names")

    def title(self) -> str:
        """The name of the models' family for readers; that of our own models follows from the recipe."""
        if self.kind != "trained" or self.recipe is None:
            return self.family
        return recipes.title(self.recipe) + (f", {self.workers} workers" if self.workers > 1 else "")


def read(folder: str | os.PathLike[str]) -> Record:
    """The record in a run's folder.

    Raises:
        RecordError: the message names the file and what is wrong with it.
    """
    path = pathlib.Path(folder) / "record.json"
    try:
        return _decode(read_text(path).encode())
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(f"{path}: Expected a run's record. Received: {error}") from error


def _decode(content: bytes) -> Record:
    """The record in JSON; ValueError for anything else. msgspec would ignore unknown fields of a recipe."""
    record = msgspec.json.decode(content, type=Record)
    unknown = (msgspec.json.decode(content)["recipe"] or {}).keys() - recipes.Recipe.__dataclass_fields__.keys()
    if unknown:
        raise ValueError(f"a recipe with unknown fields, {', '.join(sorted(unknown))[:80]!r}")
    return record


def write(folder: str | os.PathLike[str], record: Record) -> None:
    """Check the record and write it to `folder/record.json`, whole or not at all.

    Raises:
        RecordError: a value of it is not of its type or out of range.
    """
    path = pathlib.Path(folder) / "record.json"
    try:
        content = msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"
        _decode(content)
    except (ValueError, TypeError) as error:
        raise RecordError(f"{path}: Expected a run's record. Received: {error}") from error
    write_atomically(path, content)


def name(recipe: recipes.Recipe | str, train_data: str, seed: int, workers: int = 1, kind: Kind = "trained") -> str:
    """Name of a run: `wrn-cifar10-10k-small-seed0-1a2b3c4d`; the last part is a hash of all that defines it.

    `recipe` may be the name of a stranger's model. The data's content is not in the hash, but in the record.
    """
    recipes.check_seed(seed)
    parts = [recipe] if isinstance(recipe, str) else [recipes.SHORT_NAMES[recipe.model], recipe.preset]
    parts = [*([] if kind != "checkpoint" else [kind]), parts[0], train_data.replace("_", "-"), *parts[1:]]
    identity = msgspec.json.encode([recipe, train_data, seed, *([workers] if workers > 1 else []), kind])
    return "-".join([*parts, f"seed{seed}", hashlib.sha256(identity).hexdigest()[:8]])


def _described(dataset: Dataset) -> TrainData:
    """What a record says of the training part of a data set."""
    mean, std = ([float(value) for value in values] for values in (dataset.mean, dataset.std))
    size = len(dataset.train_labels)
    return TrainData(dataset.name, dataset.num_classes, size, dataset.source, dataset.sha256, mean, std)


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

    Half-written files of a killed process are removed. Where the code's commit is not known, a line says so.

    Args:
        folder: the run's folder; it is made if it does not exist.
        recipe, seed, parameters, kind, workers: as in the record.
        train_data: the training set (for an imported model, the set that normalises its input).
        computing: `devices.recorded()`, if TensorFlow computes the model.
        family: the models' name for readers; empty: the recipe's title.

    Raises:
        RecordError: the folder holds the record of another run; the message says in what it differs.
    """
    folder = pathlib.Path(folder)
    remove_left_over(folder)
    code, unknown = code_version()
    record = Record(
        format=2,
        status="unfinished",
        kind=kind,
        run_id=folder.name,
        family=family or (recipes.title(recipe) if recipe else ""),
        recipe=recipe,
        seed=seed,
        workers=workers,
        train_data=_described(train_data) if isinstance(train_data, Dataset) else train_data,
        tests={},
        code=code,
        packages=package_versions(),
        machine={
            "platform": platform.platform(), "processor": processor(), "python": platform.python_version(),
            "cpus": os.cpu_count() or 1, **(computing or {}),
        },
        parameters=parameters,
        started=datetime.datetime.now(datetime.UTC).strftime(_TIME),
        wall_seconds=0.0,
    )  # fmt: skip
    if (folder / "record.json").exists():
        earlier = read(folder)
        _require_same_run(folder, earlier, record)
        return earlier
    if unknown:
        print(f"{folder.name}: the code's commit is not known, and the record says so: {unknown}", flush=True)
    write(folder, record)
    return record


def _require_same_run(folder: pathlib.Path, earlier: Record, record: Record) -> None:
    """Raise unless both records have the same kind, recipe, seed, workers and data."""
    differences: list[str] = []
    for part in ("kind", "recipe", "seed", "workers", "train_data"):
        old, new = (msgspec.to_builtins({part: getattr(one, part)}) for one in (earlier, record))
        if isinstance(old[part], dict) and isinstance(new[part], dict):
            old, new = old[part], new[part]
        differences += [f"{key}: {old[key]} there, {new[key]} now" for key in new if old[key] != new[key]]
    if differences:
        raise RecordError(f"{folder} belongs to another run. {'; '.join(differences)}. Use another folder.")


def code_version() -> tuple[Code, str]:
    """The commit of this code, and whether files differ from it; and why they are not known, if they are not.

    Only the folder of the code counts: variables such as GIT_DIR, which git's hooks set, may name another clone.
    """
    if (sent := ROOT / "code_version.json").exists():  # the source of a job is no checkout
        code = msgspec.json.decode(sent.read_bytes(), type=Code)
        return code, "" if code.commit else "it was not known where the job was submitted."
    try:
        _git("ls-files", "--error-unmatch", "autoaug/runs/record.py")  # else ROOT may lie in another repository
        commit, dirty = _git("rev-parse", "HEAD"), bool(_git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError) as error:  # no git, no checkout, or that of another user
        return Code(None, None), " ".join(str(getattr(error, "stderr", "") or error).split())[:200]
    return Code(commit, dirty), ""


def _git(*arguments: str) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()


def processor() -> str:
    """The processor's name, as the system reports it."""
    with contextlib.suppress(OSError):
        if named := re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE):
            return named[1]
    return platform.processor() or platform.machine()


def package_versions() -> dict[str, str]:
    """Versions of the installed packages that the numbers depend on."""
    versions = {}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions
