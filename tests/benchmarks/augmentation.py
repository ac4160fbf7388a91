"""The augmentation's speed, beside a lean Pillow loop in the same run: about two minutes."""

import concurrent.futures

import measuring
import numpy as np
import pillow_oracle

from autoaug import augment

MEAN, STD = np.array([0.4914, 0.4822, 0.4465]), np.array([0.2470, 0.2435, 0.2616])
N = 4096  # images of the kernel's timings
N_SLOW = 256  # images of the others' timings
ROUNDS = 9  # of each contender, taking turns; the median counts
ROUND_SECONDS = 0.4


def kernel(images, plan, piece=512, threads=1):
    """A function that augments all images with the kernel, `piece` at a time, in so many threads."""
    parts = [slice(start, start + piece) for start in range(0, len(images), piece)]
    pool = concurrent.futures.ThreadPoolExecutor(threads)
    return lambda: list(pool.map(lambda part: augment.augment_batch(images[part], plan[part], MEAN, STD), parts))


def pillow_loop(images, plan):
    """A function that does the same in a lean Pillow loop."""
    rows = list(zip(images, plan, strict=True))
    return lambda: [pillow_oracle.augment_with_pillow(*row, MEAN, STD) for row in rows]


def measure_speed(images, plan):
    """A row for each contender: images a second, and its speed over that of the Pillow loop in the same round."""
    contenders = {
        "lean Pillow loop": (N_SLOW, pillow_loop(images[:N_SLOW], plan[:N_SLOW])),
        "this kernel, 1 thread": (N, kernel(images, plan)),
        "this kernel, 2 threads": (N, kernel(images, plan, threads=2)),
        "this kernel, 1 thread, batches of 128": (N, kernel(images, plan, 128)),
        "sampling the plan": (N, lambda: augment.sample_plan(augment.epoch_generator(0, 0), N)),
    }
    seconds = measuring.turns([call for _, call in contenders.values()], ROUNDS, ROUND_SECONDS)
    speeds = {name: n / taken for (name, (n, _)), taken in zip(contenders.items(), seconds.T, strict=True)}
    for name, speed in speeds.items():
        measuring.show(name, images_a_second=speed, of_the_Pillow_loop=speed / speeds["lean Pillow loop"])
    measuring.show("two threads", of_one=speeds["this kernel, 2 threads"] / speeds["this kernel, 1 thread"])


if __name__ == "__main__":
    measuring.show_machine()
    rng = np.random.default_rng(0)
    images = np.stack([pillow_oracle.photograph(rng) for _ in range(N)]).astype(np.uint8)
    measure_speed(images, augment.sample_plan(augment.epoch_generator(0, 0), N))
