"""The GPUs of SageMaker's instance types (AWS, "Amazon EC2 instance types", accelerated computing).

Other types can be used too, without an estimate of time. Those whose names begin with g or p are assumed to have one
GPU, until a job finds more; the others are assumed to have none.
"""

import re

from autoaug.sagemaker.options import LaunchError

_DEVICES = {"g4dn": "NVIDIA T4", "p3": "NVIDIA V100 SXM2", "g5": "NVIDIA A10", "p4d": "NVIDIA A100",
            "p4de": "NVIDIA A100", "p5": "NVIDIA H100 SXM"}  # fmt: skip
_SEVERAL_GPUS = {
    "ml.g4dn.12xlarge": 4, "ml.p3.8xlarge": 4, "ml.p3.16xlarge": 8, "ml.p3dn.24xlarge": 8,
    "ml.g5.12xlarge": 4, "ml.g5.24xlarge": 4, "ml.g5.48xlarge": 8,
    "ml.g6.12xlarge": 4, "ml.g6.24xlarge": 4, "ml.g6.48xlarge": 8,
    "ml.g6e.12xlarge": 4, "ml.g6e.24xlarge": 4, "ml.g6e.48xlarge": 8,
    "ml.p4d.24xlarge": 8, "ml.p4de.24xlarge": 8, "ml.p5.48xlarge": 8, "ml.p5e.48xlarge": 8, "ml.p5en.48xlarge": 8,
}  # fmt: skip
COMPARED = ("ml.g4dn.xlarge", "ml.p3.2xlarge", "ml.g5.2xlarge", "ml.g5.12xlarge", "ml.p4d.24xlarge")
"""The types for which estimates are shown, besides the chosen one."""


def device(instance_type: str) -> str | None:
    """The GPU of an instance type, a name in `duration.PEAK_RATES`; None if it is unknown."""
    return _DEVICES.get(instance_type.split(".")[1])


def gpus(instance_type: str) -> int:
    """Number of GPUs of an instance type."""
    return _SEVERAL_GPUS.get(instance_type, 1 if re.match(r"ml\.[gp]\d", instance_type) else 0)


def check_device(instance_type: str, device: str, preset: str) -> None:
    """Check that the device fits the instance type; `devices.select` checks the same in the job.

    Raises:
        LaunchError: a GPU would be paid for and not used, or the published recipe would run on a CPU unasked.
    """
    if device == "cpu" and gpus(instance_type):
        raise LaunchError(
            f"Expected device auto for {instance_type}, which has a GPU, or an instance without one, such as "
            f"ml.m5.4xlarge. Received: device={device!r}"
        )
    if device == "auto" and preset == "paper" and not gpus(instance_type):
        raise LaunchError(
            f"Expected an instance with a GPU for the published recipe (preset paper), or that the CPU is asked for: "
            f"device cpu. Received: {instance_type}, device={device!r}"
        )


def hosts(instance_type: str, workers: int, update: str) -> int:
    """Number of hosts for so many workers: one for each worker, or one for all if it has a GPU for each worker.

    Raises:
        LaunchError: some GPUs of an instance would be paid for but not used.
    """
    if gpus(instance_type) <= 1:
        return workers
    if (workers, update) != (gpus(instance_type), "sync"):
        raise LaunchError(
            f"Expected workers={gpus(instance_type)} and update=sync for {instance_type}, which has "
            f"{gpus(instance_type)} GPUs, or an instance with one GPU, such as ml.g5.2xlarge. "
            f"Received: workers={workers}, update={update}"
        )
    return 1
