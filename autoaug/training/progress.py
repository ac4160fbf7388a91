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
        self._place: Any = None  # of the text in Jupyter, once there is one
        self._is_watched = _is_watched()
        if sys.stderr.isatty():
            self._bar = tqdm.tqdm(total=total, initial=done, unit="step", dynamic_ncols=True)

    def advance(self) -> bool:
        """Count a step. Returns whether it is time to `show`."""
        now = time.perf_counter()
        self._done += 1
        if self._done == self._begun + 1:
            self._clock = now  # the first step includes compiling, so it does not count for the speed
            return False
        if self._done == self._begun + _ESTIMATE_AFTER:
            self._announce_estimate()
        self._line_due |= self._done * _LOG_LINES // self._total > (self._done - 1) * _LOG_LINES // self._total
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
        if self._is_watched:
            self._replace("\n".join(filter(None, (self._estimate, line))))
        elif self._line_due:
            print(line, flush=True)
        self._line_due = False

    def _replace(self, text: str) -> None:
        """Show a text in Jupyter in the place of the one before."""
        from IPython.display import display

        if self._place is None:
            self._place = display({"text/plain": text}, raw=True, display_id=True)
        else:
            self._place.update({"text/plain": text}, raw=True)

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
        elif not self._is_watched:
            print(self._estimate, flush=True)

    def _seconds_per_step(self) -> float:
        return (time.perf_counter() - self._clock) / max(1, self._done - self._begun - 1)

    def _images_per_second(self) -> float:
        return self._batch_size / self._seconds_per_step()

    def _left(self) -> datetime.timedelta:
        return datetime.timedelta(seconds=round((self._total - self._done) * self._seconds_per_step()))


class LiveCurves:
    """Training curves of a run in Jupyter, redrawn with the history after every epoch; elsewhere nobody watches them.

    Their place is where this object is made, so that later output stays together below the curves.

    Args:
        label: of the run.
    """

    def __init__(self, label: str) -> None:
        from IPython.display import display

        self._label = label
        self._place: Any = display({"text/html": ""}, raw=True, display_id=True) if _is_watched() else None

    def __call__(self, history: pd.DataFrame) -> None:
        """Draw the curves of a history, a row per epoch."""
        if self._place is None:
            return
        import matplotlib.pyplot as plt

        from autoaug.plots import training as training_plots

        figure = training_plots.training_curves({self._label: [history]}).get_figure(root=True)
        self._place.update(figure)
        plt.close(figure)


def _is_watched() -> bool:
    """Whether this runs in a notebook with a person in front of it: in Jupyter, but not with papermill."""
    ipython = sys.modules.get("IPython")
    kernel = getattr(ipython.get_ipython(), "kernel", None) if ipython else None
    return kernel is not None and kernel.get_parent("shell")["content"].get("allow_stdin", False)
