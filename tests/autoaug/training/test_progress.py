"""Progress in a file and in a terminal: where, how fast, how long still, and no spam."""

import io
import re
import sys
import types

import pytest

from autoaug.training import progress


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when told to."""
    clock = types.SimpleNamespace(now=0.0, perf_counter=lambda: clock.now)
    monkeypatch.setattr(progress, "time", clock)
    return clock


def run(bar, clock, steps, seconds_per_step=0.1):
    for step in range(steps):
        clock.now += 5.0 if step == 0 else seconds_per_step  # the first compiles
        if bar.advance():
            bar.show(1.5, 0.4321)
    bar.close()


def test_a_log_file_gets_a_line_for_each_twentieth_of_the_run_and_a_resumed_run_counts_on(clock, capsys):
    run(progress.Progress(total=4_000, done=0, batch_size=128), clock, 4_000)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "step 10/4000  loss 1.500  accuracy 43.2 %  1280 images/s  0:06:39 left"
    assert len(lines) == 21
    assert lines[10] == "step 2000/4000  loss 1.500  accuracy 43.2 %  1280 images/s  0:03:20 left"
    assert lines[-1].endswith("0:00:00 left")
    run(progress.Progress(total=400, done=200, batch_size=128), clock, 200)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines[:2]] == ["210/400", "220/400"] and len(lines) == 11


def test_a_terminal_gets_a_bar(clock, monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    run(progress.Progress(total=40, done=0, batch_size=128), clock, 40)
    assert re.search(r"40/40 .*loss 1.500  accuracy 43.2 %  1280 images/s", terminal.getvalue())
