"""Progress of a training run, readable in a terminal, in a notebook and in a log file."""

import datetime
import sys
import time
from collections.abc import Mapping
from typing import Any

import pandas as pd
import tqdm

_LOG_LINES = 20  # at most, for the whole run
_REDRAW_SECONDS = 0.5
_CURVES_SECONDS = 60  # from one drawing of the curves to the next, where nobody looks at them meanwhile
_ESTIMATE_AFTER = 10  # steps; the first one compiles


class Progress:
    """A bar in a terminal, a line that is updated in place in Jupyter, and at most 20 lines elsewhere.

    Call `advance` after every step, and `show` whenever it returns True.

    Args:
        total: number of steps of the whole run.
        done: number of steps that a resumed run has already done.
        batch_size: images in a step.
    """

    def __init__(self, total: int, done: int, batch_size: int) -> None:
        self._total, self._done, self._begun, self._batch_size = total, done, done, batch_size
        self._clock = self._drawn = time.perf_counter()
        self._line_due = False
        self._estimate: str | None = None
        self._bar: Any = None
        self._live: _LiveText | None = None
        if sys.stderr.isatty():
            self._bar = tqdm.tqdm(total=total, initial=done, unit="step", dynamic_ncols=True)
        elif _is_watched():
            self._live = _LiveText()

    def advance(self, steps: int = 1) -> bool:
        """Count steps; the first step must be counted alone. Returns whether it is time to `show`."""
        now, before = time.perf_counter(), self._done
        self._done += steps
        if self._done == self._begun + 1:
            self._clock = now  # the first step includes compiling, so it does not count for the speed
            return False
        if before < self._begun + _ESTIMATE_AFTER <= self._done:
            self._announce_estimate()
        self._line_due |= self._done * _LOG_LINES // self._total > before * _LOG_LINES // self._total
        return self._line_due or now - self._drawn > _REDRAW_SECONDS

    def show(self, metrics: Mapping[str, float]) -> None:
        """Show the progress, with `metrics`: name → number. An accuracy is a fraction, and is shown in percent."""
        self._drawn = time.perf_counter()
        shown = "  ".join(
            f"{name} {100 * value:.1f} %" if name == "accuracy" else f"{name} {value:.3f}"
            for name, value in metrics.items()
        )
        if self._bar is not None:
            self._bar.set_postfix_str(f"{shown}  {self._images_per_second():.0f} images/s", refresh=False)
            self._bar.update(self._done - self._bar.n)
            return
        line = (
            f"step {self._done}/{self._total}  {shown}  {self._images_per_second():.0f} images/s  {self._left()} left"
        )
        if self._live is not None:
            self._live.show("\n".join(filter(None, (self._estimate, line))))
        elif self._line_due:
            print(line, flush=True)
        self._line_due = False

    def close(self) -> None:
        """End the display."""
        if self._bar is not None:
            self._bar.close()

    def _announce_estimate(self) -> None:
        self._estimate = (
            f"Estimated duration: {self._left()} for the {self._total - self._done:,} steps to come, "
            f"at {self._images_per_second():.0f} images/s on this machine."
        )
        if self._bar is not None:
            self._bar.write(self._estimate, file=sys.stderr)
        elif self._live is None:
            print(self._estimate, flush=True)

    def _seconds_per_step(self) -> float:
        return (time.perf_counter() - self._clock) / max(1, self._done - self._begun - 1)

    def _images_per_second(self) -> float:
        return self._batch_size / self._seconds_per_step()

    def _left(self) -> datetime.timedelta:
        return datetime.timedelta(seconds=round((self._total - self._done) * self._seconds_per_step()))


class _LiveText:
    """Text in a notebook that is replaced in place; its place is where the first text is shown."""

    def __init__(self) -> None:
        self._display: Any = None

    def show(self, text: str) -> None:
        """Replace the previous text by this one."""
        from IPython.display import display

        if self._display is None:
            self._display = display({"text/plain": text}, raw=True, display_id=True)
        else:
            self._display.update({"text/plain": text}, raw=True)


class LiveCurves:
    """Training curves of a run in a notebook.

    Call it with the history after every epoch. In Jupyter, that redraws the curves; elsewhere it does so once a minute
    at most, since a drawing takes as long as some steps. Their place is fixed when this object is made, so that later
    output stays together below the curves.

    Args:
        label: of the run.
    """

    def __init__(self, label: str) -> None:
        from IPython.display import display

        self._label, self._drawn = label, time.perf_counter()
        self._pause = 0 if _is_watched() else _CURVES_SECONDS
        self._display: Any = display({"text/html": ""}, raw=True, display_id=True)

    def __call__(self, history: pd.DataFrame) -> None:
        """Draw the curves if it is time to."""
        if time.perf_counter() - self._drawn >= self._pause:
            self.draw(history)
            self._drawn = time.perf_counter()

    def draw(self, history: pd.DataFrame) -> None:
        """Draw the curves of a history, a row per epoch."""
        import matplotlib.pyplot as plt

        from autoaug.plots import training as training_plots

        figure = training_plots.training_curves({self._label: [history]}).get_figure(root=True)
        self._display.update(figure)
        plt.close(figure)


def _is_watched() -> bool:
    """Whether this runs in a notebook with a person in front of it: in Jupyter, but not with papermill."""
    ipython = sys.modules.get("IPython")
    kernel = getattr(ipython.get_ipython(), "kernel", None) if ipython else None
    return kernel is not None and kernel.get_parent("shell")["content"].get("allow_stdin", False)
