"""Progress in a file, in a terminal and in a notebook: where, how fast, how long still, and no spam."""

import io
import re
import sys
import types

import IPython
import pandas as pd
import pytest

from autoaug.training import progress


class Clock:
    """Seconds that pass only when told to."""

    now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(progress, "time", clock := Clock())
    return clock


def run(bar, clock, steps, seconds_per_step=0.1):
    for step in range(steps):
        clock.now += 5.0 if step == 0 else seconds_per_step  # the first compiles
        if bar.advance():
            bar.show({"loss": 1.5, "accuracy": 0.4321})
    bar.close()


def test_a_log_file_gets_twenty_lines_however_long_the_run(clock, capsys):
    run(progress.Progress(total=4_000, done=0, batch_size=128), clock, 4_000)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "Estimated duration: 0:06:39 for the 3,990 steps to come, at 1280 images/s on this machine."
    )  # the compiling of the first step is left out
    assert len(lines) == 21
    assert lines[10] == "step 2000/4000  loss 1.500  accuracy 43.2 %  1280 images/s  0:03:20 left"
    assert lines[-1].endswith("0:00:00 left")


def test_a_resumed_run_counts_on(clock, capsys):
    run(progress.Progress(total=400, done=200, batch_size=128), clock, 200)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Estimated duration: 0:00:19 for the 190 steps to come")
    assert lines[1].startswith("step 220/400") and len(lines) == 11


def test_a_terminal_gets_a_bar(clock, monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    run(progress.Progress(total=40, done=0, batch_size=128), clock, 40)
    assert re.search(r"40/40 .*loss 1.500  accuracy 43.2 %  1280 images/s", terminal.getvalue())
    assert "Estimated duration: 0:00:03" in terminal.getvalue()


@pytest.fixture
def shown(monkeypatch):
    """What a notebook displays, in order: (number of the place, data); an update has the place of what it replaces."""
    shown = []

    class Handle:
        def __init__(self, place):
            self.place = place

        def update(self, data, raw=False):
            shown.append((self.place, data))

    def display(data, raw, display_id):
        handle = Handle(len({place for place, _ in shown}))
        handle.update(data)
        return handle

    monkeypatch.setattr("IPython.display.display", display)
    return shown


def in_notebook(monkeypatch, allow_stdin):
    """Run the test in a kernel whose front end says whether it can ask a person."""
    kernel = types.SimpleNamespace(get_parent=lambda channel: {"content": {"allow_stdin": allow_stdin}})
    monkeypatch.setattr(IPython, "get_ipython", lambda: types.SimpleNamespace(kernel=kernel))


def test_in_jupyter_one_text_is_kept_up_to_date_and_nothing_else_is_printed(clock, monkeypatch, capsys, shown):
    in_notebook(monkeypatch, allow_stdin=True)
    run(progress.Progress(total=40, done=0, batch_size=128), clock, 40)
    texts = [data["text/plain"] for _, data in shown]
    assert {place for place, _ in shown} == {0} and capsys.readouterr().out == ""
    assert texts[0].startswith("step 2/40")
    estimate, line = texts[-1].splitlines()
    assert estimate.startswith("Estimated duration: 0:00:03 for the 30 steps to come")
    assert line == "step 40/40  loss 1.500  accuracy 43.2 %  1280 images/s  0:00:00 left"


def test_a_notebook_that_papermill_executes_gets_the_lines_of_a_log(clock, monkeypatch, capsys, shown):
    in_notebook(monkeypatch, allow_stdin=False)
    run(progress.Progress(total=40, done=0, batch_size=128), clock, 40)
    assert not shown and len(capsys.readouterr().out.splitlines()) == 21


HISTORY = pd.DataFrame({"epoch": [1, 2], "accuracy": [0.5, 0.75]})


def test_curves_are_drawn_where_they_were_made_after_every_epoch_in_jupyter(clock, monkeypatch, shown):
    monkeypatch.setattr(progress, "_is_watched", lambda: True)
    curves = progress.LiveCurves("run")
    IPython.display.display({"text/plain": "printed"}, raw=True, display_id=True)
    for _ in range(2):
        curves(HISTORY)
    (first, empty), (second, _), (place, _), (again, figure) = shown
    assert (first, empty, second, place, again) == (0, {"text/html": ""}, 1, 0, 0)
    assert list(figure.axes[0].lines[0].get_ydata()) == [50, 75]


def test_curves_that_nobody_looks_at_are_not_drawn(shown):
    progress.LiveCurves("run")(HISTORY)
    assert not shown
