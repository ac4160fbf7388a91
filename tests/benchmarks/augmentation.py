"""The augmentation's speed, beside a lean Pillow loop in the same run, and its exactness on many random chains.

python tests/benchmarks/augmentation.py                 # about two minutes
"""

import contextlib
import functools
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time

import numba
import numpy as np
import PIL
import pillow_oracle

from autoaug import augment
from autoaug.augment import policies

MEAN, STD = np.array([0.4914, 0.4822, 0.4465]), np.array([0.2470, 0.2435, 0.2616])
N = 4096  # images of the kernel's timings
N_SLOW = 256  # images of the others' timings
ROUNDS = 40
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


def machine():
    """The processor's name, the number of cores and the versions that matter."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), name)
    versions = f"Python {platform.python_version()}, numba {numba.__version__}, NumPy {np.__version__}"
    return f"{name}, {os.cpu_count()} cores; {versions}, Pillow {PIL.__version__}"


def compilation_seconds():
    """Duration of the first batch: without, and with, the cache on disk."""
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"NUMBA_CACHE_DIR": cache}
        command = [sys.executable, "-c", COMPILATION]
        return [float(subprocess.run(command, env=environment, check=True, capture_output=True).stdout) for _ in (0, 1)]


def torchvision_loop(images):
    """torchvision's AutoAugment, crop, flip, normalisation and erasing, as a contestant; None if not installed."""
    try:
        from torchvision import transforms
    except ImportError:
        return None
    from PIL import Image

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
    return len(images), [functools.partial(pipeline, Image.fromarray(image)) for image in images]


def speeds(contestants):
    """Images a second of each {name: (number of images, functions that each do a piece of the work)}.

    All take turns, in pieces of a few milliseconds, and the best time of each piece counts: other programs on the
    machine disturb little, and all contestants alike.
    """
    seconds = {name: np.full(len(pieces), np.inf) for name, (_, pieces) in contestants.items()}
    for _ in range(ROUNDS):
        for name, (_, pieces) in contestants.items():
            for index, piece in enumerate(pieces):
                start = time.perf_counter()
                piece()
                seconds[name][index] = min(seconds[name][index], time.perf_counter() - start)
    return {name: n / seconds[name].sum() for name, (n, _) in contestants.items()}


def kernel(images, plan, piece, threads=1):
    """The kernel on all images, `piece` at a time, as a contestant."""
    out = np.empty(images.shape, np.float32)
    parts = [slice(start, start + piece) for start in range(0, len(images), piece)]
    return len(images), [
        functools.partial(augment.augment_batch, images[part], plan[part], MEAN, STD, out[part], threads)
        for part in parts
    ]


def pillow_loop(images, plan):
    """The lean Pillow loop, 8 images at a time, as a contestant."""

    def piece(rows):
        return [pillow_oracle.augment_with_pillow(*row, MEAN, STD) for row in rows]

    rows = list(zip(images, plan, strict=True))
    return len(rows), [functools.partial(piece, rows[start : start + 8]) for start in range(0, len(rows), 8)]


def print_speed(images, plan):
    contestants = {
        "lean Pillow loop": pillow_loop(images[:N_SLOW], plan[:N_SLOW]),
        "this kernel, 1 thread": kernel(images, plan, 512),
        "this kernel, 2 threads": kernel(images, plan, N, threads=2),
        "this kernel, 1 thread, batches of 128": kernel(images, plan, 128),
        "sampling the plan": (N, [lambda: augment.sample_plan(augment.epoch_generator(0, 0), N)]),
    }
    if torchvision := torchvision_loop(images[:N_SLOW]):
        contestants["torchvision's AutoAugment"] = torchvision
    else:
        print("torchvision is not installed (extra `bench`): left out")
    speed = speeds(contestants)
    print(f"\n{'images a second':40}{'':>12}{'× Pillow loop':>15}")
    for name, value in speed.items():
        print(f"{name:40}{value:12,.0f}{value / speed['lean Pillow loop']:15.1f}")
    print(f"two threads: {speed['this kernel, 2 threads'] / speed['this kernel, 1 thread']:.2f} × one")


def print_operations(images, plan):
    """Time per operation: the plan with that one alone, less the plan with none, over the images on which it acts."""
    acts = plan["steps"]["acts"]
    nothing = plan.copy()
    nothing["steps"]["acts"] = False
    seconds = {"crop, flip, cutout, normalisation": (N, N / speeds({"": kernel(images, nothing, 512)})[""])}
    for operation in policies.Operation:
        chosen = acts & (plan["steps"]["operation"] == operation)
        rows = chosen.any(1)
        alone = nothing[rows]
        alone["steps"]["acts"] = chosen[rows]
        pictures = images[rows]
        speed = speeds({"alone": kernel(pictures, alone, 512), "nothing": kernel(pictures, nothing[rows], 512)})
        seconds[operation.name] = int(chosen.sum()), len(alone) * (1 / speed["alone"] - 1 / speed["nothing"])
    total = sum(duration for _, duration in seconds.values())
    print(f"\n{'operation':40}{'acts on':>12}{'µs each':>12}{'share of time':>15}")
    for name, (n, duration) in sorted(seconds.items(), key=lambda row: -row[1][1]):
        print(f"{name:40}{n / N:12.1%}{duration / n * 1e6:12.2f}{duration / total:15.1%}")


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
    print(machine())
    cold, cached = compilation_seconds()
    print(f"first batch: {cold:.1f} s with the compilation, {cached:.1f} s from the cache on disk")
    images, plan = photographs(N), augment.sample_plan(augment.epoch_generator(0, 0), N)
    print_speed(images, plan)
    print_operations(images, plan)
    different = count_differences()
    print(f"\n{different:,} of {CHAINS:,} random images and chains differ from Pillow {PIL.__version__}")
    sys.exit(different > 0)


if __name__ == "__main__":
    main()
