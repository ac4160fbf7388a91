"""The training step's speed beside the original's graph, plain Keras and PyTorch, in float32 and in bfloat16.

python tests/benchmarks/training.py                        # half an hour on two slow cores
python tests/benchmarks/training.py widths                 # one part only; the others: families bfloat16
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
    "ours, bfloat16": our_bfloat16_step,
}
if importlib.util.find_spec("torch"):
    CONTENDERS |= {"PyTorch": torch_step, "PyTorch, bfloat16": torch_bfloat16_step}
else:
    print("PyTorch is left out: it is not installed.")


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


def compare(name, recipe, measure, contenders=None):
    """Images a second of a recipe's step: of the first contender, and its speed over that of each other one."""
    contenders = contenders or [name for name in CONTENDERS if name in ("ours", "plain Keras", "PyTorch")]
    seconds = measure(recipe, contenders)
    ratios = {
        f"of_{other.replace(' ', '_')}": measuring.Spread.of(seconds[:, place] / seconds[:, 0])
        for place, other in enumerate(contenders)
        if place
    }
    SHEET.row(name, images_a_second=measuring.Spread.of(recipe.batch_size / seconds[:, 0]), **ratios)


def widths():
    """The Wide-ResNet-28 at three widths, beside the original's graph too."""
    contenders = ["ours", "the original's graph", "plain Keras", *(["PyTorch"] if "PyTorch" in CONTENDERS else [])]
    for width, measure in WIDTHS:
        compare(f"Wide-ResNet-28, width {width}", wide_resnet(width), measure, contenders)


def wide_resnet(width):
    return dataclasses.replace(recipes.get("wrn", "paper"), size={"widen_factor": width // 16})


def families():
    """The other four models, quick and full."""
    for preset, measure in (("quick", side_by_side), ("paper", one_by_one)):
        for name in list(models.MODELS)[1:]:
            compare(f"{name}, {preset}", recipes.get(name, preset), measure)


def bfloat16():
    """The Wide-ResNet-28 in bfloat16 beside float32 and PyTorch's autocast, and the processor's own product."""
    if not devices.bfloat16_units():
        print("bfloat16 is left out: this processor has no units for it.")
        return
    contenders = ["ours, bfloat16", "ours", *(["PyTorch, bfloat16"] if "PyTorch" in CONTENDERS else [])]
    for width, measure in WIDTHS:
        compare(f"Wide-ResNet-28, width {width}, bfloat16", wide_resnet(width), measure, contenders)
    size = 2048
    for dtype in (tf.float32, tf.bfloat16):
        left, right = tf.random.normal((2, size, size), dtype=tf.float32)
        left, right = tf.cast(left, dtype), tf.cast(right, dtype)
        product = tf.function(lambda left=left, right=right: tf.reduce_sum(tf.matmul(left, right)))
        seconds = measuring.turns([lambda product=product: product().numpy()], ROUNDS, ROUND_SECONDS)[:, 0]
        SHEET.row(f"product of {size} × {size}, {dtype.name}", GFLOPS=measuring.Spread.of(2e-9 * size**3 / seconds))


WIDTHS = ((16, side_by_side), (32, side_by_side), (160, one_by_one))


PARTS = {part.__name__: part for part in (widths, families, bfloat16)}

if __name__ == "__main__":
    if sys.argv[1:2] == ["seconds_alone"]:
        seconds_alone(*sys.argv[2:])
    else:
        SHEET = measuring.Sheet("training")
        for part in sys.argv[1:] or PARTS:
            PARTS[part]()
        SHEET.write()
