"""The augmentation's speed, beside a lean Pillow loop in the same run, and its exactness on many random chains.

python tests/benchmarks/augmentation.py                 # about two minutes
"""

import importlib.util
import os
import subprocess
import sys
import tempfile

import measuring
import numpy as np
import PIL
import pillow_oracle

from autoaug import augment
from autoaug.augment import policies

MEAN, STD = np.array([0.4914, 0.4822, 0.4465]), np.array([0.2470, 0.2435, 0.2616])
N = 4096  # images of the kernel's timings
N_SLOW = 256  # images of the others' timings
ROUNDS = 9  # of each contender, taking turns; the median counts
ROUND_SECONDS = 0.4
OPERATION_ROUNDS, OPERATION_SECONDS = 41, 0.02  # of an operation alone, where a small difference counts
CHAINS = 150_000  # images of the comparison with Pillow

COMPILATION = """
import time, numpy, autoaug.augment as augment
images, plan = numpy.zeros((1, 32, 32, 3), numpy.uint8), augment.sample_plan(augment.epoch_generator(0, 0), 1)
start = time.perf_counter()
augment.augment_batch(images, plan, [0.5] * 3, [0.25] * 3)
print(time.perf_counter() - start)
"""


def photographs(n):
    """Smooth random shapes with a little noise, uint8 [n, 32, 32, 3]."""
    rng = np.random.default_rng(0)
    octaves = (rng.normal(size=(n, side, side, 3)).repeat(32 // side, 1).repeat(32 // side, 2) for side in (2, 8, 32))
    values = 128 + sum(weight * octave for weight, octave in zip((50, 20, 5), octaves, strict=True))
    return np.clip(values, 0, 255).astype(np.uint8)


def compilation_seconds():
    """Duration of the first batch: without, and with, the cache on disk."""
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"NUMBA_CACHE_DIR": cache}
        command = [sys.executable, "-c", COMPILATION]
        return [float(subprocess.run(command, env=environment, check=True, capture_output=True).stdout) for _ in (0, 1)]


def torchvision_loop(images):
    """A function that does the same with torchvision's AutoAugment, crop, flip, normalisation and erasing."""
    from PIL import Image
    from torchvision import transforms  # needs torchvision

    pipeline = transforms.Compose(
        [
            transforms.AutoAugment(transforms.AutoAugmentPolicy.CIFAR10),
            transforms.RandomCrop(32, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(MEAN.tolist(), STD.tolist()),
            transforms.RandomErasing(1.0, scale=(0.25, 0.25), ratio=(1, 1)),
        ]
    )
    pictures = [Image.fromarray(image) for image in images]
    return lambda: [pipeline(picture) for picture in pictures]


def kernel(images, plan, piece=512, threads=1):
    """A function that augments all images with the kernel, `piece` at a time."""
    out = np.empty(images.shape, np.float32)
    parts = [slice(start, start + piece) for start in range(0, len(images), piece)]

    def augment_all():
        for part in parts:
            augment.augment_batch(images[part], plan[part], MEAN, STD, out[part], threads)

    return augment_all


def pillow_loop(images, plan):
    """A function that does the same in a lean Pillow loop."""
    rows = list(zip(images, plan, strict=True))
    return lambda: [pillow_oracle.augment_with_pillow(*row, MEAN, STD) for row in rows]


def measure_speed(sheet, images, plan):
    """A row for each contender: images a second, and its speed over that of the Pillow loop in the same round."""
    contenders = {
        "lean Pillow loop": (N_SLOW, pillow_loop(images[:N_SLOW], plan[:N_SLOW])),
        "this kernel, 1 thread": (N, kernel(images, plan)),
        "this kernel, 2 threads": (N, kernel(images, plan, N, threads=2)),
        "this kernel, 1 thread, batches of 128": (N, kernel(images, plan, 128)),
        "sampling the plan": (N, lambda: augment.sample_plan(augment.epoch_generator(0, 0), N)),
    }
    if importlib.util.find_spec("torchvision"):
        contenders["torchvision's AutoAugment"] = N_SLOW, torchvision_loop(images[:N_SLOW])
    else:
        print("torchvision is left out: it is not installed.")
    seconds = measuring.turns([call for _, call in contenders.values()], ROUNDS, ROUND_SECONDS)
    speeds = {name: n / taken for (name, (n, _)), taken in zip(contenders.items(), seconds.T, strict=True)}
    for name, speed in speeds.items():
        of_pillow = measuring.Spread.of(speed / speeds["lean Pillow loop"])
        sheet.row(name, images_a_second=measuring.Spread.of(speed), of_the_Pillow_loop=of_pillow)
    of_one = measuring.Spread.of(speeds["this kernel, 2 threads"] / speeds["this kernel, 1 thread"])
    sheet.row("two threads", of_one=of_one)


def measure_operations(sheet, images, plan):
    """A row for each operation: time on an image on which it acts, and its share of the whole kernel's time.

    It is the time of the plan with that operation alone, less that of the plan with none, in the same round.
    """
    acts = plan["steps"]["acts"]
    nothing = plan.copy()
    nothing["steps"]["acts"] = False
    whole, rest = measuring.turns([kernel(images, plan), kernel(images, nothing)], ROUNDS, ROUND_SECONDS).T
    share = measuring.Spread.of(100 * rest / whole)
    sheet.row("crop, flip, cutout, normalisation", us_each=measuring.Spread.of(1e6 * rest / N), percent_of_time=share)
    for operation in policies.Operation:
        chosen = acts & (plan["steps"]["operation"] == operation)
        rows = chosen.any(1)
        alone = nothing[rows]
        alone["steps"]["acts"] = chosen[rows]
        calls = [kernel(images[rows], steps) for steps in (alone, nothing[rows])]
        seconds = -np.diff(measuring.turns(calls, OPERATION_ROUNDS, OPERATION_SECONDS))[:, 0]
        sheet.row(
            operation.name,
            us_each=measuring.Spread.of(1e6 * seconds / chosen.sum()),
            percent_of_time=measuring.Spread.of(100 * seconds / np.median(whole)),
        )


def count_differences():
    """Images, each with a chain of up to four operations, on which kernel and Pillow differ."""
    rng = np.random.default_rng(0)
    images = photographs(CHAINS)
    images[::2] = rng.integers(rng.integers(0, 128, (CHAINS // 2, 1, 1, 1)), 256, images[::2].shape)  # half are noise
    steps = np.zeros((CHAINS, 4), augment.STEP)
    for field, end in zip(augment.STEP.names, (len(policies.Operation), policies.LEVELS, 2, 2, 32, 32), strict=True):
        steps[field] = rng.integers(0, end, steps.shape)
    different = 0
    for image, chain in zip(images, steps, strict=True):
        operations = pillow_oracle.operations_of(chain)
        result, opaque = augment.apply_operations(image, operations)
        expected = pillow_oracle.apply_with_pillow(image, operations)
        different += not np.array_equal(np.dstack([result, opaque * np.uint8(255)]), expected)
    return different


def main():
    sheet = measuring.Sheet("augmentation")
    cold, cached = compilation_seconds()
    sheet.row("first batch", seconds_with_compilation=cold, seconds_from_the_cache_on_disk=cached)
    images, plan = photographs(N), augment.sample_plan(augment.epoch_generator(0, 0), N)
    measure_speed(sheet, images, plan)
    measure_operations(sheet, images, plan)
    sheet.write()
    different = count_differences()
    print(f"{different:,} of {CHAINS:,} random images and chains differ from Pillow {PIL.__version__}")
    sys.exit(different > 0)


if __name__ == "__main__":
    main()
