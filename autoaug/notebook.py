"""Functions that all notebooks share: check the parameters, set the folder, show short errors and test tables."""

import ast
import html
import os
import pathlib
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import IPython
import pandas as pd
from IPython.display import display

from autoaug import runs
from autoaug.files import ROOT
from autoaug.recipes import did_you_mean

_LINE = 120  # characters in a line of a table printed as text; pandas breaks wider ones in two


class ParameterError(ValueError):
    """A notebook was given an unknown parameter, or a value of the wrong type."""


def start() -> None:
    """Check the notebook's parameters; in Jupyter, change from notebooks/ to the repository's root.

    So `data_dir="data"` means the same folder in Jupyter and with papermill. From now on, the project's own errors are
    shown by their message, without the traceback.

    Raises:
        ParameterError: as for `check_parameters`.
    """
    shell = IPython.get_ipython()
    shell.set_custom_exc((Exception, KeyboardInterrupt), _show_error)
    pd.set_option("display.width", _LINE)
    if pathlib.Path.cwd() == ROOT / "notebooks":
        os.chdir("..")
    check_parameters(shell.user_ns)


def check_parameters(namespace: Mapping[str, Any]) -> None:
    """Stop unless every parameter passed to the notebook is known and of its annotated type.

    The notebook's parameters are the annotated names of its `parameters` cell (`epochs: int = 10`). Papermill writes
    the values that were passed into a new cell right after it, which begins with `# Parameters`.

    Args:
        namespace: the notebook's names, with IPython's `In`, the sources of the cells run so far.

    Raises:
        ParameterError: the message names the parameter, what was expected and what was received.
    """
    annotations = namespace.get("__annotations__", {})
    for name in _passed_names(namespace.get("In", [])):
        if name not in annotations:
            meant = did_you_mean(name, annotations)
            known = f"a parameter of {', '.join(annotations)}" if not meant else "a parameter of the notebook"
            raise ParameterError(f"Expected {known}. Received: {name}{meant}")
    for name, annotation in annotations.items():
        value = namespace[name]
        if not _is_a(value, annotation):
            raise ParameterError(
                f"Expected {name}, {annotation.__name__}. Received: {value!r} ({type(value).__name__})"
            )
    if "results_dir" in annotations:
        _require_writable("results_dir", pathlib.Path(namespace["results_dir"]))


def accuracies(run_dir: str | os.PathLike[str]) -> pd.DataFrame:
    """The tests of a run as text: a row for each test set, accuracies with exact 95 % intervals.

    If all images of a test set are among the training images, the table says so.
    """
    rows = {}
    for test in runs.accuracies(run_dir).itertuples():
        counted = f"{100 * test.accuracy:.1f} [{100 * test.low:.1f}, {100 * test.high:.1f}]"
        rows[test.test_set] = {
            "source": test.test_source,
            "left out": f"{test.overlap:,}",
            "correct": f"{test.correct:,} of {test.total:,}" if test.total else "–",
            "accuracy, % [95 %]": counted if test.total else f"all {test.overlap:,} left out",
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("test set")


def _show_error(
    shell: Any, kind: type[BaseException], error: BaseException, trace: TracebackType | None, tb_offset: Any = None
) -> None:
    """Show the project's own errors by their message, and all others as IPython does."""
    if _is_own(error):
        text = html.escape("".join(traceback.format_exception(kind, error, trace)))
        display({"text/html": f"<details><summary>Traceback</summary><pre>{text}</pre></details>"}, raw=True)
        message = "\n".join([f"{kind.__name__}: {error}", *getattr(error, "__notes__", ())])
        vars(error)["_render_traceback_"] = lambda: [message]  # IPython shows this in the place of the traceback
    shell.showtraceback((kind, error, trace), tb_offset=tb_offset)


def _is_own(error: BaseException) -> bool:
    """Whether the error's message tells the user what to do, so that no traceback is needed."""
    ours = type(error).__module__.split(".")[0] in ("autoaug", "data_prep")
    return ours or isinstance(error, OSError | FloatingPointError | KeyboardInterrupt) or "Expected " in str(error)


def _require_writable(name: str, folder: pathlib.Path) -> None:
    """Stop unless files can be written below a folder; it need not exist yet."""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise ParameterError(f"Expected {name}, a folder that you may write to. Received: {folder} ({existing})")


def _passed_names(cells: list[str]) -> list[str]:
    """Names assigned in the newest cell that papermill wrote; none if the notebook is run by hand."""
    for source in reversed(cells):
        if source.startswith("# Parameters\n"):
            assigned = [node.targets[0] for node in ast.parse(source).body if isinstance(node, ast.Assign)]
            return [target.id for target in assigned if isinstance(target, ast.Name)]
    return []


def _is_a(value: object, annotation: type) -> bool:
    """Whether the value is of the type; an int counts as a float, a bool only as a bool."""
    if isinstance(value, bool):
        return annotation is bool
    return isinstance(value, annotation) or (annotation is float and isinstance(value, int))
