"""What all notebooks do first: check the parameters, set the folder, show the project's errors by their message."""

import ast
import html
import os
import pathlib
import traceback
import warnings
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any

import IPython
import pandas as pd
from IPython.display import display

from autoaug.files import ROOT, absolute
from autoaug.recipes import require_known

_PATHS = ("_dir", "_file", "checkpoint", "predictions")  # ends of the names of parameters that are paths
_REMEDIES = {str: ". Give a text by -r {name} {value}", list: ". Give a list by -y '{{{name}: [{value}]}}'",
             dict: ". Give names with values by -y '{{{name}: {{NAME: VALUE}}}}'"}  # fmt: skip


def start() -> None:
    """Check the notebook's parameters; make its paths absolute, from the repository's root in Jupyter as by papermill.

    From now on, the project's own errors are shown by their message, without the traceback.
    """
    shell = IPython.get_ipython()
    shell.set_custom_exc((Exception, KeyboardInterrupt), _show_error)
    warnings.formatwarning = lambda message, kind, *_: f"{kind.__name__}: {message}\n"  # a line, without code
    pd.set_option("display.width", 120)  # else tables printed as text are broken in two
    if pathlib.Path.cwd() == ROOT / "notebooks":
        os.chdir("..")
    check_parameters(shell.user_ns)


def check_parameters(namespace: MutableMapping[str, Any]) -> None:
    """Stop unless every parameter passed to the notebook is known and of its annotated type; make paths absolute.

    The notebook's parameters are the annotated names of its `parameters` cell (`epochs: int = 10`). Papermill writes
    the values that were passed into a new cell right after it, which begins with `# Parameters`. The namespace has
    IPython's `In` too, the sources of the cells run so far.
    """
    annotations = namespace.get("__annotations__", {})
    passed = next((cell for cell in reversed(namespace.get("In", [])) if cell.startswith("# Parameters\n")), "")
    for name in (ast.unparse(node.targets[0]) for node in ast.parse(passed).body if isinstance(node, ast.Assign)):
        require_known("parameter", name, annotations)
    for name, kind in annotations.items():
        value = namespace[name]
        if isinstance(value, bool) != (kind is bool) or not isinstance(value, (kind, int) if kind is float else kind):
            remedy = _REMEDIES.get(kind, "").format(name=name, value=value)
            raise ValueError(f"Expected {name}, {kind.__name__}. Received: {value!r} ({type(value).__name__}){remedy}")
        if not value and name in ("data_dir", "results_dir", "source_dir", "published_dir"):
            raise ValueError(f"Expected {name}, a folder. Received: {value!r}")
        if name.endswith(_PATHS) and isinstance(value, str) and value and "://" not in value:
            namespace[name] = str(absolute(value))


def _show_error(
    shell: Any, kind: type[BaseException], error: BaseException, trace: TracebackType | None, tb_offset: Any = None
) -> None:
    """Show errors whose message says what to do by this message, and all others as IPython does."""
    ours = type(error).__module__.split(".")[0] in ("autoaug", "data_prep")
    if ours or isinstance(error, OSError | FloatingPointError | KeyboardInterrupt) or "Expected " in str(error):
        text = html.escape("".join(traceback.format_exception(kind, error, trace)))
        display({"text/html": f"<details><summary>Traceback</summary><pre>{text}</pre></details>"}, raw=True)
        message = "\n".join([f"{kind.__name__}: {error}", *getattr(error, "__notes__", ())])
        vars(error)["_render_traceback_"] = lambda: [message]  # IPython shows this in the place of the traceback
    shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
