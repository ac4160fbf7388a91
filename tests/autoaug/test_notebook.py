"""Parameters that papermill passes in, errors as people see them, the table of a run's tests."""

import types

import pandas as pd
import pytest

from autoaug import notebook
from autoaug.notebook import check_parameters
from autoaug.runs import RecordError

ANNOTATIONS = {"model": str, "epochs": int, "rate": float, "sets": list, "size": dict, "data_dir": str}
DEFAULTS = {"model": "wrn", "epochs": 0, "rate": 0.5, "sets": [], "size": {}, "data_dir": "d"}


def namespace(**passed):
    cell = "# Parameters\n" + "".join(f"{name} = {value!r}\n" for name, value in passed.items())
    cells = ["", "model: str = 'wrn'", cell, "start()"]
    return {"__annotations__": ANNOTATIONS, "In": cells, **DEFAULTS, **passed}


@pytest.mark.parametrize(
    "passed", [{}, {"model": "ss32", "epochs": 3}, {"rate": 1}, {"sets": ["a"]}, {"epochs": 0, "rate": 0.1}]
)
def test_known_parameters_of_their_types_pass(passed):
    check_parameters(namespace(**passed))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("modle", "wrn", r"one of model, epochs, rate, .* Received: parameter='modle'\. Did you mean model\?"),
        ("epochs", "ten", r"Expected epochs, int\. Received: 'ten' \(str\)$"),
        ("epochs", 1.5, "Expected epochs, int"),
        ("epochs", True, "Expected epochs, int"),
        ("rate", "0.1", "Expected rate, float"),
        ("model", 2026, r"Received: 2026 \(int\)\. Give a text by -r model 2026"),
        ("sets", "X", r"Received: 'X' \(str\)\. Give a list by -y '\{sets: \[X\]\}'"),
        ("data_dir", "", "Expected data_dir, a folder. Received: ''$"),
        ("size", 3, r"\(int\)\. Give names with values by -y '\{size: \{NAME: VALUE\}\}'"),
    ],
)
def test_a_wrong_parameter_is_answered_with_what_is_meant(name, value, said):
    with pytest.raises(ValueError, match=said):
        check_parameters(namespace(**{name: value}))


def test_paths_are_absolute_and_begin_at_home_where_they_say_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    given = {"data_dir": "~/cifar", "results_dir": "r", "checkpoint": "a/b.ckpt-199", "predictions": "", "model": "m"}
    names = {"__annotations__": dict.fromkeys([*given, "measured_dir"], str), "In": [], **given}
    check_parameters(names := names | {"measured_dir": "s3://bucket/jobs"})
    assert (names["data_dir"], names["results_dir"]) == (str(tmp_path / "home" / "cifar"), str(tmp_path / "r"))
    assert names["checkpoint"] == str(tmp_path / "a" / "b.ckpt-199")
    assert (names["predictions"], names["measured_dir"], names["model"]) == ("", "s3://bucket/jobs", "m")


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (RecordError("a/b: expected a run's record"), "RecordError: a/b: expected a run's record"),
        (ValueError("Expected epochs"), "ValueError: Expected epochs"),
        (PermissionError(13, "Permission denied", "data"), "PermissionError: [Errno 13] Permission denied: 'data'"),
        (KeyError("a bug"), None),
    ],
)
def test_an_error_of_the_projects_own_is_a_line_and_any_other_has_its_traceback(error, shown, monkeypatch):
    """As IPython treats it: `_render_traceback_`, where an error has it, gives what is shown."""
    folded = []
    monkeypatch.setattr(notebook, "display", lambda data, raw: folded.append(data["text/html"]))
    shell = types.SimpleNamespace(showtraceback=lambda error, tb_offset: None)
    notebook._show_error(shell, type(error), error, None)
    if shown is None:
        assert not hasattr(error, "_render_traceback_") and not folded
    else:
        assert error._render_traceback_() == [shown]
        assert len(folded) == 1 and folded[0].startswith("<details>")


def test_a_warning_is_one_line_without_code(monkeypatch):
    shell = types.SimpleNamespace(user_ns={}, set_custom_exc=lambda kinds, handler: None)
    monkeypatch.setattr(notebook.IPython, "get_ipython", lambda: shell)
    monkeypatch.setattr(notebook.warnings, "formatwarning", None)
    with pd.option_context("display.width", 80):
        notebook.start()
    said = notebook.warnings.formatwarning("a is damaged", UserWarning, __file__, 1, "warn()")
    assert said == "UserWarning: a is damaged\n"
