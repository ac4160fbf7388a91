"""Every notebook keeps the rules and runs from top to bottom."""

import ast
import re

import nbformat
import papermill
import pytest

from autoaug import datasets, records
from autoaug.files import ROOT
from autoaug.report import execution

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestRules:
    def test_is_valid_and_short_and_has_no_outputs(self, path):
        notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
        nbformat.validate(notebook)
        assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
        assert len(notebook.cells) <= 30
        assert not [cell for cell in notebook.cells if cell.get("outputs") or cell.get("execution_count")]
        assert notebook.metadata.kernelspec.name == "python3"

    def test_has_narrative_and_calls_but_no_definitions(self, path):
        notebook = nbformat.read(path, as_version=4)
        assert notebook.cells[0].cell_type == "markdown" and notebook.cells[0].source.startswith("# ")
        for cell in notebook.cells:
            if cell.cell_type == "code":
                kinds = {type(node) for node in ast.walk(ast.parse(cell.source))}
                assert not kinds & {ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef}, cell.source

    def test_parameters_are_annotated_commented_and_checked_at_once(self, path):
        code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        assert code[0].metadata.tags == ["parameters"]
        assert not [cell for cell in code[1:] if "parameters" in cell.metadata.get("tags", [])]
        for line in code[0].source.splitlines():
            assert re.fullmatch(r"[a-z_]+: [a-z]+ = .+  # .+", line), line
        assert code[1].source == "from autoaug.notebook import start\n\nstart()"


def execute(name, tmp_path, **parameters):
    out = tmp_path / f"{name}.ipynb"
    papermill.execute_notebook(ROOT / "notebooks" / f"{name}.ipynb", out, parameters, cwd=tmp_path, progress_bar=False)
    return nbformat.read(out, as_version=4)


def text_of(notebook):
    return "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))


def test_train_leaves_a_finished_run_and_goes_no_further_the_second_time(tmp_path):
    executed = execute("train", tmp_path, model="wrn", epochs=1)
    first = text_of(executed)
    outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2  # the data and the curves
    (folder,) = (tmp_path / "results" / "runs").iterdir()
    record = records.read(folder)
    assert record["status"] == "finished"
    assert record["recipe"]["model"] == "wrn" and record["recipe"]["epochs"] == 1
    assert record["tests"]["synthetic10"]["total"] == 2_000
    assert f"{record['machine']['device']}. Precision float32, TensorFloat-32 off, XLA off." in first
    assert "Estimated duration" in first and "step 40/40" in first
    assert first.count("\n") < 60
    written = (folder / "history.csv").stat().st_mtime_ns
    second = text_of(execute("train", tmp_path, model="wrn", epochs=1))
    assert "Estimated duration" not in second
    assert (folder / "history.csv").stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"modle": "wrn"}, "Received: modle. Did you mean model?"),
        ({"epochs": "ten"}, "Expected epochs, int. Received: 'ten' (str)"),
        ({"model": "vgg"}, "Received: 'vgg'"),
        ({"seed": -1}, "Expected seed, an integer from 0 to 2,147,483,647. Received: seed=-1"),
        ({"preset": "huge"}, "Received: preset='huge'"),
        ({"device": "tpu"}, "Received: device='tpu'"),
        ({"preset": "paper", "model": "pyramid"}, "Expected a GPU for the published recipe"),
        ({"epochs": -1}, "Received: epochs=-1"),
        ({"train_data": "cifar10_10k"}, "cifar10_10k_train_py27"),
        ({"train_data": "cifar11"}, "Received: 'cifar11'. Did you mean cifar10?"),
    ],
)
def test_wrong_parameters_of_train_stop_before_anything_is_written(tmp_path, parameters, message):
    with pytest.raises(papermill.PapermillExecutionError) as error:
        execute("train", tmp_path, **parameters)
    assert message in str(error.value) and len(str(error.value).splitlines()) <= 5
    assert not (tmp_path / "results").exists()


def test_build_datasets_builds_and_shows_the_embedded_sets(tmp_path):
    executed = execute("build_datasets", tmp_path)
    assert set(datasets.available(tmp_path / "data")) == set(datasets.EMBEDDED)
    assert all(cell.execution_count for cell in executed.cells if cell.cell_type == "code")
    data = [output.get("data", {}) for cell in executed.cells for output in cell.get("outputs", [])]
    figures = sum("image/png" in output for output in data)
    assert figures == 2 * len(datasets.EMBEDDED) + 1  # examples and latents of each, and the overlap
    tables = "".join(output.get("text/plain", "") for output in data)
    for name in set(datasets.EMBEDDED) & set(datasets.KNOWN_TRUTH):
        assert name in tables and datasets.KNOWN_TRUTH[name].sentence[:20] in tables


def test_the_run_is_where_the_report_looks_for_it(tmp_path):
    parameters = {"model": "wrn", "epochs": 1, "train_data": "synthetic10", "seed": 3, "size": {"widen_factor": 1}}
    execute("train", tmp_path, **parameters)
    dataset = datasets.load("synthetic10", tmp_path / "data")
    (folder,) = (tmp_path / "results" / "runs").iterdir()
    assert execution.run_folder(parameters, dataset, tmp_path / "results") == folder
    assert execution.is_finished(parameters, tmp_path / "results", tmp_path / "data")


def test_explore_augmentation_runs_from_top_to_bottom(tmp_path):
    executed = execute("explore_augmentation", tmp_path, counted=200)
    assert (
        sum("image/png" in output.get("data", {}) for cell in executed.cells for output in cell.get("outputs", [])) >= 6
    )
