"""What all tests share: types checked at run time, one trained run, and a server that speaks AWS's protocols."""

import importlib.abc
import importlib.machinery
import pathlib
import signal
import subprocess
import sys
from typing import NamedTuple

import filelock
import jaxtyping
import pytest
import requests

ROOT = pathlib.Path(__file__).resolve().parents[1]

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
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # `nohup make test` ignores it, and so would all that the tests start

SLOWEST = (  # files, the slowest first
    *("test_container", "test_servers", "test_notebooks", "test_rehearsal", "test_training", "test_models"),
    *("test_mirrored", "test_resume", "test_launch", "test_papermill_command", "test_given", "test_evaluation"),
    *("test_study", "test_simulations", "test_augment", "test_build", "test_checkpoints", "test_render"),
    *("test_imports", "test_synthetic", "test_upload", "test_own"),
)


def pytest_collection_modifyitems(items):
    """The slowest files first: the workers of `make test` take a file at a time, and so end at nearly the same time."""
    items.sort(key=lambda item: SLOWEST.index(item.path.stem) if item.path.stem in SLOWEST else len(SLOWEST))


class TrainedRun(NamedTuple):
    """A finished run of the quick preset, of one epoch, made by `papermill notebooks/train.ipynb`.

    Args:
        folder: holds data and results.
        run: the run's own folder.
        copy: the executed copy of the notebook.
        parameters: those that were passed, without the folders.
        output: what the command printed.
    """

    folder: pathlib.Path
    run: pathlib.Path
    copy: pathlib.Path
    parameters: dict[str, object]
    output: str


@pytest.fixture(scope="session")
def drawn_shapes(tmp_path_factory, worker_id):
    """A data folder with all drawn shapes, for the tests of all workers, which only read them."""
    from autoaug import datasets
    from data_prep import synthetic

    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "drawn_shapes"
    with filelock.FileLock(f"{folder}.lock"):
        synthetic.build(folder, set(datasets.EMBEDDED) - set(datasets.available(folder)))
    return folder


@pytest.fixture(scope="session")
def trained_run(drawn_shapes):
    """One trained run for all tests of all workers, which take a copy of its folder where they change it."""
    folder = drawn_shapes.with_name("trained_run")
    copy, parameters = folder / "train.ipynb", {"model": "wrn", "epochs": 1, "seed": 3}
    parameters |= {"batch_size": 32, "augmentation": "crop_flip_cutout"}
    with filelock.FileLock(f"{folder}.lock"):
        if not (output := folder / "output.txt").exists():
            if not folder.exists():
                folder.mkdir()
                (folder / "data").symlink_to(drawn_shapes)
            given = parameters | {"data_dir": str(folder / "data"), "results_dir": str(folder / "results")}
            command = [sys.executable, "-m", "autoaug.papermill_command", "notebooks/train.ipynb", copy]
            command += ["-y", str(given), "--no-progress-bar", "--stdout-file", "-"]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            output.write_text(done.stdout)
    (run,) = (folder / "results" / "runs").iterdir()
    return TrainedRun(folder, run, copy, parameters, output.read_text())


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
