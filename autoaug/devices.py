"""The device that a model is trained on: a GPU if TensorFlow sees one, else the CPU.

TensorFloat-32 is off (`models.build_model`). It would round the factors in float32 convolutions to 10 bits of mantissa,
and the published recipes say float32. `mixed_bfloat16` uses the tensor cores.
"""

import os
from typing import Any

import tensorflow as tf

from autoaug.recipes import DEVICES, require_known

_VISIBLE, _NONE = "CUDA_VISIBLE_DEVICES", "-1"


def select(device: str, preset: str) -> None:
    """Choose the device of this process and of those that it starts. Call this before the first model is built.

    Args:
        device: "auto": a GPU if TensorFlow sees one; "cpu": the CPU, for the rest of the process; else a ValueError.
        preset: of the recipe; "paper" runs on a CPU only with device "cpu": with "auto" it is a ValueError there.
    """
    require_known("device", device, DEVICES)
    if device == "cpu":
        tf.config.set_visible_devices([], "GPU")
        os.environ[_VISIBLE] = _NONE
    elif preset == "paper" and not gpus():
        raise ValueError(
            "Expected a GPU for the published recipe (preset paper), or -p device cpu to train on the CPU. "
            "Received: TensorFlow sees no GPU. If there is an NVIDIA GPU, make setup installs TensorFlow for it."
        )


def gpus() -> list[Any]:
    """The GPUs that TensorFlow sees; none if the CPU was asked for."""
    return tf.config.list_physical_devices("GPU") if os.environ.get(_VISIBLE) != _NONE else []


def description() -> str:
    """The device in words: `GPU: NVIDIA A10`, `CPU: no GPU seen by TensorFlow` or `CPU: as asked for`."""
    if seen := gpus():
        name = tf.config.experimental.get_device_details(seen[0]).get("device_name", seen[0].name)
        return f"GPU: {name}" + (f", one of {len(seen)}" if len(seen) > 1 else "")
    return "CPU: as asked for" if os.environ.get(_VISIBLE) == _NONE else "CPU: no GPU seen by TensorFlow"
