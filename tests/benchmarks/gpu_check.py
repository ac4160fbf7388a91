"""What a GPU computes and how fast, beside the CPU: a table to send back. `make gpu-check`; five minutes on a GPU.

python tests/benchmarks/gpu_check.py            # the published Wide-ResNet on a GPU; a small one where there is none
python tests/benchmarks/gpu_check.py quick      # the small one
"""

import contextlib
import dataclasses
import itertools
import os
import signal
import sys
import tempfile
import time
from unittest import mock

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
import tiny

from autoaug import devices, models, recipes, training
from autoaug.training import loop
from autoaug.training.step import TrainingStep

MODELS = ("wrn", "shake_shake_32", "pyramid_net")
PRECISIONS = {"float32": "float32", "TF32": "float32", "float16": "mixed_float16", "bfloat16": "mixed_bfloat16"}
SECONDS = 5.0  # of each measurement


def seen():
    """What TensorFlow sees."""
    build = tf.sysconfig.get_build_info()
    rows = {"device": devices.description(), "TensorFlow": tf.__version__}
    rows |= {name: build[f"{name}_version"] for name in ("cuda", "cudnn") if f"{name}_version" in build}
    for number, gpu in enumerate(devices.gpus()):
        rows[f"GPU {number}"] = str(tf.config.experimental.get_device_details(gpu))
    return pd.Series(rows, name="machine").to_frame()


def logits():
    """Largest difference of the logits from the CPU's, and the share of images with the same answer."""
    images, rows = np.random.default_rng(0).standard_normal((256, 32, 32, 3)).astype(np.float32), []
    for name in MODELS:
        model = models.build_model(name, **recipes.get(name).size)
        computed = []
        for device in ("/CPU:0", "/GPU:0" if devices.gpus() else "/CPU:0"):
            with tf.device(device):
                computed.append(tf.function(model)(images, training=False).numpy())
        cpu, other = computed
        same = float(np.mean(cpu.argmax(1) == other.argmax(1)))
        rows.append((name, float(np.abs(cpu).max()), float(np.abs(cpu - other).max()), same))
    columns = ["model", "largest logit", "largest difference", "same answers"]
    return pd.DataFrame(rows, columns=columns).set_index("model")


def steps_per_second(recipe):
    """Steps per second in each precision, with and without XLA; what fails is shown as its error."""
    images = np.random.default_rng(0).standard_normal((recipe.batch_size, 32, 32, 3)).astype(np.float32)
    labels, rows = np.arange(recipe.batch_size) % 10, {}
    for (name, precision), xla in itertools.product(PRECISIONS.items(), (False, True)):
        try:
            keras.config.set_dtype_policy(precision)  # no recipe has float16: here it is timed, and its loss is shown
            step = TrainingStep(models.build_model(recipe.model, **recipe.size), dataclasses.replace(recipe, xla=xla))
            tf.config.experimental.enable_tensor_float_32_execution(name == "TF32")  # `build_model` turns it off
            started = time.perf_counter()
            loss = float(step(images, labels, 0.01, 0)[0])
            compiling, count, started = time.perf_counter() - started, 0, time.perf_counter()
            while (passed := time.perf_counter() - started) < SECONDS:
                count += 1
                float(step(images, labels, 0.01, count)[0])
            result = (round(count / passed, 2), round(compiling, 1), round(loss, 4))
        except (tf.errors.OpError, RuntimeError, ValueError) as error:
            result = (str(error).splitlines()[0][:60], "", "")
        rows[f"{name}{', XLA' * xla}"] = result
    tf.config.experimental.enable_tensor_float_32_execution(False)
    keras.config.set_dtype_policy("float32")
    columns = ["steps per second", "first step, s", "first loss"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def resumed():
    """Largest difference of weights between a run that was interrupted once and one that was not; 0: the same bits."""
    recipe, dataset = tiny.recipe(), tiny.dataset()
    with tempfile.TemporaryDirectory() as folder:
        whole = training.train(recipe, dataset, f"{folder}/whole", test_sets=[])
        end = loop.end_epoch
        interrupt = mock.patch.object(loop, "end_epoch", lambda run: end(run) or os.kill(os.getpid(), signal.SIGINT))
        with contextlib.suppress(KeyboardInterrupt), interrupt:
            training.train(recipe, dataset, f"{folder}/cut", test_sets=[])
        cut = training.train(recipe, dataset, f"{folder}/cut", test_sets=[])
    pairs = zip(whole.get_weights(), cut.get_weights(), strict=True)
    return max(float(np.abs(one - other).max()) for one, other in pairs)


def main(size):
    recipe = recipes.get("wrn", size)
    print(seen(), end="\n\n")
    print(logits(), end="\n\n")
    print(f"{recipes.title(recipe)}, {recipe.batch_size} images a step:")
    print(steps_per_second(recipe), end="\n\n")
    print(f"largest difference of weights after a resumption: {resumed():.3g}")


if __name__ == "__main__":
    pd.set_option("display.width", 200, "display.max_colwidth", 120)
    main(sys.argv[1] if len(sys.argv) > 1 else "paper" if devices.gpus() else "quick")
