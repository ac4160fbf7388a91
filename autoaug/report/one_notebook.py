"""What a study starts for each notebook: papermill, in a process that ends with the study.

It imports little, since every run of a study waits for it.
"""

import ctypes
import signal
import sys

from autoaug import papermill_command

_SIGNAL_AT_PARENTS_DEATH = 1  # PR_SET_PDEATHSIG of prctl(2)


def _end_with_parent() -> None:
    """Let Linux send this process SIGTERM when its parent process ends, for whatever reason."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SIGNAL_AT_PARENTS_DEATH, signal.SIGTERM, 0, 0, 0)


if __name__ == "__main__":
    _end_with_parent()
    sys.exit(papermill_command.main())
