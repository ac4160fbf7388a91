"""The training step's speed beside the original's graph, plain Keras and PyTorch, in float32 and in bfloat16.

python tests/benchmarks/training.py                        # over an hour on two cores
python tests/benchmarks/training.py widths                 # one part only; the others: quick paper product
"""

import dataclasses
import functools
import importlib.util
import json
import statistics
import subprocess
import sys
import time
from unittest import mock

import keras
import measuring
import numpy as np
import original_graph
import tensorflow as tf

from autoaug import devices, models, recipes
from autoaug.models import layers
from autoaug.training.step import TrainingStep, precision_scope

ROUNDS = 9  # of each contender, taking turns; the median counts
ROUND_SECONDS = 2.0
ALONE_ROUNDS = 3  # of contenders that are measured in processes of their own, taking turns
ALONE_SECONDS = 10.0


def batch(size):
    """Random images and labels."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((size, 32, 32, 3), np.float32), rng.integers(0, 10, size)


def our_step(recipe):
    """A function that trains one step of the recipe."""
    images, labels = batch(recipe.batch_size)
    step = TrainingStep(models.build_model(recipe.model, **recipe.size), recipe)
    return lambda: step(images, labels, 0.1, 0).numpy()


def keras_step(recipe):
    """The same with Keras' own batch normalisation and optimizer, trained as in Keras' guides.

    Shake-Shake and ShakeDrop have no layer in Keras: theirs stay.
    """
    images, labels = batch(recipe.batch_size)
    plain = functools.partial(keras.layers.BatchNormalization, momentum=0.9, epsilon=1e-5)
    with mock.patch.object(layers, "FusedBatchNorm", plain):
        model = models.build_model(recipe.model, **recipe.size)
    optimizer = keras.optimizers.SGD(0.1, 0.9, nesterov=True, weight_decay=recipe.weight_decay, global_clipnorm=5.0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            cost = loss(labels, model(images, training=True, noise_key=tf.constant([0, 0])))
        optimizer.apply(tape.gradient(cost, model.trainable_weights), model.trainable_weights)
        return cost

    return lambda: step().numpy()


def original_step(recipe):
    """The same as a graph of the original's operations; for the Wide-ResNet."""
    return original_graph.training_step(recipe, *batch(recipe.batch_size))


def torch_step(recipe):
    """The same in PyTorch."""
    import torch_models  # needs torch

    step = torch_models.training_step
    return step(recipe.model, recipe.size, recipe.weight_decay, *batch(recipe.batch_size))


def our_bfloat16_step(recipe):
    """Our step in mixed_bfloat16."""
    recipe = dataclasses.replace(recipe, precision="mixed_bfloat16")
    with precision_scope(recipe):
        return our_step(recipe)


def torch_bfloat16_step(recipe):
    """PyTorch's step under its autocast."""
    import torch

    step = torch_step(recipe)

    def cast():
        with torch.autocast("cpu", torch.bfloat16):
            return step()

    return cast


CONTENDERS = {
    "ours": our_step,
    "the original's graph": original_step,
    "plain Keras": keras_step,
    "PyTorch": torch_step,
    "ours, bfloat16": our_bfloat16_step,
    "PyTorch, bfloat16": torch_bfloat16_step,
}
if not devices.bfloat16_units():
    print("bfloat16 is left out: this processor has no units for it.")
    CONTENDERS = {name: step for name, step in CONTENDERS.items() if not name.endswith("bfloat16")}
if not importlib.util.find_spec("torch"):
    print("PyTorch is left out: it is not installed.")
    CONTENDERS = {name: step for name, step in CONTENDERS.items() if not name.startswith("PyTorch")}


def side_by_side(recipe, contenders):
    """Seconds per step, float [rounds, contenders]."""
    return measuring.turns([CONTENDERS[name](recipe) for name in contenders], ROUNDS, ROUND_SECONDS)


def one_by_one(recipe, contenders):
    """The same in processes of their own: the largest models leave no room for another."""
    command = [sys.executable, __file__, "seconds_alone", json.dumps(dataclasses.asdict(recipe))]
    rounds = np.empty((ALONE_ROUNDS, len(contenders)))
    for turn in rounds:
        for place, name in enumerate(contenders):
            output = subprocess.run([*command, name], check=True, capture_output=True, text=True).stdout
            turn[place] = float(output.split("seconds ")[1])
    return rounds


def seconds_alone(recipe, name):
    """Print the median seconds of a contender's steps after the first."""
    step, times = CONTENDERS[name](recipes.Recipe(**json.loads(recipe))), []
    step()
    while sum(times) < ALONE_SECONDS:
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    print("seconds", statistics.median(times))


def compare(name, recipe, measure, contenders):
    """A row for each precision: images a second of our step, and its speed over that of each other one.

    All take turns in one run.
    """
    seconds = measure(recipe, contenders)
    times = dict(zip(contenders, seconds.T, strict=True))
    for ours in [name for name in contenders if name.startswith("ours")]:
        is_half = ours.endswith("bfloat16")
        rivals = [name for name in contenders if name != ours and name.endswith("bfloat16") == is_half]
        ratios = {
            f"of_{rival.replace(' ', '_')}": measuring.Spread.of(times[rival] / times[ours])
            for rival in rivals + ["ours"] * is_half
        }
        speed = measuring.Spread.of(recipe.batch_size / times[ours])
        SHEET.row(name + ours.removeprefix("ours"), images_a_second=speed, **ratios)


def widths():
    """The Wide-ResNet-28 at three widths, beside the original's graph too."""
    for width, measure in ((16, side_by_side), (32, side_by_side), (160, one_by_one)):
        recipe = dataclasses.replace(recipes.get("wrn", "paper"), size={"widen_factor": width // 16})
        compare(f"Wide-ResNet-28, width {width}", recipe, measure, list(CONTENDERS))


def quick():
    """The other families in small; the three quick Shake-Shake presets are one network."""
    families("quick", ("shake_shake_32", "pyramid_net"), side_by_side)


def paper():
    """The other four models as published."""
    families("paper", list(models.MODELS)[1:], one_by_one)


def families(preset, names, measure):
    contenders = [name for name in CONTENDERS if name != "the original's graph"]
    for name in names:
        compare(f"{name}, {preset}", recipes.get(name, preset), measure, contenders)


def product():
    """The processor's own speed: products of the shapes that the Wide-ResNet-28-10's convolutions have.

    The left matrix holds the 3×3 neighbourhood of each pixel of 128 images, the right one the weights.
    """
    for channels, side in ((160, 32), (320, 16), (640, 8)):
        rows, inner = 128 * side * side, 9 * channels
        for dtype in (tf.float32, tf.bfloat16) if devices.bfloat16_units() else (tf.float32,):
            left, right = (tf.cast(tf.random.normal(shape), dtype) for shape in ((rows, inner), (inner, channels)))
            multiply = tf.function(lambda left=left, right=right: tf.matmul(left, right)[0, 0])
            seconds = measuring.turns([lambda multiply=multiply: multiply().numpy()], ROUNDS, ROUND_SECONDS)[:, 0]
            speed = measuring.Spread.of(2e-9 * rows * inner * channels / seconds)
            SHEET.row(f"product, {rows:,} × {inner:,} × {channels}, {dtype.name}", GFLOPS=speed)


PARTS = {part.__name__: part for part in (widths, quick, paper, product)}

if __name__ == "__main__":
    if sys.argv[1:2] == ["seconds_alone"]:
        seconds_alone(*sys.argv[2:])
    else:
        SHEET = measuring.Sheet("training")
        for part in sys.argv[1:] or PARTS:
            PARTS[part]()
        SHEET.write()
