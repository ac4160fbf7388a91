"""Progress of a training run, readable in a terminal, in a notebook and in a log file."""

import datetime
import sys
import time
from collections.abc import Mapping
from typing import Any

import pandas as pd
import tqdm

_LOG_LINES = 20  # at most, for a whole run
_REDRAW_SECONDS = 0.5
_ESTIMATE_AFTER = 10  # steps, the first of them compiles


class Progress:
    """A bar in a terminal; elsewhere at most 20 lines, and in a notebook a status line kept up to date as well.

    Call `advance` after every step, and `show` whenever that returned True.

    Args:
        total: steps of the whole run.
        done: of these, steps done before (a resumed run).
        batch_size: images a step.
    """

    def __init__(self, total: int, done: int, batch_size: int) -> None:
        self._total, self._done, self._begun, self._batch_size = total, done, done, batch_size
        self._clock = self._drawn = time.perf_counter()
        self._line_due = False
        self._bar: Any = None
        self._status: Any = None
        if sys.stderr.isatty():
            self._bar = tqdm.tqdm(total=total, initial=done, unit="step", dynamic_ncols=True)
        elif _in_notebook():
            from IPython.display import display

            self._status = display({"text/plain": "compiling"}, raw=True, display_id=True)

    def advance(self, steps: int = 1) -> bool:
        """Count steps, of which the first is always counted alone. Returns whether it is time to `show`."""
        now, before = time.perf_counter(), self._done
        self._done += steps
        if self._done == self._begun + 1:
            self._clock = now  # the first step includes compiling, and tells nothing about speed
            return False
        if before < self._begun + _ESTIMATE_AFTER <= self._done:
            self._announce_estimate()
        self._line_due |= self._done * _LOG_LINES // self._total > before * _LOG_LINES // self._total
        return self._line_due or now - self._drawn > _REDRAW_SECONDS

    def show(self, metrics: Mapping[str, float]) -> None:
        """Show where the run is, with `metrics`: name → number."""
        self._drawn = time.perf_counter()
        shown = "  ".join(f"{name} {value:.3f}" for name, value in metrics.items())
        if self._bar is not None:
            self._bar.set_postfix_str(f"{shown}  {self._images_per_second():.0f} images/s", refresh=False)
            self._bar.update(self._done - self._bar.n)
            return
        line = (
            f"step {self._done}/{self._total}  {shown}  {self._images_per_second():.0f} images/s  {self._left()} left"
        )
        if self._line_due:
            self._line_due = False
            print(line, flush=True)
        if self._status is not None:
            self._status.update({"text/plain": line}, raw=True)

    def close(self) -> None:
        """End the display."""
        if self._bar is not None:
            self._bar.close()
        if self._status is not None:
            self._status.update({"text/plain": f"step {self._done}/{self._total}"}, raw=True)

    def _announce_estimate(self):
        text = (
            f"Estimated duration: {self._left()} for the {self._total - self._done:,} steps to come, "
            f"at {self._images_per_second():.0f} images/s on this machine."
        )
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)
        else:
            print(text, flush=True)

    def _seconds_per_step(self):
        return (time.perf_counter() - self._clock) / max(1, self._done - self._begun - 1)

    def _images_per_second(self):
        return self._batch_size / self._seconds_per_step()

    def _left(self):
        return datetime.timedelta(seconds=round((self._total - self._done) * self._seconds_per_step()))


class LiveCurves:
    """Training curves of a run in a notebook: each call with a history redraws them in the same place.

    Args:
        label: of the run.
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._display: Any = None

    def __call__(self, history: pd.DataFrame) -> None:
        """Draw the curves of a history, a row per epoch."""
        import matplotlib.pyplot as plt
        from IPython.display import display

        from autoaug.plots import training as training_plots

        figure = training_plots.training_curves({self._label: [history]}).get_figure(root=True)
        if self._display is None:
            self._display = display(figure, display_id=True)
        else:
            self._display.update(figure)
        plt.close(figure)


def _in_notebook():
    ipython = sys.modules.get("IPython")
    return hasattr(ipython.get_ipython(), "kernel") if ipython else False
