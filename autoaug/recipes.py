"""What one published row, or its quick version, trains: model, size, epochs, batch, learning rate, weight decay.

The paper recipes are those of the original AutoAugment code (Cubuk et al., 2019, arXiv:1805.09501; tensorflow/models,
research/autoaugment). The quick ones train the same architectures made small. For a variant use `dataclasses.replace`.
"""

import dataclasses
import math

SHORT_NAMES = {
    "wrn": "wrn",
    "shake_shake_32": "ss32",
    "shake_shake_96": "ss96",
    "shake_shake_112": "ss112",
    "pyramid_net": "pyramid",
}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """All that a training run depends on, besides its data, seed and workers.

    Args:
        model: long name of the model.
        size: arguments of the model's builder; empty for the published size.
        epochs: passes over the training set.
        batch_size: images in a step of one worker.
        learning_rate: base of the cosine schedule.
        weight_decay: λ of λ · Σ ½‖w‖² over every trainable variable.
        preset: "paper" or "quick".
        augmentation: "autoaugment" (a sub-policy, crop, flip, cutout) or "crop_flip_cutout".
        momentum: of Nesterov's method.
        clip_norm: largest global norm of the gradient, decay included.
        validation_size: images held out of the training set, by the run's seed, and evaluated after each epoch.
        precision: "float32" (as published), "mixed_float16" or "mixed_bfloat16": of activations and gradients inside
            the model; weights, cost and update stay float32.
        xla: whether XLA compiles the step.
    Raises:
        ValueError: an argument is out of range.
    """

    model: str
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    preset: str
    size: dict = dataclasses.field(default_factory=dict)
    augmentation: str = "autoaugment"
    momentum: float = 0.9
    clip_norm: float = 5.0
    validation_size: int = 0
    precision: str = "float32"
    xla: bool = False

    def __post_init__(self):
        for name in ("epochs", "batch_size"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"Expected {name}, a positive integer. Received: {name}={value!r}")
        if not isinstance(self.validation_size, int) or self.validation_size < 0:
            raise ValueError(f"Expected validation_size, an integer of at least 0. Received: {self.validation_size!r}")
        if not self.learning_rate > 0:
            raise ValueError(f"Expected learning_rate above 0. Received: learning_rate={self.learning_rate!r}")
        if not self.weight_decay >= 0:
            raise ValueError(f"Expected weight_decay of at least 0. Received: weight_decay={self.weight_decay!r}")
        for name, known in (
            ("model", tuple(SHORT_NAMES)),
            ("preset", ("quick", "paper")),
            ("augmentation", ("autoaugment", "crop_flip_cutout")),
            ("precision", ("float32", "mixed_float16", "mixed_bfloat16")),
        ):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"Expected {name}, one of {', '.join(known)}. Received: {name}={getattr(self, name)!r}"
                )

    def steps_per_epoch(self, train_size, workers=1):
        """Steps of one worker in an epoch: train_size // batch // workers, the last incomplete batch dropped.

        Raises:
            ValueError: the training set has no full batch for each worker.
        """
        steps = train_size // self.batch_size // workers
        if steps < 1:
            raise ValueError(
                f"Expected at least {self.batch_size * workers} training images, a batch for each worker. "
                f"Received: train_size={train_size}, batch_size={self.batch_size}, workers={workers}"
            )
        return steps

    def total_steps(self, train_size, workers=1):
        """Steps of one worker in the whole training, the T of the schedule."""
        return self.epochs * self.steps_per_epoch(train_size, workers)


def learning_rate_at(base, step, total_steps):
    """Cosine schedule ½ · base · (1 + cos(π · step / total_steps)), step counted from 1: exactly 0 at the last step."""
    return 0.5 * base * (1 + math.cos(math.pi * step / total_steps))


def long_name(model_name):
    """The long name of a model, from either name.

    Raises:
        ValueError: there is no such model; the message lists those there are.
    """
    for long, short in SHORT_NAMES.items():
        if model_name in (long, short):
            return long
    known = ", ".join(long if long == short else f"{long} ({short})" for long, short in SHORT_NAMES.items())
    raise ValueError(f"Expected the name of a model: {known}. Received: {model_name!r}")


def get(model_name, preset="quick"):
    """The recipe of a model, by its long or short name.

    Raises:
        ValueError: there is no such model or preset; the message lists those there are.
    """
    name = long_name(model_name)
    if preset not in ("quick", "paper"):
        raise ValueError(f"Expected preset quick or paper. Received: preset={preset!r}")
    return next(recipe for recipe in RECIPES if (recipe.model, recipe.preset) == (name, preset))


WRN = Recipe("wrn", epochs=200, batch_size=128, learning_rate=0.1, weight_decay=5e-4, preset="paper")
"""Wide-ResNet-28-10: 36,220,634 parameters, 31.3 GFLOPs per training image; 97.5 % reported on CIFAR-10."""

SHAKE_SHAKE_32 = Recipe(
    "shake_shake_32", epochs=1800, batch_size=128, learning_rate=0.01, weight_decay=1e-3, preset="paper"
)
"""Shake-Shake 26 2×32d: 2,923,162 parameters, 2.6 GFLOPs per training image; 97.3 % reported on CIFAR-10."""

SHAKE_SHAKE_96 = dataclasses.replace(SHAKE_SHAKE_32, model="shake_shake_96")
"""Shake-Shake 26 2×96d: 26,192,922 parameters, 22.7 GFLOPs per training image; 98.0 % reported on CIFAR-10."""

SHAKE_SHAKE_112 = dataclasses.replace(SHAKE_SHAKE_32, model="shake_shake_112")
"""Shake-Shake 26 2×112d: 35,640,442 parameters, 30.8 GFLOPs per training image; 98.1 % reported on CIFAR-10."""

PYRAMID_NET = Recipe("pyramid_net", epochs=1800, batch_size=64, learning_rate=0.05, weight_decay=5e-5, preset="paper")
"""PyramidNet-272 + ShakeDrop: 26,210,842 parameters, 26.9 GFLOPs per training image; 98.4 % reported on CIFAR-10."""

WRN_QUICK = dataclasses.replace(WRN, size={"depth": 10, "widen_factor": 1}, epochs=10, preset="quick")
"""One block a group, 16 to 64 channels: 0.07 GFLOPs per training image."""

# Crop, flip and cutout only: the learned policy on top of the shake noise needs more epochs (Shake-Shake, one seed, on
# synthetic10: 97.2 % after 6 epochs with it, 97.5 % after 4 without). Small batches make for more steps.
_GENTLE = {"epochs": 4, "batch_size": 32, "learning_rate": 0.1, "augmentation": "crop_flip_cutout", "preset": "quick"}

SHAKE_SHAKE_32_QUICK = dataclasses.replace(SHAKE_SHAKE_32, size={"depth": 8, "widen_factor": 1}, **_GENTLE)
"""One block a stage, 16 to 64 channels: 0.15 GFLOPs per training image."""

SHAKE_SHAKE_96_QUICK = dataclasses.replace(SHAKE_SHAKE_32_QUICK, model="shake_shake_96")
"""The same network as `SHAKE_SHAKE_32_QUICK`: the three differ in width only, and a wider one takes over a minute."""

SHAKE_SHAKE_112_QUICK = dataclasses.replace(SHAKE_SHAKE_32_QUICK, model="shake_shake_112")
"""The same network as `SHAKE_SHAKE_32_QUICK`, for the same reason."""

PYRAMID_NET_QUICK = dataclasses.replace(PYRAMID_NET, size={"depth": 11, "alpha": 12}, **_GENTLE | {"epochs": 8})
"""One bottleneck a group, widths 20, 24 and 28: 0.07 GFLOPs per training image."""

RECIPES = (
    WRN,
    SHAKE_SHAKE_32,
    SHAKE_SHAKE_96,
    SHAKE_SHAKE_112,
    PYRAMID_NET,
    WRN_QUICK,
    SHAKE_SHAKE_32_QUICK,
    SHAKE_SHAKE_96_QUICK,
    SHAKE_SHAKE_112_QUICK,
    PYRAMID_NET_QUICK,
)
