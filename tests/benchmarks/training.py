"""The training step's speed beside the original's graph, plain Keras and PyTorch, in float32 and in bfloat16.

python tests/benchmarks/training.py                 # over an hour on two cores
python tests/benchmarks/training.py widths          # one part only; the others: families; check: a step of each

Each contender is a process of its own, and they take turns. One that ends, by a segmentation fault or for want of
memory, is named, and the others go on.
"""

import dataclasses
import functools
import importlib.util
import json
import subprocess
import sys
import time
from unittest import mock

import numpy as np

from autoaug import recipes

ROUNDS, SECONDS = 9, 2.0  # of each contender; the median counts
ALONE_ROUNDS, ALONE_SECONDS = 3, 10.0  # where each turn has a process of its own: two large models find no room


def our_step(recipe, images, labels):
    """A function that trains one step of the recipe."""
    from autoaug import models
    from autoaug.training.step import TrainingStep, precision_scope

    with precision_scope(recipe):
        step = TrainingStep(models.build_model(recipe.model, **recipe.size), recipe)
    return lambda: step(images, labels, 0.1, 0).numpy()


def keras_step(recipe, images, labels):
    """The same with Keras' own batch normalisation and optimizer, trained as in Keras' guides.

    Shake-Shake and ShakeDrop have no layer in Keras: theirs stay.
    """
    import keras
    import tensorflow as tf

    from autoaug import models
    from autoaug.models import layers

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


def original_step(recipe, images, labels):
    """The same as a graph of the original's operations."""
    import original_graph

    return original_graph.training_step(recipe, images, labels)


def torch_step(recipe, images, labels):
    """The same in PyTorch, for bfloat16 under its autocast."""
    import torch
    import torch_models

    step = torch_models.training_step(recipe, images, labels)

    def cast():
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "mixed_bfloat16"):
            return step()

    return cast


CONTENDERS = {"ours": our_step, "plain Keras": keras_step, "original": original_step, "PyTorch": torch_step}


def serve(name, recipe):
    """The process of a contender: for each number of seconds that it reads, it prints the seconds of a step."""
    recipe, rng = recipes.Recipe(**json.loads(recipe)), np.random.default_rng(0)
    images = rng.standard_normal((recipe.batch_size, 32, 32, 3), np.float32)
    step = CONTENDERS[name](recipe, images, rng.integers(0, 10, recipe.batch_size))
    for line in sys.stdin:
        step()
        count, started = 0, time.perf_counter()
        while time.perf_counter() - started < float(line) or not count:
            step()
            count += 1
        print("seconds", (time.perf_counter() - started) / count, flush=True)


def seconds_of(process, seconds):
    """Seconds of a step in this turn; NaN if the process has ended."""
    try:
        process.stdin.write(f"{seconds}\n")
        process.stdin.flush()
        return next(float(line.split()[1]) for line in process.stdout if line.startswith("seconds"))
    except (StopIteration, OSError):
        return np.nan


def compare(title, recipe, names, rounds, seconds, alone=False):
    """A row: images a second of our step, and its speed over that of each other one in the same round."""
    text, processes, taken = json.dumps(dataclasses.asdict(recipe)), {}, {name: [] for name in names}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    for name in names * rounds:
        if name not in processes:
            processes[name] = subprocess.Popen([sys.executable, __file__, "serve", name, text], **pipes)
        taken[name].append(seconds_of(processes[name], seconds))
        if np.isnan(taken[name][-1]):
            print(f"{title}: {name} ended with status {processes[name].wait()}", flush=True)
        if alone:
            processes.pop(name).communicate()
    for process in processes.values():
        process.communicate()
    rivals = {f"of_{name}": measuring.Spread.of(np.divide(taken[name], taken["ours"])) for name in names[1:]}
    sheet.row(title, images_a_second=measuring.Spread.of(recipe.batch_size / np.array(taken["ours"])), **rivals)


def in_both(title, recipe, *arguments, **options):
    """The comparison in float32, and in bfloat16 where the processor has units for it."""
    of_torch = ["PyTorch"] if importlib.util.find_spec("torch") and recipe.model == "wrn" else []
    of_graph = ["original"] if recipe.model == "wrn" else []
    compare(title, recipe, ["ours", "plain Keras", *of_graph, *of_torch], *arguments, **options)
    if measuring.bfloat16_units():
        half = dataclasses.replace(recipe, precision="mixed_bfloat16")
        compare(f"{title}, bfloat16", half, ["ours", *of_torch], *arguments, **options)


def wide(factor):
    return dataclasses.replace(recipes.get("wrn", "paper"), size={"widen_factor": factor})


def widths():
    """The Wide-ResNet-28 at three widths."""
    for factor in (1, 2):
        in_both(f"Wide-ResNet-28, width {16 * factor}", wide(factor), ROUNDS, SECONDS)
    in_both("Wide-ResNet-28, width 160", wide(10), ALONE_ROUNDS, ALONE_SECONDS, alone=True)


def families():
    """The other families: in small, where the three Shake-Shakes are one network, then as published."""
    for name in ("shake_shake_32", "pyramid_net"):
        in_both(f"{name}, quick", recipes.get(name), ROUNDS, SECONDS)
    for recipe in recipes.PAPER[1:]:
        in_both(f"{recipe.model}, paper", recipe, ALONE_ROUNDS, ALONE_SECONDS, alone=True)


def check():
    """Two steps of each contender, to see that it runs: the figures say nothing."""
    in_both("Wide-ResNet-28, width 16", dataclasses.replace(wide(1), batch_size=8), 1, 0.0)


PARTS = {part.__name__: part for part in (widths, families, check)}

if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(*sys.argv[2:])
    else:
        import measuring  # not in a contender's process: it brings TensorFlow

        sheet = measuring.Sheet("training")
        for part in sys.argv[1:] or ("widths", "families"):
            PARTS[part]()
        sheet.write()
