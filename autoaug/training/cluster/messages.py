"""Messages from a cluster's processes to the process that shows the run: lines of JSON on a separate pipe."""

import json
import os
import time
from collections.abc import Mapping
from typing import Any

import pandas as pd

from autoaug.records import RecordError
from autoaug.training.run_checkpoints import DamagedCheckpointError

_REPORT_SECONDS = 0.25


class ClusterError(RuntimeError):
    """A worker did not start, or a process ended that the others need."""


ERRORS: dict[str, type[Exception]] = {
    kind.__name__: kind
    for kind in (ClusterError, DamagedCheckpointError, RecordError, FloatingPointError, ValueError, OSError)
}
"""Name → class of the errors that a cluster's processes report; they are raised in the process that shows the run."""


def kind_of(error: Exception) -> str:
    """The name of the nearest class in `ERRORS` of the error; for other errors, the name of their own class."""
    names = [kind.__name__ for kind in type(error).__mro__]
    return next((name for name in names if name in ERRORS), names[0])


class Messages:
    """Sends messages. Messages of up to 4,096 bytes stay whole, even if several processes send at the same time.

    Args:
        pipe: a descriptor to write to; None: no other process shows the run, and messages are printed.
    """

    def __init__(self, pipe: int | None = None) -> None:
        self._pipe, self._rows_sent = pipe, 0

    def send(self, **values: Any) -> None:
        """Send values by name."""
        if self._pipe is None:
            print(*(f"{name}: {value}" for name, value in values.items()), flush=True)
            return
        content = (json.dumps(values) + "\n").encode()
        while content:
            content = content[os.write(self._pipe, content) :]

    def send_history(self, history: pd.DataFrame) -> None:
        """Send the rows that have not been sent yet, each with the total number of rows."""
        for row in history.to_dict("records")[self._rows_sent :]:
            self.send(row=row, rows=len(history))
        self._rows_sent = len(history)


class ProgressReport:
    """A `progress.Progress` that another process shows.

    Args:
        messages: to this process.
        total, done, batch_size: as for `Progress`.
    """

    def __init__(self, messages: Messages, total: int, done: int, batch_size: int) -> None:
        self._messages, self._total, self._done, self._sent = messages, total, done, 0.0
        messages.send(begin=[total, done, batch_size])

    def advance(self) -> bool:
        """Count one step. Returns whether to `show`: at the first and last step, and more often than `Progress`."""
        self._done += 1
        due = self._sent == 0 or self._done == self._total or time.monotonic() - self._sent > _REPORT_SECONDS
        if due:
            self._sent = time.monotonic()
        return due

    def show(self, metrics: Mapping[str, float]) -> None:
        """Report the progress, with `metrics`: name → number."""
        self._messages.send(done=self._done, metrics=metrics)

    def close(self) -> None:
        """Nothing is open."""
