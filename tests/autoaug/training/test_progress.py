"""Progress in a file, in a terminal and in a notebook: where, how fast, how long still, and no spam."""

import io
import re
import sys

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
            bar.show({"loss": 1.5})
    bar.close()


def test_a_log_file_gets_twenty_lines_however_long_the_run(clock, capsys):
    run(progress.Progress(total=4_000, done=0, batch_size=128), clock, 4_000)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "Estimated duration: 0:06:39 for the 3,990 steps to come, at 1280 images/s on this machine."
    )  # the compiling of the first step is left out
    assert len(lines) == 21
    assert lines[10] == "step 2000/4000  loss 1.500  1280 images/s  0:03:20 left"
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
    assert re.search(r"40/40 .*loss 1.500  1280 images/s", terminal.getvalue())
    assert "Estimated duration: 0:00:03" in terminal.getvalue()


def test_a_notebook_gets_one_line_kept_up_to_date(clock, monkeypatch, capsys):
    shown = []

    class Handle:
        def update(self, data, raw):
            shown.append(data["text/plain"])

    monkeypatch.setattr(progress, "_in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda data, raw, display_id: Handle())
    run(progress.Progress(total=40, done=0, batch_size=128), clock, 40)
    assert shown[0].startswith("step 2/40") and shown[-1] == "step 40/40"
    assert len(capsys.readouterr().out.splitlines()) == 21
