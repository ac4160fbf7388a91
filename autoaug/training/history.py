"""The history of a run: a row per epoch, in history.csv and in TensorBoard's events."""

import pathlib
from collections.abc import Mapping, Sequence

import pandas as pd
import tensorflow as tf

from autoaug import records
from autoaug.files import write_atomically

Row = Mapping[str, float]


class HistoryWriter:
    """Writes a growing history; the first write replaces the files of an earlier process.

    Args:
        run_dir: the run's folder.
    """

    def __init__(self, run_dir: pathlib.Path) -> None:
        self._path, self._events, self._written = run_dir / records.HISTORY, run_dir / "tensorboard", 0

    def write(self, history: Sequence[Row]) -> None:
        """Write the new rows, unless history.csv holds the same already."""
        new_rows, is_first = history[self._written :], self._written == 0
        self._written = len(history)
        content = pd.DataFrame(history).to_csv(index=False).encode()
        if not new_rows or (self._path.exists() and self._path.read_bytes() == content):
            return
        if is_first:
            for events in self._events.glob("events.out.tfevents.*"):
                events.unlink()
        with tf.summary.create_file_writer(str(self._events)).as_default():
            for row in new_rows:
                for name, value in row.items():
                    if name != "epoch":
                        tf.summary.scalar(name, value, step=int(row["epoch"]))
        write_atomically(self._path, content)
