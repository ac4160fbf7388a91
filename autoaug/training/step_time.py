"""Times a training step of recipes on this machine, in a process of its own, so that the GPU is free afterwards.

    echo '[{"model": "wrn", …}]' | python -m autoaug.training.step_time

It reads a list of recipes as JSON from standard input. The last line that it prints is `duration.StepTimes` as JSON.
"""

import dataclasses
import json
import sys
import time

import numpy as np

from autoaug import devices, models
from autoaug.duration import StepTimes
from autoaug.recipes import Recipe
from autoaug.training.step import TrainingStep, precision_scope

_SECONDS = 2.0  # at least, of timed steps
_WORTH_SAYING = 1.1  # times as fast
_CPU_OPERATIONS = 3e11  # at most, of a timed step on a CPU, where a whole batch of a published recipe takes minutes


def measure(recipe: Recipe) -> tuple[float, int]:
    """Seconds of a step, without the first step that compiles, and number of parameters of the model.

    The images are random. On a CPU, if a whole batch would take long, a part of it is timed, and the time is scaled.
    """
    with precision_scope(recipe):
        model = models.build_model(recipe.model, **recipe.size)
        step = TrainingStep(model, recipe)
    size = recipe.batch_size
    if not devices.gpus():
        size = min(size, max(1, int(_CPU_OPERATIONS / (3 * models.flops_per_image(model)))))
    rng = np.random.default_rng(0)
    images, labels = rng.standard_normal((size, 32, 32, 3), np.float32), np.arange(size) % 10
    float(step(images, labels, 0.0, 0)[0])
    steps, begun = 0, time.perf_counter()
    while (passed := time.perf_counter() - begun) < _SECONDS:
        steps += 1
        float(step(images, labels, 0.0, steps)[0])
    return passed / steps * recipe.batch_size / size, model.count_params()


def of_precisions(recipe: Recipe) -> str:
    """A sentence on the seconds of a step in float32 and in bfloat16, with the parameter if bfloat16 is faster."""
    exact, rounded = (measure(dataclasses.replace(recipe, precision=name))[0] for name in ("float32", "mixed_bfloat16"))
    sentence = f"A step takes {exact:.2g} s in float32 and {rounded:.2g} s in bfloat16"
    if exact < _WORTH_SAYING * rounded:
        return f"{sentence} here."
    return f"{sentence}: -p precision mixed_bfloat16 is {exact / rounded:.1f} times as fast here."


def main() -> None:
    """Time the recipes from standard input."""
    measured = [measure(Recipe(**recipe)) for recipe in json.load(sys.stdin)]
    seconds, parameters = [seconds for seconds, _ in measured], [parameters for _, parameters in measured]
    times = StepTimes(devices.description(), len(devices.gpus()), seconds, parameters)
    print(json.dumps(dataclasses.asdict(times)))


if __name__ == "__main__":
    main()
