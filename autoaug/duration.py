"""How long a training might take on other hardware: its operations over a share of a published peak rate.

A guess for planning, not a measurement: nothing here has been run on these devices.
"""

import datetime
import pathlib

# Peak float32 rates without tensor cores, in operations per second, from NVIDIA's data sheets of the products.
PEAK_RATES = {
    "NVIDIA T4": 8.1e12,
    "NVIDIA V100 SXM2": 15.7e12,
    "NVIDIA A10": 31.2e12,
    "NVIDIA A100": 19.5e12,
    "NVIDIA H100 SXM": 67e12,
}
UTILISATION = 0.4  # assumed share of the peak that a training reaches
LAUNCHING = datetime.timedelta(minutes=10)  # about what a job takes to begin: a host, its image, the packages

# The factor by which mixed_bfloat16 made the Wide-ResNet-28's step faster, by width: one run, two cores with AMX.
BFLOAT16_FACTORS = {16: 1.8, 32: 2.3, 160: 3.4}


def bfloat16_units() -> str:
    """Names of this processor's units for products of bfloat16 numbers, such as "AMX"; empty where it has none.

    Read from /proc/cpuinfo, so empty on other systems than Linux too.
    """
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    flags = next((set(line.split()) for line in lines if line.startswith("flags")), set())
    units = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512 BF16"}
    return " and ".join(name for flag, name in units.items() if flag in flags)


def bfloat16_advice() -> str:
    """A line that says what bfloat16 would bring on this processor; empty where it has no units for it."""
    units = bfloat16_units()
    if not units:
        return ""
    (narrow, least), *_, (wide, most) = BFLOAT16_FACTORS.items()
    return (
        f"This processor has units for bfloat16 ({units}): -p precision mixed_bfloat16 made the Wide-ResNet {least:g} "
        f"(width {narrow}) to {most:g} times (width {wide}) as fast on two cores with AMX; its results differ."
    )


def durations(flops: float) -> dict[str, datetime.timedelta]:
    """Device → estimated datetime.timedelta, in whole seconds, of `flops` operations at 40 % of its peak rate."""
    return {
        device: datetime.timedelta(seconds=round(flops / (UTILISATION * rate))) for device, rate in PEAK_RATES.items()
    }


def describe(flops: float) -> str:
    """The operations and the estimates in a line; without estimates that are shorter than launching a job."""
    operations, estimates = f"To compute: {flops:.3g} floating-point operations.", durations(flops)
    if max(estimates.values()) < LAUNCHING:
        return operations
    listed = ", ".join(f"{device} {duration}" for device, duration in estimates.items())
    return (
        f"{operations} Estimates for other hardware, not measured, at {UTILISATION:.0%} of its published float32 rate: "
        f"{listed}."
    )
