"""The program that a SageMaker job runs on every host: the training notebook on the first host, workers on the others.

It reads only environment variables that both the older and the newer drivers of SageMaker set: SM_HOSTS,
SM_CURRENT_HOST, SM_CHANNEL_…, SM_MODEL_DIR, SM_NUM_GPUS. A host's number is its place in SM_HOSTS, not the number in
its name. The notebook's parameters come as arguments, `--name value`. The run is written to /opt/ml/checkpoints, which
SageMaker copies to S3, so it can be continued after an interruption. No process outlives this script, since the job
ends only with its last process.
"""

import contextlib
import ctypes
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

_ROOT = pathlib.Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[0] = str(_ROOT)  # the drivers run this file as a script, not as a module

import nbformat  # noqa: E402
import papermill  # noqa: E402
import psutil  # noqa: E402
from nbclient.exceptions import DeadKernelError  # noqa: E402

from autoaug import runs  # noqa: E402
from autoaug.datasets import DATASETS  # noqa: E402
from autoaug.runs import record  # noqa: E402
from autoaug.sagemaker.job import CHECKPOINTS, channel_name  # noqa: E402

_OUTPUT = pathlib.Path("/opt/ml/output")
_NOTEBOOK = _ROOT / "notebooks" / "train.ipynb"
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)
_PATIENCE = 30  # seconds for killed processes to end
_CONVERSIONS: dict[str, Callable[[str], Any]] = {
    "str": str, "int": int, "float": float, "dict": json.loads, "list": json.loads,
    "bool": lambda word: {"true": True, "false": False}[word.lower()],
}  # fmt: skip


def parse(arguments: Sequence[str]) -> dict[str, Any]:
    """Parameters of the training notebook from `--name value`, converted to the types that the notebook states.

    Raises:
        ValueError: a name or value is not what the notebook expects.
    """
    known, parameters = papermill.inspect_notebook(str(_NOTEBOOK)), {}
    for name, text in zip(arguments[::2], arguments[1::2], strict=True):
        name = name.removeprefix("--")
        kind = known.get(name, {}).get("inferred_type_name")
        try:
            parameters[name] = _CONVERSIONS[kind](text)
        except (KeyError, ValueError) as error:
            expected = f"{name}, {kind}" if kind else f"a parameter of {', '.join(known)}"
            raise ValueError(f"Expected {expected}. Received: --{name} {text!r}") from error
    return parameters


def link_data(folder: pathlib.Path) -> None:
    """Make a `data_dir` from the channels: `<folder>/<name>/training` for each data set that has a channel."""
    for name in DATASETS:
        channel = os.environ.get(f"SM_CHANNEL_{channel_name(name).upper()}")
        if channel:
            (folder / name).mkdir(parents=True)
            (folder / name / "training").symlink_to(channel)


def train(parameters: dict[str, Any]) -> None:
    """Execute the training notebook; its executed copy and the run go to S3, also if it fails."""
    results, executed = pathlib.Path(CHECKPOINTS), pathlib.Path(CHECKPOINTS) / "train.ipynb"
    results.mkdir(parents=True, exist_ok=True)
    _require_gpus(parameters.get("workers", 1))
    with tempfile.TemporaryDirectory() as data:
        link_data(pathlib.Path(data))
        try:
            papermill.execute_notebook(
                str(_NOTEBOOK), str(executed), parameters | {"data_dir": data, "results_dir": str(results)},
                kernel_name="python3",  # of the image, which knows no other
                cwd=str(_ROOT), progress_bar=False, stdout_file=sys.stdout, stderr_file=sys.stderr,
            )  # fmt: skip
        finally:
            _copy_results(results, executed)
    for row in runs.collect(results).itertuples():
        if row.total:  # 0 if every image is among the training images
            print(f"test accuracy {row.test_set} {row.accuracy:.4f}", flush=True)


def _require_gpus(workers: int) -> None:
    """Stop if a GPU of this host would not be used: it costs as much as one that is used.

    Raises:
        ValueError: TensorFlow sees no GPU, or there are more GPUs than workers on this host.
    """
    gpus = int(os.environ.get("SM_NUM_GPUS", 0))
    if not gpus:
        return
    count = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"
    seen = subprocess.run([sys.executable, "-c", count], check=True, capture_output=True, text=True).stdout.strip()
    if seen == "0":
        raise ValueError(f"Expected SM_NUM_GPUS={gpus} devices. Received: TensorFlow sees none")
    here = workers if len(json.loads(os.environ["SM_HOSTS"])) == 1 else 1
    if gpus > here:
        raise ValueError(
            f"Expected one host with workers={gpus}, one worker for each of its GPUs; or an instance "
            f"type with fewer GPUs. Received: workers={workers}, SM_NUM_GPUS={gpus}"
        )


def _copy_results(results: pathlib.Path, executed: pathlib.Path) -> None:
    """Record, history, predictions and notebook go to output.tar.gz; record and newest checkpoint to model.tar.gz."""
    output, model = _OUTPUT / "data", pathlib.Path(os.environ["SM_MODEL_DIR"])
    for run in (path.parent for path in results.glob("runs/*/record.json")):
        ignored = shutil.ignore_patterns(record.CHECKPOINTS, ".lock")
        shutil.copytree(run, output / "runs" / run.name, ignore=ignored, dirs_exist_ok=True)
        steps = record.checkpoint_steps(run / record.CHECKPOINTS)
        target = model / "runs" / run.name / record.CHECKPOINTS
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(run / "record.json", target.parent)
        if steps:
            newest = record.checkpoint_prefix(run / record.CHECKPOINTS, steps[-1])
            for path in newest.parent.glob(f"{newest.name}.*"):
                shutil.copy(path, target)
    if executed.exists():
        output.mkdir(parents=True, exist_ok=True)
        nbformat.validate(nbformat.read(executed, as_version=4))
        shutil.copy(executed, output)


def _interrupt_kernels(_number: int, _frame: FrameType | None) -> None:
    """Handle SIGTERM: the notebook's kernel ends its step, writes a checkpoint, and stops."""
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has just ended
            if "ipykernel_launcher" in child.cmdline():
                child.send_signal(signal.SIGINT)


def _end_children() -> None:
    """Kill all descendants of this process, including those that are started or orphaned meanwhile."""
    deadline = time.monotonic() + _PATIENCE
    while (children := psutil.Process().children(recursive=True)) and time.monotonic() < deadline:
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):  # its parent has already reaped it
                child.kill()
        psutil.wait_procs(children, timeout=1)


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status: 0; 1 after a failure, which /opt/ml/output/failure describes; 143 after SIGTERM."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)  # orphans become our children, and end with us
    signal.signal(signal.SIGTERM, _interrupt_kernels)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    try:
        hosts, parameters = json.loads(os.environ["SM_HOSTS"]), parse(arguments)
        if os.environ["SM_CURRENT_HOST"] != hosts[0]:
            command = [sys.executable, "-m", "autoaug.training.servers"]
            return subprocess.run(command, cwd=_ROOT, check=False).returncode
        train(parameters)
    except (papermill.PapermillExecutionError, DeadKernelError, ValueError, OSError) as error:
        name, message, status = getattr(error, "ename", type(error).__name__), getattr(error, "evalue", error), 1
        if name == "KeyboardInterrupt":
            name, message, status = "SIGTERM", "the job continues from its checkpoint", 128 + signal.SIGTERM
        _OUTPUT.mkdir(parents=True, exist_ok=True)
        (_OUTPUT / "failure").write_text(f"{name}: {message}")
        print(error, file=sys.stderr)
        return status
    finally:
        _end_children()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
