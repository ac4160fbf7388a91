"""The program that a SageMaker job runs on every host: the training notebook on the first, servers on the others.

It reads only environment variables that both the older and the newer drivers of SageMaker set: SM_HOSTS,
SM_CURRENT_HOST, SM_CHANNEL_…, SM_MODEL_DIR. A host's number is its place in SM_HOSTS, not the number in
its name. The notebook's parameters come as arguments, `--name value`. The run is written to /opt/ml/checkpoints, which
SageMaker copies to S3, so it can be continued after an interruption.
"""

import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence

_ROOT = pathlib.Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[0] = str(_ROOT)  # the drivers run this file as a script, not as a module

import click  # noqa: E402
import psutil  # noqa: E402

from autoaug import runs  # noqa: E402
from autoaug.datasets import DATASETS  # noqa: E402
from autoaug.papermill_command import Execution  # noqa: E402
from autoaug.sagemaker import job  # noqa: E402

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)
_OUTPUT = pathlib.Path("/opt/ml/output")
_NOT_FOR_COLLECTING = shutil.ignore_patterns("checkpoints", "model.keras", ".lock")


def link_data(folder: pathlib.Path) -> None:
    """Make a `data_dir` from the channels: `<folder>/<name>/training` for each data set that has a channel."""
    for name in DATASETS:
        if channel := os.environ.get(f"SM_CHANNEL_{job.channel_name(name).upper()}"):
            (folder / name).mkdir(parents=True)
            (folder / name / "training").symlink_to(channel)


def train(arguments: Sequence[str], execution: Execution) -> None:
    """Execute the training notebook; its executed copy and the run go to S3, also if it fails."""
    pairs = zip(arguments[::2], arguments[1::2], strict=True)
    parameters = job.training({name.removeprefix("--"): text for name, text in pairs}).given
    results, executed = (pathlib.Path(job.CHECKPOINTS), pathlib.Path(job.CHECKPOINTS) / "train.ipynb")
    results.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        link_data(pathlib.Path(data))
        try:
            execution(
                input_path=str(_ROOT / "notebooks" / "train.ipynb"), output_path=str(executed),
                parameters=parameters | {"data_dir": data, "results_dir": str(results)},
                kernel_name="python3",  # of the image, which knows no other
                cwd=str(_ROOT), progress_bar=False, stdout_file=sys.stdout, stderr_file=sys.stderr,
            )  # fmt: skip
        finally:
            _keep(results, executed)
    for row in runs.collect(results).itertuples():
        if row.total:  # 0 if every image is among the training images
            print(f"test accuracy {row.test_set} {row.accuracy:.4f}", flush=True)


def _keep(results: pathlib.Path, executed: pathlib.Path) -> None:
    """Record, history, predictions, notebook go to output.tar.gz; model, record, last checkpoint to model.tar.gz."""
    output, models = _OUTPUT / "data", pathlib.Path(os.environ["SM_MODEL_DIR"]) / "runs"
    for run in (path.parent for path in results.glob("runs/*/record.json")):
        shutil.copytree(run, output / "runs" / run.name, ignore=_NOT_FOR_COLLECTING, dirs_exist_ok=True)
        last = max((path.stem for path in run.glob("checkpoints/step-*.index")), default="step-none")
        for path in (run / "record.json", *run.glob("model.keras"), *run.glob(f"checkpoints/{last}.*")):
            target = models / run.name / path.relative_to(run)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    if executed.exists():
        output.mkdir(parents=True, exist_ok=True)
        shutil.copy(executed, output)


def _end_children() -> None:
    """Kill all descendants, orphans too: the SDK's driver waits, and costs, until the last one has closed the log."""
    for _ in range(30):
        for child in (children := psutil.Process().children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):  # its parent has already reaped it
                child.kill()
        if not psutil.wait_procs(children, timeout=1)[1] and not psutil.Process().children():
            break


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status: 0; 1 after a failure, which /opt/ml/output/failure describes; 143 after SIGTERM."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)  # orphans become our children
    signal.signal(signal.SIGTERM, (execution := Execution()).on_signal)
    try:
        if os.environ["SM_CURRENT_HOST"] != json.loads(os.environ["SM_HOSTS"])[0]:
            return subprocess.run([sys.executable, "-m", "autoaug.training.servers"], cwd=_ROOT, check=False).returncode
        train(arguments, execution)
    except (SystemExit, click.ClickException, ValueError, OSError) as error:
        kind = "" if isinstance(error, click.ClickException) else f"{type(error).__name__}: "
        said = "SIGTERM: the job continues from its checkpoint" if execution.signal else f"{kind}{error}"
        _OUTPUT.mkdir(parents=True, exist_ok=True)
        (_OUTPUT / "failure").write_text(said)
        print(said, file=sys.stderr)
        return 128 + execution.signal if execution.signal else 1
    finally:
        _end_children()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
