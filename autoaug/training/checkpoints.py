"""The checkpoints of a run: written while it trains, found after an interruption; damaged ones are skipped.

Format and checksums are TensorFlow's, names `step-000000390`. The index file is renamed into place last, so an
incomplete checkpoint has none.
"""

import os
import pathlib
import shutil
import warnings
from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from autoaug.runs import RecordError

_KEPT = 2
_LOST_TASK = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError)


class Checkpoints:
    """Saves and restores one run's state; the two newest checkpoints are kept.

    Args:
        folder: of the checkpoints; only one process at a time may use it.
        io_device: the TensorFlow device whose machine has the folder; None: the device of the variables.
        **state: the trackable objects that hold the state, by name.
    """

    def __init__(self, folder: str | os.PathLike[str], io_device: str | None = None, **state: Any) -> None:
        self._folder = pathlib.Path(folder)
        self._checkpoint = tf.train.Checkpoint(**state)
        self._options = tf.train.CheckpointOptions(experimental_io_device=io_device)

    def steps(self) -> list[int]:
        """Steps after which there is a checkpoint, damaged or not, in ascending order."""
        names = [path.stem for path in self._folder.glob("step-*.index")]
        return sorted(int(name.removeprefix("step-")) for name in names if name[5:].isdecimal())

    def save(self, step: int) -> None:
        """Write the state after `step` steps, then remove old ones. If it fails, as on a full disk, they stay."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._remove_all_but(self.steps())
        try:
            self._checkpoint.write(str(self._prefix(step)), options=self._options)
        except tf.errors.OpError as error:
            self._remove_all_but([other for other in self.steps() if other != step])
            if isinstance(error, _LOST_TASK):
                raise
            free, said = shutil.disk_usage(self._folder).free / 1e6, error.message[:200]
            raise OSError(
                f"{self._prefix(step)}: the checkpoint could not be written; {free:.1f} MB are free there. "
                f"Earlier ones are kept: make space, and give the same command again. TensorFlow says: {said}"
            ) from error
        self._remove_all_but([kept for kept in self.steps() if kept <= step][-_KEPT:])

    def restore(self) -> int:
        """Restore the newest good checkpoint. Returns its step, or 0 if the folder has no checkpoints.

        A warning names each damaged checkpoint that is skipped; a RecordError says that all are damaged.
        """
        steps = self.steps()
        for step in reversed(steps):
            try:
                self._checkpoint.read(str(self._prefix(step)), options=self._options).assert_consumed()
                return step
            except _LOST_TASK:
                raise
            except (tf.errors.OpError, AssertionError, IndexError, RuntimeError, ValueError) as error:
                reason = str(error).splitlines()[0]
                warnings.warn(f"{self._prefix(step)}: this checkpoint is damaged: {reason}", stacklevel=2)
        if steps:
            raise RecordError(
                f"{self._folder}: all {len(steps)} checkpoints are damaged. Restore them from a copy; or remove the "
                "run's folder to train from the beginning."
            )
        return 0

    def _prefix(self, step: int) -> pathlib.Path:
        """The path of a checkpoint's files without their endings, `.index` and `.data-…`."""
        return self._folder / f"step-{step:09d}"

    def _remove_all_but(self, kept: Iterable[int]) -> None:
        """Remove other checkpoints, index files first, and incomplete files."""
        names = {self._prefix(step).name for step in kept}
        for path in sorted(self._folder.iterdir(), key=lambda path: path.suffix != ".index"):
            if path.name.split(".")[0] not in names or "temp" in path.name:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
