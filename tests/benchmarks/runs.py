"""What a run takes beside its steps: memory and start-up.

python tests/benchmarks/runs.py                            # a few minutes on two slow cores
"""

import subprocess
import sys

import measuring
import numpy as np

ROUNDS = 3  # of the start-up

STEPS = """
import pathlib, re, sys, time
clock = [time.perf_counter()]
from autoaug import models, training
from autoaug.training.step import TrainingStep
clock.append(time.perf_counter())
import numpy as np
from autoaug import augment, recipes
recipe, number = recipes.variant("wrn", size={"depth": 28}), int(sys.argv[1])
model = models.build_model("wrn", **recipe.size)
clock.append(time.perf_counter())
images = np.random.default_rng(0).integers(0, 256, (number, 32, 32, 3), np.uint8)
plan, step = augment.sample_plan(augment.epoch_generator(0, 0), number), TrainingStep(model, recipe)
for _ in range(2):
    batch = augment.augment_batch(images[:128], plan[:128], np.full(3, 0.5), np.full(3, 0.25))
    step(batch, np.zeros(128, int), 0.0, 0).numpy()
    clock.append(time.perf_counter())
print(*np.diff(clock), re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1])
"""


def steps(number):
    """Of a process with as many images: seconds to import, to build, of the first and second step; peak kilobytes."""
    command = [sys.executable, "-c", STEPS, str(number)]
    return [float(word) for word in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()]


def memory():
    """Peak memory of two training steps, with 512 images and with 50,000."""
    peaks = {f"images_{number}": steps(number)[-1] / 1024 for number in (512, 50_000)}
    measuring.show("peak memory of training width 16, MB", **peaks)


def startup():
    """Seconds until the first step, by part."""
    parts = np.array([steps(512) for _ in range(ROUNDS)]).T
    names = ("imports_s", "building_s", "first_step_s", "second_step_s")
    measuring.show("width 16", **dict(zip(names, parts[:-1], strict=True)))


if __name__ == "__main__":
    measuring.show_machine()
    memory()
    startup()
