"""Recipes: what a run trains. Model, size, epochs, batch, learning rate, weight decay; and names that all parts share.

The paper recipes are those of the original AutoAugment code (Cubuk et al., 2019, arXiv:1805.09501; tensorflow/models,
research/autoaugment). The small and quick recipes train smaller networks of the same architectures: small for
photographs on two cores, quick to try things out.
"""

import dataclasses
import difflib
import math
from collections.abc import Callable, Iterable
from typing import Any

SHORT_NAMES = {
    "wrn": "wrn",
    "shake_shake_32": "ss32",
    "shake_shake_96": "ss96",
    "shake_shake_112": "ss112",
    "pyramid_net": "pyramid",
}
"""Long name of each model → its short one."""

PRESETS = ("quick", "small", "paper")
AUGMENTATIONS = ("autoaugment", "crop_flip_cutout")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
UPDATES = ("async", "sync")
"""How several workers update the model: through parameter servers, or with the mean of their gradients."""

DEVICES = ("auto", "cpu")
"""What a run is trained on: a GPU where TensorFlow sees one, else the CPU; or the CPU (said for paper recipes)."""

SEEDS = range(2**31)
"""The seeds that a run may have; a seed and a step's number must fit into int32 inside the models."""

EPOCHS = range(1, 100_001)
_BATCHES, _IMAGES, _SIZES = range(1, 1_000_001), range(1_000_000_001), range(10_001)
_NUMBERS: tuple[tuple[str, str, Callable[[float], bool]], ...] = (
    ("learning_rate", "above 0", lambda value: 0 < value < math.inf),
    ("clip_norm", "above 0", lambda value: 0 < value < math.inf),
    ("momentum", "of at least 0 and below 1", lambda value: 0 <= value < 1),
    ("weight_decay", "of at least 0", lambda value: 0 <= value < math.inf),
)


def did_you_mean(received: object, known: Iterable[str]) -> str:
    """`. Did you mean wrn?`, for the end of an error, if the received value resembles a known name; else empty."""
    close = difflib.get_close_matches(str(received), known, n=1)
    return f". Did you mean {close[0]}?" if close else ""


def check_seed(seed: int) -> None:
    """Check the seed of a run.

    Raises:
        ValueError: it is not one of `SEEDS`.
    """
    if not _is_in(seed, SEEDS):
        raise ValueError(f"Expected seed, an integer from 0 to {SEEDS[-1]:,}. Received: seed={seed!r}")


def _is_in(value: object, integers: range) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in integers


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Everything that a training run depends on, besides its data, seed and workers.

    Args:
        model: long name of the model.
        size: arguments of the model's builder; empty for the published size.
        epochs: passes over the training set, of `EPOCHS`.
        batch_size: images in a step of one worker.
        learning_rate: base of the cosine schedule.
        weight_decay: λ of λ · Σ ½‖w‖² over every trainable variable.
        preset: the one of `PRESETS` that it is, or is a variant of.
        augmentation: "autoaugment" (a sub-policy, crop, flip, cutout) or "crop_flip_cutout".
        momentum: of Nesterov's method, in [0, 1).
        clip_norm: largest global norm of the gradient, decay included; above 0.
        validation_size: images held out of the training set, by the run's seed, and evaluated after each epoch.
        precision: of activations and gradients inside the model: "float32" (as published), "mixed_float16" or
            "mixed_bfloat16"; weights, cost and update stay float32.
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
    size: dict[str, int] = dataclasses.field(default_factory=dict)
    augmentation: str = "autoaugment"
    momentum: float = 0.9
    clip_norm: float = 5.0
    validation_size: int = 0
    precision: str = "float32"
    xla: bool = False

    def __post_init__(self) -> None:
        for name, integers in (("epochs", EPOCHS), ("batch_size", _BATCHES), ("validation_size", _IMAGES)):
            if not _is_in(getattr(self, name), integers):
                expected = f"Expected {name}, an integer from {integers[0]} to {integers[-1]:,}"
                raise ValueError(f"{expected}. Received: {name}={getattr(self, name)!r}")
        for name, text, holds in _NUMBERS:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not holds(value):
                raise ValueError(f"Expected {name} {text}. Received: {name}={value!r}")
        if not isinstance(self.size, dict) or not all(_is_in(value, _SIZES) for value in self.size.values()):
            expected = f"Expected size, names with integers from {_SIZES[0]} to {_SIZES[-1]:,}"
            raise ValueError(f"{expected}. Received: size={self.size!r}")
        for name, known in (
            ("model", tuple(SHORT_NAMES)),
            ("preset", PRESETS),
            ("augmentation", AUGMENTATIONS),
            ("precision", PRECISIONS),
        ):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"Expected {name}, one of {', '.join(known)}. Received: {name}={getattr(self, name)!r}"
                    f"{did_you_mean(getattr(self, name), known)}"
                )

    def steps_per_epoch(self, train_size: int, workers: int = 1) -> int:
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

    def total_steps(self, train_size: int, workers: int = 1) -> int:
        """Steps of one worker in the whole training, the T of the schedule."""
        return self.epochs * self.steps_per_epoch(train_size, workers)


def learning_rate_at(base: float, step: int, total_steps: int) -> float:
    """Cosine schedule ½ · base · (1 + cos(π · step / total_steps)), step counted from 1: exactly 0 at the last step."""
    return 0.5 * base * (1 + math.cos(math.pi * step / total_steps))


def long_name(model_name: str) -> str:
    """The long name of a model, from either name.

    Raises:
        ValueError: there is no such model; the message lists the models.
    """
    for long, short in SHORT_NAMES.items():
        if model_name in (long, short):
            return long
    known = ", ".join(long if long == short else f"{long} ({short})" for long, short in SHORT_NAMES.items())
    close = did_you_mean(model_name, (*SHORT_NAMES, *SHORT_NAMES.values()))
    raise ValueError(f"Expected the name of a model: {known}. Received: {model_name!r}{close}")


def get(model_name: str, preset: str = "quick") -> Recipe:
    """The recipe of a model, by its long or short name.

    Raises:
        ValueError: there is no such model or preset; the message lists the known ones.
    """
    name = long_name(model_name)
    if preset not in PRESETS:
        close = did_you_mean(preset, PRESETS)
        raise ValueError(f"Expected preset, one of {', '.join(PRESETS)}. Received: preset={preset!r}{close}")
    return next(recipe for recipe in RECIPES if (recipe.model, recipe.preset) == (name, preset))


CHANGES = ("epochs", "size", "augmentation", "validation_size", "precision", "xla")
"""Parameters of train.ipynb that change a preset's recipe; 0, empty or false change nothing."""


def variant(model: str, preset: str = "quick", **changes: Any) -> Recipe:
    """The recipe that the parameters of train.ipynb describe: a preset's, with `CHANGES`.

    Raises:
        ValueError: as for `get` and `Recipe`.
        TypeError: a change is not one of `CHANGES`.
    """
    if unknown := sorted(set(changes) - set(CHANGES)):
        raise TypeError(f"Expected changes from {', '.join(CHANGES)}. Received: {', '.join(unknown)}")
    recipe = get(model, preset)
    made = {name: value for name, value in changes.items() if value}
    return dataclasses.replace(recipe, **made | {"size": recipe.size | made.get("size", {})})


def changes(recipe: Recipe) -> dict[str, Any]:
    """The `CHANGES` that make a preset into this recipe: `variant(recipe.model, recipe.preset, **changes(recipe))`.

    Raises:
        ValueError: the recipe also differs in something that train.ipynb has no parameter for.
    """
    preset = get(recipe.model, recipe.preset)
    made = {name: getattr(recipe, name) for name in CHANGES if getattr(recipe, name) != getattr(preset, name)}
    if variant(recipe.model, recipe.preset, **made) != recipe:
        expected = f"Expected the {recipe.preset} recipe with changes of {', '.join(CHANGES)} only"
        raise ValueError(f"{expected}. Received: {recipe}")
    return made


WRN = Recipe("wrn", epochs=200, batch_size=128, learning_rate=0.1, weight_decay=5e-4, preset="paper")
"""Wide-ResNet-28-10: 36,220,634 parameters; 97.5 % reported on CIFAR-10."""

SHAKE_SHAKE_32 = Recipe(
    "shake_shake_32", epochs=1800, batch_size=128, learning_rate=0.01, weight_decay=1e-3, preset="paper"
)
"""Shake-Shake 26 2×32d: 2,923,162 parameters; 97.3 % reported on CIFAR-10."""

SHAKE_SHAKE_96 = dataclasses.replace(SHAKE_SHAKE_32, model="shake_shake_96")
"""Shake-Shake 26 2×96d: 26,192,922 parameters; 98.0 % reported on CIFAR-10."""

SHAKE_SHAKE_112 = dataclasses.replace(SHAKE_SHAKE_32, model="shake_shake_112")
"""Shake-Shake 26 2×112d: 35,640,442 parameters; 98.1 % reported on CIFAR-10."""

PYRAMID_NET = Recipe("pyramid_net", epochs=1800, batch_size=64, learning_rate=0.05, weight_decay=5e-5, preset="paper")
"""PyramidNet-272 + ShakeDrop: 26,210,842 parameters; 98.4 % reported on CIFAR-10."""

WRN_QUICK = dataclasses.replace(WRN, size={"depth": 10, "widen_factor": 1}, epochs=10, preset="quick")
"""One block a group, 16 to 64 channels."""

# Crop, flip and cutout only: with shake noise, the learned policy needs more epochs (Shake-Shake, one seed, on
# synthetic10: 97.2 % after 6 epochs with the policy, 97.5 % after 4 without). Small batches give more steps.
_GENTLE: dict[str, Any] = {
    "epochs": 4,
    "batch_size": 32,
    "learning_rate": 0.1,
    "augmentation": "crop_flip_cutout",
    "preset": "quick",
}

SHAKE_SHAKE_32_QUICK = dataclasses.replace(SHAKE_SHAKE_32, size={"depth": 8, "widen_factor": 1}, **_GENTLE)
"""One block a stage, 16 to 64 channels."""

SHAKE_SHAKE_96_QUICK = dataclasses.replace(SHAKE_SHAKE_32_QUICK, model="shake_shake_96")
"""The same network as `SHAKE_SHAKE_32_QUICK`: the three differ only in width, and a wider one takes over a minute."""

SHAKE_SHAKE_112_QUICK = dataclasses.replace(SHAKE_SHAKE_32_QUICK, model="shake_shake_112")
"""The same network as `SHAKE_SHAKE_32_QUICK`, for the same reason."""

PYRAMID_NET_QUICK = dataclasses.replace(PYRAMID_NET, size={"depth": 11, "alpha": 12}, **_GENTLE | {"epochs": 8})
"""One bottleneck a group, widths 20, 24 and 28."""

_SMALL: dict[str, Any] = {
    "epochs": 12, "batch_size": 64, "learning_rate": 0.1, "augmentation": "crop_flip_cutout", "preset": "small"
}  # fmt: skip

WRN_SMALL = dataclasses.replace(WRN, size={"depth": 10, "widen_factor": 2}, **_SMALL)
"""One block a group, 32 to 128 channels: 292,954 parameters.

    papermill notebooks/train.ipynb -p model wrn -p preset small -p train_data cifar10_12k

Three seeds got 69.8 to 70.5 % of CIFAR-10's test images right; 7 to 9 minutes on two cores of an AMD EPYC with AVX2.
With `-p train_data cifar10_10k` it was 66.3 to 67.7 %, in 6 minutes on one core of an Intel Xeon with AVX-512.
"""

SHAKE_SHAKE_32_SMALL = dataclasses.replace(SHAKE_SHAKE_32, size={"depth": 8, "widen_factor": 2}, **_SMALL)
"""One block a stage, 32 to 128 channels.

    papermill notebooks/train.ipynb -p model ss32 -p preset small -p train_data cifar10_10k

Three seeds got 61.4 to 63.4 % of CIFAR-10's test images right, in 12 minutes on one core of an Intel Xeon with AVX-512.
"""

SHAKE_SHAKE_96_SMALL = dataclasses.replace(SHAKE_SHAKE_96, size={"depth": 8, "widen_factor": 3}, **_SMALL)
"""One block a stage, 48 to 192 channels.

    papermill notebooks/train.ipynb -p model ss96 -p preset small -p train_data cifar10_10k -p precision mixed_bfloat16

One seed got 62.0 % of CIFAR-10's test images right; an epoch took 64 to 82 s on one core of an Intel Xeon with AMX.
"""

SHAKE_SHAKE_112_SMALL = dataclasses.replace(SHAKE_SHAKE_112, size={"depth": 8, "widen_factor": 4}, **_SMALL)
"""One block a stage, 64 to 256 channels.

    papermill notebooks/train.ipynb -p model ss112 -p preset small -p train_data cifar10_10k -p precision mixed_bfloat16

One seed got 63.5 % of CIFAR-10's test images right; an epoch took 79 to 111 s on one core of an Intel Xeon with AMX.
"""

PYRAMID_NET_SMALL = dataclasses.replace(PYRAMID_NET, size={"depth": 20, "alpha": 24}, **_SMALL)
r"""Two bottlenecks a group, widths 20 to 40.

    papermill notebooks/train.ipynb -p model pyramid -p preset small -p train_data cifar10_10k \
        -p precision mixed_bfloat16

One seed got 50.4 % of CIFAR-10's test images right, in 10 minutes on one core of an Intel Xeon with AMX.
"""

RECIPES = (
    *(WRN, SHAKE_SHAKE_32, SHAKE_SHAKE_96, SHAKE_SHAKE_112, PYRAMID_NET),
    *(WRN_SMALL, SHAKE_SHAKE_32_SMALL, SHAKE_SHAKE_96_SMALL, SHAKE_SHAKE_112_SMALL, PYRAMID_NET_SMALL),
    *(WRN_QUICK, SHAKE_SHAKE_32_QUICK, SHAKE_SHAKE_96_QUICK, SHAKE_SHAKE_112_QUICK, PYRAMID_NET_QUICK),
)

TRAINING_FLOPS = {
    "paper": {"wrn": 31.3e9, "shake_shake_32": 2.56e9, "shake_shake_96": 22.7e9, "shake_shake_112": 30.8e9,
              "pyramid_net": 26.9e9},
    "small": {"wrn": 0.257e9, "shake_shake_32": 0.522e9, "shake_shake_96": 1.126e9, "shake_shake_112": 1.959e9,
              "pyramid_net": 0.176e9},
    "quick": {"wrn": 0.0734e9, "shake_shake_32": 0.1458e9, "shake_shake_96": 0.1458e9, "shake_shake_112": 0.1458e9,
              "pyramid_net": 0.0679e9},
}  # fmt: skip
"""Preset → model → floating-point operations of one training image, 3 × `models.flops_per_image` (a test compares)."""
