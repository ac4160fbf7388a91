"""Estimates of time: of a training on other hardware, and of compiling a step on a processor.

The first is a guess for planning: operations divided by a share of a published peak rate. Nothing has been run on these
devices.
"""

import dataclasses
import datetime

# Peak float32 rates without tensor cores, in operations per second, from NVIDIA's data sheets of the products.
PEAK_RATES = {
    "NVIDIA T4": 8.1e12,
    "NVIDIA V100 SXM2": 15.7e12,
    "NVIDIA A10": 31.2e12,
    "NVIDIA A100": 19.5e12,
    "NVIDIA H100 SXM": 67e12,
}
UTILISATION = 0.4  # assumed share of the peak that a training reaches
LAUNCHING = datetime.timedelta(minutes=10)  # about the time until a job begins: a host, its image, the packages


@dataclasses.dataclass(frozen=True)
class StepTimes:
    """Times of training steps on this machine, as `training.step_time` measures them.

    Args:
        device: from `devices.description`; empty if nothing was timed.
        gpus: how many GPUs TensorFlow sees.
        seconds: of one step with each recipe's batch, in the recipes' order.
        parameters: number of parameters of each recipe's model.
    """

    device: str = ""
    gpus: int = 0
    seconds: list[float] = dataclasses.field(default_factory=list)
    parameters: list[int] = dataclasses.field(default_factory=list)


def in_words(hours: float) -> str:
    """`25.0 min`, from 2 hours on `2.0 h`."""
    return f"{60 * hours:,.1f} min" if hours < 2 else f"{hours:,.1f} h"


def durations(flops: float) -> dict[str, datetime.timedelta]:
    """Device → estimated datetime.timedelta, in whole seconds, of `flops` operations at 40 % of its peak rate."""
    return {
        device: datetime.timedelta(seconds=round(flops / (UTILISATION * rate))) for device, rate in PEAK_RATES.items()
    }


def describe(flops: float) -> str:
    """The operations and the estimates in a line; estimates shorter than the start of a job are left out."""
    operations, estimates = f"To compute: {flops:.3g} floating-point operations.", durations(flops)
    if max(estimates.values()) < LAUNCHING:
        return operations
    listed = ", ".join(f"{device} {duration}" for device, duration in estimates.items())
    return (
        f"{operations} Estimates for other hardware, not measured, at {UTILISATION:.0%} of its published float32 rate: "
        f"{listed}."
    )


COMPILING = 0.027
"""Seconds on one core for each variable of a model, measured without XLA: 37 variables took 1.5 s, 1,721 took 49 s."""


def compiling(variables: int) -> float:
    """Estimated seconds, to one digit, to compile the training step of a model with so many variables."""
    return float(f"{max(1, COMPILING * variables):.1g}")
