"""What a model is trained on: chosen before any work, said, and recorded."""

import os

import pytest
import tensorflow as tf

from autoaug import devices, models


@pytest.fixture
def gpus(monkeypatch):
    """A function that lets TensorFlow see GPUs of these names."""

    def see(*names):
        seen = [tf.config.PhysicalDevice(f"/physical_device:GPU:{number}", "GPU") for number in range(len(names))]
        details = {gpu.name: {"device_name": name} for gpu, name in zip(seen, names, strict=True)}
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: seen)
        monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details[gpu.name])
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    return see


def test_what_is_seen_is_said(gpus, monkeypatch):
    gpus()
    assert devices.description() == "CPU: no GPU seen by TensorFlow"
    gpus("NVIDIA A10")
    assert devices.description() == "GPU: NVIDIA A10"
    gpus("NVIDIA A10", "NVIDIA A10")
    assert devices.description() == "GPU: NVIDIA A10, one of 2"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")  # restored after the test
    devices.select("cpu", "paper")
    assert devices.description() == "CPU: as asked for"


def test_the_published_recipe_goes_to_a_cpu_only_where_it_is_asked_for(gpus):
    gpus()
    devices.select("auto", "small")
    with pytest.raises(ValueError, match=r"Expected a GPU .* -p device cpu .* Received: TensorFlow sees no GPU"):
        devices.select("auto", "paper")
    gpus("NVIDIA A10")
    devices.select("auto", "paper")


def test_memory_grows_and_float32_stays_float32():
    assert os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    tf.config.experimental.enable_tensor_float_32_execution(True)
    models.build_model("wrn", depth=10, widen_factor=1)
    assert not tf.config.experimental.tensor_float_32_execution_enabled()
