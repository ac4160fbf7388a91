"""What tests share: the tiny data set and recipe, the interrupt signal, the ports of a job's hosts."""

import pathlib
import runpy
import signal
import tempfile

import filelock
import pytest

TINY = runpy.run_path(str(pathlib.Path(__file__).with_name("tiny.py")))


@pytest.fixture(scope="session")
def tiny_dataset():
    return TINY["dataset"]()


@pytest.fixture(scope="session")
def tiny_recipe():
    return TINY["recipe"]()


@pytest.fixture(scope="session", autouse=True)
def _interruptible():
    """Processes that tests start can be interrupted, also where a shell in the background has turned that off."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def ports_of_hosts():
    """The fixed ports of a job with several hosts: one test at a time has them."""
    with filelock.FileLock(pathlib.Path(tempfile.gettempdir()) / "autoaug-test-ports.lock"):
        yield
