"""Studies read from YAML."""

import nbformat
import pytest
import yaml

from autoaug import studies
from autoaug.files import ROOT


@pytest.fixture
def folder(tmp_path):
    """A folder with the notebooks `first`, whose parameters are count and results_dir, and `second`, without any."""
    for name, source in (("first", 'results_dir: str = "r"\ncount: int = 1'), ("second", "")):
        cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / f"{name}.ipynb")
    return tmp_path


def read(folder, content):
    (folder / "study.yml").write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return studies.read(folder / "study.yml")


def test_stages_follow_each_other_and_every_combination_is_a_run(folder):
    entry = {"notebook": "first", "parameters": {"count": 0}, "each": {"count": [1, 2]}}
    pair, page = read(
        folder,
        [
            {"stage": "pair", "side_by_side": True, "runs": [entry]},
            {"stage": "page", "runs": [{"notebook": "second", "render": True}]},
        ],
    )
    assert (pair.name, pair.side_by_side, page.side_by_side) == ("pair", True, False)
    assert [run.parameters for run in pair.runs] == [{"count": 1}, {"count": 2}]
    assert pair.runs[0].known == {"count", "results_dir"} and not pair.runs[0].render
    assert page.runs == (studies.Run(folder / "second.ipynb", {}, frozenset(), render=True),)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("- [", "Expected a list of stages in YAML"),
        ("{}", r"Expected a list of stages. Received: {}"),
        ("- notebook: train", "stage 1: Expected the keys runs, stage, and no others than runs, side_by_side, stage"),
        ([{"stage": "a", "runs": []}], "stage 1: Expected stage, a name; runs, a list"),
        ([{"stage": "a", "runs": [{"notebook": "first"}], "side_by_side": 2}], "side_by_side, true or false"),
    ],
)
def test_wrong_stages_are_refused(folder, content, message):
    with pytest.raises(studies.StudyError, match=f"study.yml.*{message}"):
        read(folder, content)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ({"notebok": "first"}, "Expected the keys notebook, and no others than each, notebook"),
        ({"notebook": "first", "parametres": {}}, "each, notebook, parameters, render.*parametres"),
        ({"notebook": "frist"}, "one of .*train, first, second. Received: 'frist'. Did you mean first?"),
        ({"notebook": "../first"}, "Expected notebook, one of .*train, first, second"),
        ({"notebook": "first", "parameters": {"cuont": 1}}, "of count. Received: cuont. Did you mean count?"),
        ({"notebook": "first", "parameters": {"results_dir": "x"}}, "Received: results_dir"),
        ({"notebook": "first", "each": {"results_dir": ["x"]}}, "Received: results_dir"),
        ({"notebook": "first", "each": {"count": 1}}, "Expected each, names with lists of values"),
        ({"notebook": "first", "each": {"count": []}}, "Expected each, names with lists of values"),
        ({"notebook": "first", "parameters": [1]}, "Expected parameters, names with values"),
        ({"notebook": "first", "render": "yes"}, "render, true or false"),
    ],
)
def test_wrong_runs_are_refused_by_their_place(folder, run, message):
    with pytest.raises(studies.StudyError, match=f"stage 1, run 2: .*{message}"):
        read(folder, [{"stage": "a", "runs": [{"notebook": "second"}, run]}])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("- stage: caf\u00e9".encode("latin-1"), "can't decode"),
        (b"[" * 100_000, "nested too deeply"),
        (b"- " * 10_000 + b"a", "nested too deeply"),
        (b"- &a [x]\n- [*a, *a]", r"the alias \*a"),
        (b"- " + b"9" * 100_000, "Exceeds the limit"),
        (b"- !!timestamp x", "Expected a list of stages in YAML"),
        (b"- !!int ''", "Expected a list of stages in YAML"),
        (b"- 2026-99-99", "month must be in 1..12"),
        (b"#" * 2**18 + b"\n- a", "more than 262,144"),
        (b"- {stage: a, runs: [{notebook: []}]}", r"Expected notebook, one of .*train, first, second\. Received: \[\]"),
        (b"- {stage: a, runs: [{notebook: first, parameters: {1: 2}}]}", r"of count\. Received: 1"),
    ],
)
def test_yaml_that_is_no_list_of_stages_is_refused_by_name(folder, content, message):
    (folder / "study.yml").write_bytes(content)
    with pytest.raises(studies.StudyError, match=f"study.yml.*{message}"):
        studies.read(folder / "study.yml")


@pytest.mark.parametrize("each", [[10, 10, 10] * 3, [101, 100], [9_999, 1]])
def test_studies_of_too_many_runs_are_refused_and_not_counted_to_the_end(folder, each):
    names = [f"p{number}" for number in range(len(each))]
    source = "\n".join(f"{name}: int = 0" for name in names)
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / "many.ipynb")
    lists = {name: list(range(count)) for name, count in zip(names, each, strict=True)}
    entry = {"notebook": "many", "each": lists}
    stages = [{"stage": "a", "runs": [entry]}, {"stage": "b", "runs": [{"notebook": "second"}, {"notebook": "second"}]}]
    with pytest.raises(studies.StudyError, match=r"study\.yml: Expected at most 10,000 runs"):
        read(folder, stages)


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.yml")), ids=lambda path: path.stem)
def test_the_committed_studies_are_right(path):
    assert studies.read(path)
