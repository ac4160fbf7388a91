"""What every notebook does first: check the parameters that papermill passed in, and stand where paths begin."""

import ast
import os
import pathlib

from autoaug.files import ROOT


class ParameterError(ValueError):
    """A notebook was given a parameter it does not know, or a value of another type."""


def start(namespace):
    """Check the parameters; opened by hand, move from notebooks/ to the repository's root, where papermill starts.

    So `data_dir="data"` means the same folder either way.
    """
    check_parameters(namespace)
    if pathlib.Path.cwd() == ROOT / "notebooks":
        os.chdir("..")


def check_parameters(namespace):
    """Stop unless every parameter passed to the notebook is known and of its annotated type.

    The notebook's parameters are the annotated names of its `parameters` cell (`epochs: int = 10`); papermill
    writes what was passed into a cell of its own right after it, which begins with `# Parameters`.

    Args:
        namespace: the notebook's `globals()`, with IPython's `In`, the sources of the cells run so far.

    Raises:
        ParameterError: naming the parameter, what was expected and what was received.
    """
    annotations = namespace.get("__annotations__", {})
    known = ", ".join(f"{name}: {annotation.__name__}" for name, annotation in annotations.items())
    for name in _passed_names(namespace.get("In", [])):
        if name not in annotations:
            raise ParameterError(f"Unknown parameter {name!r}. Expected one of: {known}.")
    for name, annotation in annotations.items():
        if not _is_a(namespace[name], annotation):
            raise ParameterError(
                f"Parameter {name!r}: expected {annotation.__name__}. Received: {namespace[name]!r} "
                f"({type(namespace[name]).__name__}). The parameters are: {known}."
            )


def _passed_names(cells):
    """Names assigned in the newest cell that papermill wrote; none where the notebook is run by hand."""
    for source in reversed(cells):
        if source.startswith("# Parameters\n"):
            return [node.targets[0].id for node in ast.parse(source).body if isinstance(node, ast.Assign)]
    return []


def _is_a(value, annotation):
    """Whether the value is of the type; an int passes as a float, a bool as nothing else."""
    if isinstance(value, bool):
        return annotation is bool
    return isinstance(value, annotation) or (annotation is float and isinstance(value, int))
