"""Ctrl-C and SIGTERM, held back until the step in progress has ended."""

import contextlib
import signal
import threading

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def held_back():
    """Inside, SIGINT and SIGTERM are only noted, in the list that this yields; a second one acts at once.

    Outside the main thread, where Python handles no signals, the list stays empty.
    """
    noted, earlier = [], {}

    def note(number, _frame):
        noted.append(signal.Signals(number))
        for each, handler in earlier.items():
            signal.signal(each, handler)

    if threading.current_thread() is threading.main_thread():
        earlier |= {each: signal.signal(each, note) for each in _SIGNALS}
    try:
        yield noted
    finally:
        for each, handler in earlier.items():
            signal.signal(each, handler)


def act_on(number):
    """Do what the signal asks for: KeyboardInterrupt, on which Python exits with 130, or an exit with 143."""
    raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)
