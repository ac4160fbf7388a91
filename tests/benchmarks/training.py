"""The training step's speed beside the original's graph and PyTorch, in float32 and in bfloat16.

python tests/benchmarks/training.py                 # the Wide-ResNet at three widths: half an hour on two cores
python tests/benchmarks/training.py check           # a step of each contender, to see that it runs

The contenders take turns, and each turn is a process of its own: two processes of one contender differ by several
percent. One that ends, by a segmentation fault or for want of memory, is named, and the others go on.
"""

import dataclasses
import importlib.util
import json
import subprocess
import sys
import time

import numpy as np

from autoaug import recipes

ROUNDS, SECONDS = 7, 4.0  # of each contender; the median counts
ROUNDS_OF_WIDEST, SECONDS_OF_WIDEST = 3, 10.0


def our_step(recipe, images, labels):
    """A function that trains one step of the recipe."""
    from autoaug import models
    from autoaug.training.step import TrainingStep, precision_scope

    with precision_scope(recipe):
        step = TrainingStep(models.build_model(recipe.model, **recipe.size), recipe)
    return lambda: step(images, labels, 0.1, 0).numpy()


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


CONTENDERS = {"ours": our_step, "original": original_step, "PyTorch": torch_step}


def take_turn(name, recipe, seconds):
    """The process of a turn: it prints the seconds of a step."""
    recipe, rng = recipes.Recipe(**json.loads(recipe)), np.random.default_rng(0)
    images = rng.standard_normal((recipe.batch_size, 32, 32, 3), np.float32)
    step = CONTENDERS[name](recipe, images, rng.integers(0, 10, recipe.batch_size))
    step()
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < float(seconds) or not count:
        step()
        count += 1
    print("seconds", (time.perf_counter() - started) / count)


def compare(title, recipe, names, rounds, seconds):
    """A row: images a second of our step, and its speed over that of each other one in the same round."""
    text, taken = json.dumps(dataclasses.asdict(recipe)), {name: [] for name in names}
    for name in names * rounds:
        command = [sys.executable, __file__, "turn", name, text, str(seconds)]
        ended = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        taken[name].append(float(ended.stdout.split()[-1]) if ended.returncode == 0 else np.nan)
        if ended.returncode:
            print(f"{title}: {name} ended with status {ended.returncode}", flush=True)
    rivals = {f"of_{name}": np.divide(taken[name], taken["ours"]) for name in names[1:]}
    measuring.show(title, images_a_second=recipe.batch_size / np.array(taken["ours"]), **rivals)


def in_both(title, recipe, *arguments):
    """The comparison in float32, and in bfloat16 where the processor has units for it."""
    of_torch = ["PyTorch"] if importlib.util.find_spec("torch") else []
    compare(title, recipe, ["ours", "original", *of_torch], *arguments)
    if measuring.processor()[1]:
        half = dataclasses.replace(recipe, precision="mixed_bfloat16")
        compare(f"{title}, bfloat16", half, ["ours", *of_torch], *arguments)


def main(is_check):
    """The Wide-ResNet-28 at three widths; as a check, two steps whose figures say nothing."""
    measuring.show_machine()
    paper = recipes.get("wrn", "paper")
    if is_check:
        return in_both("width 16", dataclasses.replace(paper, size={"widen_factor": 1}, batch_size=8), 1, 0.0)
    for factor in (1, 2):
        in_both(f"width {16 * factor}", dataclasses.replace(paper, size={"widen_factor": factor}), ROUNDS, SECONDS)
    widest = dataclasses.replace(paper, size={"widen_factor": 10})
    return in_both("width 160", widest, ROUNDS_OF_WIDEST, SECONDS_OF_WIDEST)


if __name__ == "__main__":
    if sys.argv[1:2] == ["turn"]:
        take_turn(*sys.argv[2:])
    else:
        import measuring  # not in a contender's process: it brings TensorFlow

        main(is_check=sys.argv[1:] == ["check"])
