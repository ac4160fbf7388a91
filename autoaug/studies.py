"""Studies: which notebooks run with which parameters, in which order. Read from YAML, for this machine and SageMaker.

A study is a list of stages, which run one after another:

    - stage: trainings
      side_by_side: true              # the runs do not depend on each other; without it, they run one after another
      runs:
        - notebook: train             # a notebook in the folder of the YAML file, or else in notebooks/
          parameters: {model: wrn}    # values that differ from the notebook's defaults
          each: {seed: [0, 1]}        # lists of values; every combination is a run
          render: true                # this notebook becomes the report's page

The caller, not the file, says where data and results are.
"""

import ast
import dataclasses
import itertools
import json
import pathlib
import textwrap
from collections.abc import Iterator
from typing import Any

import yaml

from autoaug.files import ROOT, read_text
from autoaug.recipes import did_you_mean

_FOLDERS = {"data_dir", "results_dir"}
_STAGE_KEYS = {"stage", "runs", "side_by_side"}
_RUN_KEYS = {"notebook", "parameters", "each", "render"}
_MOST_BYTES, _MOST_DEPTH, _MOST_RUNS = 2**18, 20, 10_000
_DAMAGE = (OSError, yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError)  # errors that YAML can raise


class StudyError(ValueError):
    """A study's file is not as it should be."""


@dataclasses.dataclass(frozen=True)
class Run:
    """A notebook with parameters.

    Args:
        notebook: its file.
        parameters: values that differ from the notebook's defaults.
        known: names of all its parameters.
        render: whether it becomes the report's page.
    """

    notebook: pathlib.Path
    parameters: dict[str, Any]
    known: frozenset[str]
    render: bool = False


@dataclasses.dataclass(frozen=True)
class Stage:
    """Runs that start when the previous stage has ended.

    Args:
        name: for readers.
        runs: in order.
        side_by_side: whether several may run at a time.
    """

    name: str
    runs: tuple[Run, ...]
    side_by_side: bool = False


def read(path: pathlib.Path) -> list[Stage]:
    """The stages of a study.

    Raises:
        StudyError: the message names the file and the entry, what was expected and what was received.
    """
    try:
        text = read_text(path, _MOST_BYTES)
        _require_plain(text)
        listed = yaml.safe_load(text)
    except _DAMAGE as error:
        raise StudyError(f"{path}: Expected a list of stages in YAML. Received: {error}") from error
    if not isinstance(listed, list) or not listed:
        raise StudyError(f"{path}: Expected a list of stages. Received: {_shown(listed)}")
    stages: list[Stage] = []
    for number, stage in enumerate(listed, 1):
        stages.append(_stage(stage, f"{path}, stage {number}", path.parent))
        if sum(len(stage.runs) for stage in stages) > _MOST_RUNS:
            raise StudyError(f"{path}: Expected at most {_MOST_RUNS:,} runs. Received: more, in stages 1 to {number}")
    return stages


def _require_plain(text: str) -> None:
    """Raise ValueError for YAML that would take long to read: deeply nested, or with aliases."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MOST_DEPTH:
            raise ValueError("values nested too deeply")
        if isinstance(event, yaml.AliasEvent):
            raise ValueError(f"the alias *{event.anchor}; write out its value")


def _shown(value: object) -> str:
    return textwrap.shorten(repr(value), 300)


def _stage(stage: Any, place: str, folder: pathlib.Path) -> Stage:
    _require_keys(stage, {"stage", "runs"}, _STAGE_KEYS, place)
    name, entries, side_by_side = stage["stage"], stage["runs"], stage.get("side_by_side", False)
    if not isinstance(name, str) or not isinstance(side_by_side, bool) or not isinstance(entries, list) or not entries:
        raise StudyError(
            f"{place}: Expected stage, a name; runs, a list; and side_by_side, true or false. Received: {_shown(stage)}"
        )
    runs = (run for number, entry in enumerate(entries, 1) for run in _runs(entry, f"{place}, run {number}", folder))
    return Stage(name, tuple(itertools.islice(runs, _MOST_RUNS + 1)), side_by_side)


def _runs(entry: Any, place: str, folder: pathlib.Path) -> Iterator[Run]:
    """The runs of an entry: one for each combination of the values in `each`."""
    _require_keys(entry, {"notebook"}, _RUN_KEYS, place)
    notebooks = {path.stem: path for place in (ROOT / "notebooks", folder) for path in sorted(place.glob("*.ipynb"))}
    name, render = entry["notebook"], entry.get("render", False)
    if not isinstance(name, str) or name not in notebooks:
        raise StudyError(
            f"{place}: Expected notebook, one of {', '.join(notebooks)}. Received: {_shown(name)}"
            f"{did_you_mean(name, notebooks)}"
        )
    parameters, lists = entry.get("parameters", {}), entry.get("each", {})
    if not isinstance(parameters, dict) or not isinstance(render, bool):
        raise StudyError(
            f"{place}: Expected parameters, names with values, and render, true or false. Received: {_shown(entry)}"
        )
    if not isinstance(lists, dict) or not all(isinstance(values, list) and values for values in lists.values()):
        raise StudyError(f"{place}: Expected each, names with lists of values. Received: {_shown(lists)}")
    known = parameter_names(notebooks[name])
    for parameter in (*parameters, *lists):
        if parameter not in (allowed := sorted(known - _FOLDERS)):
            raise StudyError(
                f"{place}: Expected parameters of {', '.join(allowed)}. Received: {str(parameter)[:100]}"
                f"{did_you_mean(parameter, allowed)}"
            )
    for values in itertools.product(*lists.values()):
        yield Run(notebooks[name], parameters | dict(zip(lists, values, strict=True)), known, render)


def parameter_names(notebook: pathlib.Path) -> frozenset[str]:
    """The annotated names in a notebook's `parameters` cell."""
    cells = json.loads(notebook.read_text())["cells"]
    (source,) = ("".join(cell["source"]) for cell in cells if "parameters" in cell["metadata"].get("tags", []))
    return frozenset(
        node.target.id
        for node in ast.parse(source).body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    )


def _require_keys(entry: Any, needed: set[str], known: set[str], place: str) -> None:
    if not isinstance(entry, dict) or not needed <= set(entry) <= known:
        raise StudyError(
            f"{place}: Expected the keys {', '.join(sorted(needed))}, and no others than {', '.join(sorted(known))}. "
            f"Received: {_shown(entry)}"
        )
