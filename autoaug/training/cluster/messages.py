"""What the processes of a cluster tell the one that shows the run: lines of JSON, on a pipe of their own."""

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
    """A worker did not come up, or a process ended without which the others cannot go on."""


ERRORS: dict[str, type[Exception]] = {
    kind.__name__: kind
    for kind in (ClusterError, DamagedCheckpointError, RecordError, FloatingPointError, ValueError, OSError)
}
"""The errors that a cluster's processes report, by name, to be raised where the run is shown."""


def kind_of(error: Exception) -> str:
    """The name of the nearest type in `ERRORS` that the error is of; of another error, that of its own type."""
    names = [kind.__name__ for kind in type(error).__mro__]
    return next((name for name in names if name in ERRORS), names[0])


class Messages:
    """Sends messages. One of up to 4,096 bytes is whole, whatever other processes send at the same time.

    Args:
        pipe: a descriptor to write to; None: there is nobody to show the run, and messages are printed.
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
        """Send the rows that have not been sent, each with the number of those that there are."""
        for row in history.to_dict("records")[self._rows_sent :]:
            self.send(row=row, rows=len(history))
        self._rows_sent = len(history)


class ProgressReport:
    """A `progress.Progress` that is shown elsewhere.

    Args:
        messages: to whoever shows it.
        total, done, batch_size: as for `Progress`.
    """

    def __init__(self, messages: Messages, total: int, done: int, batch_size: int) -> None:
        self._messages, self._total, self._done, self._sent = messages, total, done, 0.0
        messages.send(begin=[total, done, batch_size])

    def advance(self) -> bool:
        """Count one step. Returns whether to `show`: at the first and the last, and oftener than `Progress`."""
        self._done += 1
        due = self._sent == 0 or self._done == self._total or time.monotonic() - self._sent > _REPORT_SECONDS
        if due:
            self._sent = time.monotonic()
        return due

    def show(self, metrics: Mapping[str, float]) -> None:
        """Report where the run is, with `metrics`: name → number."""
        self._messages.send(done=self._done, metrics=metrics)

    def close(self) -> None:
        """Nothing is open."""
