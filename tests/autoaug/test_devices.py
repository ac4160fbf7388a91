"""What a model is trained on: chosen before any work, said, and recorded."""

import dataclasses
import os
import re

import pytest
import tensorflow as tf

from autoaug import devices, models, recipes, training
from autoaug.training import step_time


@pytest.fixture
def gpus(monkeypatch):
    """A function that lets TensorFlow see so many GPUs."""

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


def test_the_published_recipe_goes_to_a_cpu_only_where_it_is_asked_for(gpus, tiny_dataset, tmp_path):
    gpus()
    devices.select("auto", "small")
    with pytest.raises(ValueError, match=r"Expected a GPU .* -p device cpu .* Received: TensorFlow sees no GPU"):
        training.train(recipes.get("pyramid", "paper"), tiny_dataset, tmp_path / "run")
    assert not list(tmp_path.iterdir())
    gpus("NVIDIA A10")
    devices.select("auto", "paper")


def test_an_unknown_device_is_refused():
    with pytest.raises(ValueError, match=r"Expected device, one of auto, cpu\. Received: device='tpu'"):
        devices.select("tpu", "quick")


def test_memory_grows_and_float32_stays_float32():
    assert os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    tf.config.experimental.enable_tensor_float_32_execution(True)
    models.build_model("wrn", depth=10, widen_factor=1)
    assert devices.recorded()["tf32"] is False


@pytest.mark.parametrize(
    "flags, units",
    [
        ("fpu sse avx2", ""),
        ("fpu avx512_bf16", "AVX-512 BF16"),
        ("amx_bf16 amx_tile avx512_bf16", "AMX and AVX-512 BF16"),
    ],
)
def test_units_for_bfloat16_are_read_from_the_processors_flags(flags, units, tmp_path):
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags : {flags}\n\nprocessor : 1\nflags : {flags}\n")
    assert devices.bfloat16_units(tmp_path / "cpuinfo") == units
    assert devices.bfloat16_units(tmp_path / "none") == ""


def test_where_a_processor_has_units_for_bfloat16_a_step_is_timed_in_both(
    monkeypatch, tiny_recipe, tiny_dataset, tmp_path, capsys
):
    """Not in a quick run, in bfloat16 itself, or in a run that goes on."""
    monkeypatch.setattr(step_time, "_SECONDS", 0.1)
    monkeypatch.setattr(devices, "bfloat16_units", lambda: "AMX")
    small = dataclasses.replace(tiny_recipe, preset="small", epochs=1)
    training.train(small, tiny_dataset, tmp_path / "small")
    said = capsys.readouterr().out
    assert "This processor has units for bfloat16 (AMX). Timing a step.\n" in said
    assert re.search(r"\nA step takes [\d.e-]+ s in float32 and [\d.e-]+ s in bfloat16( here\.|: -p precision)", said)
    for recipe in (dataclasses.replace(small, preset="quick"), dataclasses.replace(small, precision="mixed_bfloat16")):
        training.train(recipe, tiny_dataset, tmp_path / f"{recipe.preset}-{recipe.precision}")
        assert "Timing" not in capsys.readouterr().out


def test_the_faster_precision_is_named_with_its_parameter(monkeypatch, tiny_recipe):
    seconds = {"float32": 0.46, "mixed_bfloat16": 0.2}
    monkeypatch.setattr(step_time, "measure", lambda recipe: (seconds[recipe.precision], 1))
    assert step_time.of_precisions(tiny_recipe) == (
        "A step takes 0.46 s in float32 and 0.2 s in bfloat16: -p precision mixed_bfloat16 is 2.3 times as fast here."
    )
    seconds["mixed_bfloat16"] = 0.45
    assert step_time.of_precisions(tiny_recipe) == "A step takes 0.46 s in float32 and 0.45 s in bfloat16 here."
