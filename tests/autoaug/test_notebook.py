"""Parameters that papermill passes in, errors as people see them, the table of a run's tests."""

import types

import numpy as np
import pytest
import run_files

from autoaug import notebook
from autoaug.notebook import ParameterError, accuracies, check_parameters
from autoaug.runs import RecordError

ANNOTATIONS = {"model": str, "epochs": int, "rate": float, "sets": list}
DEFAULTS = {"model": "wrn", "epochs": 0, "rate": 0.5, "sets": []}


def namespace(**passed):
    cell = "# Parameters\n" + "".join(f"{name} = {value!r}\n" for name, value in passed.items())
    cells = ["", "model: str = 'wrn'", cell, "start()"]
    return {"__annotations__": ANNOTATIONS, "In": cells, **DEFAULTS, **passed}


@pytest.mark.parametrize(
    "passed", [{}, {"model": "ss32", "epochs": 3}, {"rate": 1}, {"sets": ["a"]}, {"epochs": 0, "rate": 0.1}]
)
def test_known_parameters_of_their_types_pass(passed):
    check_parameters(namespace(**passed))


def test_by_hand_there_is_no_cell_of_papermill():
    check_parameters({"__annotations__": ANNOTATIONS, "In": ["", "unrelated = 3"], "unrelated": 3, **DEFAULTS})


def test_an_unknown_parameter_is_answered_with_the_one_that_is_meant_or_with_all():
    with pytest.raises(ParameterError, match=r"Expected a parameter of the .*Received: modle\. Did you mean model\?"):
        check_parameters(namespace(modle="wrn"))
    with pytest.raises(ParameterError, match=r"a parameter of model, epochs, rate, sets\. Received: zzz$"):
        check_parameters(namespace(zzz="wrn"))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [("epochs", "ten", "int"), ("epochs", 1.5, "int"), ("epochs", True, "int"),
     ("rate", "0.1", "float"), ("model", 32, "str"), ("sets", "cifar10", "list")],
)  # fmt: skip
def test_value_of_another_type(name, value, expected):
    with pytest.raises(ParameterError) as error:
        check_parameters(namespace(**{name: value}))
    assert f"Expected {name}, {expected}. Received: {value!r}" in str(error.value)


def test_a_folder_for_results_that_cannot_be_written_is_named_before_any_work(tmp_path, monkeypatch):
    names = {"__annotations__": {"results_dir": str}, "In": []}
    check_parameters(names | {"results_dir": str(tmp_path / "new" / "folder")})
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ParameterError, match=f"Expected results_dir, a folder.*Received: {folder}"):
            check_parameters(names | {"results_dir": str(folder)})
    monkeypatch.setattr("os.access", lambda *_: False)  # the tests may run as root, who may write anywhere
    with pytest.raises(ParameterError, match=f"Received: {tmp_path / 'new'}"):
        check_parameters(names | {"results_dir": str(tmp_path / "new")})


def test_accuracies_are_percent_with_one_interval_and_say_what_is_left_out(tmp_path):
    labels, rng = np.arange(2000) % 10, np.random.default_rng(0)
    tests = {
        "synthetic10": run_files.predictions(rng, labels, 1),
        "cifar10": run_files.predictions(rng, labels, 1, labels),
    }
    tests["synthetic10"]["labels"] = np.where(np.arange(2000) < 36, (labels + 1) % 10, labels)
    tests["cifar10"]["overlap"][:] = True
    table = accuracies(tmp_path / "runs" / run_files.write(tmp_path, "synthetic10", tests))
    assert table["accuracy, % [95 %]"].to_dict() == {
        "synthetic10": "98.2 [97.5, 98.7]",
        "cifar10": "all 2,000 left out",
    }
    assert table.loc["synthetic10", "correct"] == "1,964 of 2,000"
    assert table.loc["cifar10", "left out"] == "2,000"


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
