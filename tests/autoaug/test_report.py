"""The report's engine: what it refuses, how it fails, and the page it renders."""

import dataclasses
import html.parser
import pathlib
import signal
import subprocess
import sys
import urllib.parse

import nbformat
import numpy as np
import pandas as pd
import pytest
import yaml

from autoaug import recipes, records, report

ROOT = pathlib.Path(__file__).resolve().parents[2]


def write_notebook(path, *sources):
    """A notebook whose first code cell is the parameters'."""
    cells = [nbformat.v4.new_markdown_cell("# Title"), *(nbformat.v4.new_code_cell(source) for source in sources)]
    cells[1].metadata["tags"] = ["parameters"]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


@pytest.fixture
def folder(tmp_path):
    """A folder with two notebooks."""
    write_notebook(tmp_path / "first.ipynb", 'results_dir: str = "r"\ncount: int = 1', "print(count, results_dir)")
    write_notebook(tmp_path / "second.ipynb", 'title: str = "x"', "import os\nprint(title, os.getcwd())")
    return tmp_path


def write_runs(folder, entries):
    (folder / "runs.yml").write_text(entries if isinstance(entries, str) else yaml.safe_dump(entries))
    return folder / "runs.yml"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ("- [", "Expected a list of notebooks in YAML"),
        ("{}", r"Expected a list of notebooks. Received: {}"),
        ([{"notebok": "first"}], "entry 1: Expected the key notebook"),
        ([{"notebook": "first", "parametres": {}}], "each, notebook, parameters, render only.*parametres"),
        (
            [{"notebook": "third", "render": True}],
            "entry 1: Expected notebook, one of first, second. Received: 'third'",
        ),
        ([{"notebook": "../first", "render": True}], "Expected notebook, one of first, second"),
        ([{"notebook": "first", "parameters": {"cuont": 1}}], "entry 1: Expected parameters of count. Received: cuont"),
        ([{"notebook": "first", "parameters": {"results_dir": "x"}}], "Received: results_dir"),
        ([{"notebook": "first", "each": {"cuont": [1]}}], "Expected parameters of count. Received: cuont"),
        ([{"notebook": "first", "each": {"count": 1}}], "Expected each, names with lists of values"),
        ([{"notebook": "first", "each": {"count": []}}], "Expected each, names with lists of values"),
        ([{"notebook": "first", "parameters": [1]}], "Expected parameters, names with values"),
        ([{"notebook": "first", "render": "yes"}], "render, true or false"),
        ([{"notebook": "first"}], "Expected one entry with render: true. Received: 0"),
        ([{"notebook": "first", "render": True}] * 2, "Expected one entry with render: true. Received: 2"),
    ],
)
def test_a_wrong_list_is_refused_before_anything_runs(folder, entries, message, capsys):
    path = write_runs(folder, entries)
    with pytest.raises(report.RunsError, match=message):
        report.read_runs(path)
    assert report.main(["--runs", str(path), "--results", str(folder / "results")]) == 2
    assert "runs.yml" in capsys.readouterr().err and not (folder / "results").exists()


def test_the_committed_list_is_right():
    runs = report.read_runs(ROOT / "notebooks" / "runs.yml")
    assert runs[-1]["notebook"].stem == "distribution_shift" and runs[-1]["render"]


def test_notebooks_run_in_order_with_parameters_in_the_root_and_show_what_they_print(folder, capfd):
    path = write_runs(
        folder, [{"notebook": "first", "parameters": {"count": 7}}, {"notebook": "second", "render": True}]
    )
    results, page = folder / "results", folder / "results" / "report" / "index.html"
    assert report.main(["--runs", str(path), "--results", str(results)]) == 0
    out = capfd.readouterr().out
    expected = [
        "[1/2] first count=7",
        f"7 {results}",
        "[1/2] first count=7: ",
        "[2/2] second",
        f"x {ROOT}",
        f": {page}",
    ]
    positions = [out.index(text) for text in expected]
    assert positions == sorted(positions)
    assert f"x {ROOT}" in page.read_text()
    assert sorted(path.name for path in (page.parent / "notebooks").iterdir()) == [
        "first-count=7.ipynb",
        "second.ipynb",
    ]


def test_a_failing_notebook_stops_the_report_with_its_error_and_names_the_copy(folder, capsys):
    write_notebook(folder / "third.ipynb", "a: int = 1", 'raise ValueError("no such thing")')
    path = write_runs(folder, [{"notebook": "third"}, {"notebook": "second", "render": True}])
    assert report.main(["--runs", str(path), "--results", str(folder / "results")]) == 1
    out, err = capsys.readouterr()
    assert "ValueError: no such thing" in err and "third.ipynb" in err
    assert "[2/2]" not in out and not (folder / "results" / "report" / "index.html").exists()


def test_an_interrupt_ends_with_130_and_a_line(folder):
    write_notebook(folder / "third.ipynb", "a: int = 1", 'import time\nprint("asleep", flush=True)\ntime.sleep(60)')
    path = write_runs(folder, [{"notebook": "third", "render": True}])
    command = [sys.executable, "-m", "autoaug.report", "--runs", path, "--results", folder / "results"]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert any("asleep" in line for line in process.stdout), process.stderr.read()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "Interrupted. Run again to go on from the newest checkpoint.\n"


class Page(html.parser.HTMLParser):
    """What the tests look at: ids, links, sources, texts by element."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.images, self.tags, self.texts, self._open = set(), [], [], [], {}, None
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self._open = tag
        self.ids.add(attrs.get("id"))
        if tag == "a":
            self.links.append(attrs["href"])
        if tag == "img":
            self.images.append(attrs)
        self.requests = [*getattr(self, "requests", []), *(attrs[key] for key in ("src", "srcset") if key in attrs)]

    def handle_data(self, data):
        self.texts.setdefault(self._open, []).append(data)


def write_run(results, train_data, accuracies, status="finished"):
    """A run of the quick Wide-ResNet with the given accuracies on 2,000 images of each test set."""
    run_id = f"wrn-{train_data}-quick-seed0-00000000"
    test = {"total": 2000, "overlap": 0, "clean_total": 2000, "source": "embedded images", "sha256": "cd" * 32}
    record = {
        "format": 1,
        "status": status,
        "kind": "trained",
        "run_id": run_id,
        "recipe": dataclasses.asdict(recipes.get("wrn")),
        "seed": 0,
        "workers": 1,
        "train_data": {
            "name": train_data,
            "train_size": 5120,
            "num_classes": 10,
            "mean": [0.5] * 3,
            "std": [0.2] * 3,
            "source": "embedded images",
            "sha256": "ab" * 32,
        },
        "code": {"version": "0.1.0", "commit": "f" * 40, "dirty": False},
        "packages": {"numpy": "2.4.0"},
        "machine": {},
        "parameters": 174_058,
        "started": "2026-01-01T00:00:00Z",
        "wall_seconds": 61.2,
        "tests": {name: test | {"correct": n, "clean_correct": n} for name, n in accuracies.items()},
    }
    records.write(results / "runs" / run_id, record)
    epochs = np.arange(1, 4)
    history = pd.DataFrame({"epoch": epochs, "loss": 1 / epochs, "accuracy": 1 - 1 / (1 + epochs)})
    history.to_csv(results / "runs" / run_id / "history.csv", index=False)


def render_shift(results):
    notebook, page = ROOT / "notebooks" / "distribution_shift.ipynb", results / "report" / "index.html"
    run = {"notebook": notebook, "parameters": {}, "known": {"results_dir", "data_dir"}, "render": True}
    report.render(report.execute([run], results, results / "data"), page)
    return page


def test_the_report_says_what_the_runs_say_and_needs_nothing_else(tmp_path):
    write_run(tmp_path, "synthetic10", {"synthetic10": 1800, "synthetic10_harder": 1000})
    write_run(tmp_path, "synthetic10_harder", {}, "unfinished")
    path = render_shift(tmp_path)
    page, text = Page(path), path.read_text()
    assert path.stat().st_size < 10_000_000
    assert {"h1", "h2", "table", "nav", "main"} <= set(page.tags)
    assert not {"script", "link", "iframe", "pre"} & set(page.tags) and "@import" not in text and "url(" not in text
    assert page.requests and all(source.startswith("data:") for source in page.requests)
    assert len(page.images) == 4 and all(len(image["alt"]) > 20 for image in page.images)
    targets = [urllib.parse.unquote(link[1:]) for link in page.links if link.startswith("#")]
    assert {"Accuracy", "Gap", "Provenance"} <= set(targets) and set(targets) <= page.ids
    assert "wrn, trained on synthetic10 (quick), gets 90.0 %" in text
    assert "90.0 [88.6, 91.3]" in text and "40.0 [37.4, 42.5]" in text
    assert "97.1 [96.8, 97.4]" in text  # of the published models
    assert "<li>wrn-synthetic10_harder-quick-seed0-00000000</li>" in text
    runs = {link for link in page.links if link.startswith("../runs/")}
    assert runs and all((path.parent / link).is_dir() for link in runs)
    assert "commit ffffffffff" in text and "ab" * 32 in text and "61 s" in text
    assert str(tmp_path) not in text


def test_a_report_of_nothing_says_what_to_run(tmp_path):
    path = render_shift(tmp_path)
    assert "No finished run yet" in path.read_text() and "make report" in path.read_text()
