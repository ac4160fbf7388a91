"""Progress of a training run: a bar in a terminal, a few lines in a notebook and in a log file."""

import datetime
import time

import tqdm

_LOG_LINES = 20  # for the whole run
_REDRAW_SECONDS = 0.5
_ESTIMATE_AFTER = 10  # steps a line is due too, to see how long the run will take


class Progress:
    """A bar in a terminal, and at most 21 lines elsewhere.

    Call `advance` after every step, and `show` whenever it returns True. Of the `total` steps of the whole run, a
    resumed one has already `done` some.
    """

    def __init__(self, total: int, done: int, batch_size: int) -> None:
        self._total, self._done, self._begun, self._batch_size = total, done, done, batch_size
        self._clock = self._drawn = time.perf_counter()
        self._line_due = False
        self._bar = tqdm.tqdm(total=total, initial=done, unit="step", dynamic_ncols=True, disable=None)

    def advance(self) -> bool:
        """Count a step. Returns whether it is time to `show`."""
        now = time.perf_counter()
        self._done += 1
        if self._done == self._begun + 1:
            self._clock = now  # the first step includes compiling, so it does not count for the speed
            return False
        shares = [done * _LOG_LINES // self._total for done in (self._done - 1, self._done)]
        self._line_due |= shares[0] < shares[1] or self._done == self._begun + _ESTIMATE_AFTER
        return self._line_due or now - self._drawn > _REDRAW_SECONDS

    def show(self, loss: float, accuracy: float) -> None:
        """Show the progress, with the mean loss, and the accuracy, a fraction, in percent."""
        self._drawn = time.perf_counter()
        seconds = (self._drawn - self._clock) / max(1, self._done - self._begun - 1)  # of a step
        shown = f"loss {loss:.3f}  accuracy {100 * accuracy:.1f} %  {self._batch_size / seconds:.0f} images/s"
        left = datetime.timedelta(seconds=round((self._total - self._done) * seconds))
        line = f"step {self._done}/{self._total}  {shown}  {left} left"
        if not self._bar.disable:
            self._bar.set_postfix_str(shown, refresh=False)
            self._bar.update(self._done - self._bar.n)
        elif self._line_due:
            print(line, flush=True)
        self._line_due = False

    def close(self) -> None:
        """End the display."""
        self._bar.close()
