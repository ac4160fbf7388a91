"""What the tests of both packages share: types checked at run time, and a server that speaks AWS's protocols."""

import importlib.abc
import importlib.machinery
import signal
import sys

import jaxtyping
import pytest
import requests

LEFT_OUT = {
    "autoaug.augment.kernel",  # numba compiles functions as they are written
    *(f"autoaug.models.{name}" for name in ("layers", "pyramid_net", "shake_shake")),  # Keras inspects constructors
}


class Unchecked(importlib.abc.MetaPathFinder):
    """Finds these modules before the hook does."""

    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.PathFinder.find_spec(name, path, target) if name in LEFT_OUT else None


jaxtyping.install_import_hook(["autoaug", "data_prep"], "typechecker.check")
sys.meta_path.insert(0, Unchecked())

SLOWEST = (  # files, the slowest first
    *("test_container", "test_notebooks", "test_faults", "test_rehearsal", "test_training", "test_cluster"),
    *("test_mirrored", "test_build", "test_models", "test_papermill_command", "test_launch", "test_resume"),
    *("test_sweep", "test_rendered", "test_jpeg_copy", "test_simulations"),
)


def pytest_collection_modifyitems(items):
    """The slowest files first: the workers of `make test` take a file at a time, and so end at nearly the same time."""
    items.sort(key=lambda item: SLOWEST.index(item.path.stem) if item.path.stem in SLOWEST else len(SLOWEST))


@pytest.fixture
def wrong_types():
    """Types are not checked in this test, which passes wrong ones to see what the code itself says of them."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def aws_server():
    """The address of a server that speaks AWS's protocols; to stop one takes half a second, so there is one for all."""
    from moto.server import ThreadedMotoServer  # slow to import, and most tests do without

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def aws(aws_server, monkeypatch, tmp_path):
    """The address of a server with nothing in it, which boto3 finds in its environment variables."""
    requests.post(f"{aws_server}/moto-api/reset", timeout=10).raise_for_status()
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_CONFIG_FILE": str(tmp_path / "none"), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": aws_server,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return aws_server


@pytest.fixture(scope="session", autouse=True)
def _interruptible():
    """Processes that tests start can be interrupted, also where a shell in the background has turned that off."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
