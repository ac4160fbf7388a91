"""Ctrl-C and SIGTERM, held back until the step in progress has ended."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def held_back() -> Iterator[list[signal.Signals]]:
    """In this context, SIGINT and SIGTERM are only added to the list that it yields; a second signal acts at once.

    Outside the main thread the list stays empty, since Python handles no signals there.
    """
    noted: list[signal.Signals] = []
    earlier: dict[signal.Signals, Any] = {}

    def note(number: int, _frame: object) -> None:
        noted.append(signal.Signals(number))
        for other, handler in earlier.items():
            signal.signal(other, handler)

    if threading.current_thread() is threading.main_thread():
        earlier |= {number: signal.signal(number, note) for number in _SIGNALS}
    try:
        yield noted
    finally:
        for other, handler in earlier.items():
            signal.signal(other, handler)


def act_on(number: int) -> NoReturn:
    """Act on the signal: raise KeyboardInterrupt, after which Python exits with 130, or exit with 143."""
    raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)
