"""The end of a study on SageMaker: wait for its jobs, and render the report of their runs."""

import pathlib
import subprocess
import sys
import time
from collections.abc import Sequence

import boto3
import botocore.exceptions

from autoaug.files import ROOT
from autoaug.sagemaker.options import LaunchError

_POLL_SECONDS = 60


def wait_for(names: Sequence[str]) -> dict[str, str]:
    """Wait until all jobs have ended, printing how many have; returns job → reason for those that failed or were
    stopped.

    Raises:
        LaunchError: SageMaker does not give the jobs' status.
    """
    client, left, failures = boto3.client("sagemaker"), list(names), {}
    while left:
        for name in list(left):
            try:
                described = client.describe_training_job(TrainingJobName=name)
            except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
                raise LaunchError(f"Expected the right to describe SageMaker's jobs. Received: {error}") from error
            status = described["TrainingJobStatus"]
            if status in ("Completed", "Failed", "Stopped"):
                left.remove(name)
                print(f"{name}: {status}; {len(names) - len(left)} of {len(names)} have ended", flush=True)
                if status != "Completed":
                    failures[name] = described.get("FailureReason") or status
        if left:
            time.sleep(_POLL_SECONDS)
    return failures


def render(results: pathlib.Path) -> int:
    """Render the report of the runs in a folder, in a process that may import TensorFlow; returns its exit status."""
    command = [sys.executable, "-m", "autoaug.report", "--runs", str(ROOT / "notebooks" / "report.yml")]
    return subprocess.run([*command, "--results", str(results)], cwd=ROOT, check=False).returncode
