"""The device that a model is trained on: a GPU if TensorFlow sees one, else the CPU.

- A GPU's memory is taken only as needed (`autoaug/__init__.py`), so that other processes can use the rest.
- TensorFloat-32 is off. It would round the factors in float32 convolutions to 10 bits of mantissa, and the published
  recipes say float32. The precisions `mixed_bfloat16` and `mixed_float16` use the tensor cores.
- XLA compiles the step only if the recipe says so (`xla`).
"""

import os
import pathlib
from typing import Any

import tensorflow as tf

from autoaug.recipes import DEVICES

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_NONE = "-1"


def select(device: str, preset: str) -> None:
    """Choose the device of this process and of those that it starts. Call this before the first model is built.

    Args:
        device: "auto": a GPU if TensorFlow sees one; "cpu": the CPU, for the rest of the process.
        preset: of the recipe; "paper" runs on a CPU only with device "cpu".

    Raises:
        ValueError: the device is none of `recipes.DEVICES`; or the preset is "paper", the device "auto", and there is
            no GPU.
    """
    if device not in DEVICES:
        raise ValueError(f"Expected device, one of {', '.join(DEVICES)}. Received: device={device!r}")
    if device == "cpu":
        os.environ[_VISIBLE] = _NONE
        tf.config.set_visible_devices([], "GPU")
    elif preset == "paper" and not gpus():
        raise ValueError(
            "Expected a GPU for the published recipe (preset paper), or -p device cpu to train on the CPU. "
            "Received: TensorFlow sees no GPU. If there is an NVIDIA GPU, make setup installs TensorFlow for it."
        )


def gpus() -> list[Any]:
    """The GPUs that TensorFlow sees; none if the CPU was asked for."""
    return tf.config.list_physical_devices("GPU") if os.environ.get(_VISIBLE) != _NONE else []


def keep_float32() -> None:
    """Let TensorFlow compute float32 as float32 in this process, not as TensorFloat-32."""
    tf.config.experimental.enable_tensor_float_32_execution(False)


def description() -> str:
    """The device in words: `GPU: NVIDIA A10`, `CPU: no GPU seen by TensorFlow` or `CPU: as asked for`."""
    if seen := gpus():
        name = tf.config.experimental.get_device_details(seen[0]).get("device_name", seen[0].name)
        return f"GPU: {name}" + (f", one of {len(seen)}" if len(seen) > 1 else "")
    return "CPU: as asked for" if os.environ.get(_VISIBLE) == _NONE else "CPU: no GPU seen by TensorFlow"


def recorded() -> dict[str, Any]:
    """What a run's record says about the device."""
    return {"device": description(), "tf32": tf.config.experimental.tensor_float_32_execution_enabled()}


def bfloat16_units() -> str:
    """Names of this processor's units for products of bfloat16 numbers, such as "AMX"; empty if Linux names none."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    flags = next((set(line.split()) for line in lines if line.startswith("flags")), set())
    units = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512 BF16"}
    return " and ".join(name for flag, name in units.items() if flag in flags)
