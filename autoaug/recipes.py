"""Recipes: what a run trains. Model, size, epochs, batch, learning rate, weight decay; and names that all parts share.

The recipes are in `recipes.yml`. What the small ones reach stands in `results/measured`.
"""

import dataclasses
import difflib
import importlib
import math
import pathlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, get_type_hints

import msgspec
import yaml
from msgspec import Meta

_ADDED = sorted(
    path.stem
    for path in (pathlib.Path(__file__).parent / "models").glob("[a-z]*.py")
    if path.stem not in ("layers", "pyramid_net", "shake_shake", "wide_resnet")
)
"""Models that somebody has added: `autoaug/models/<name>.py` has the function <name> and `RECIPES`, by preset."""

SHORT_NAMES = {
    "wrn": "wrn",
    "shake_shake_32": "ss32",
    "shake_shake_96": "ss96",
    "shake_shake_112": "ss112",
    "pyramid_net": "pyramid",
} | {name: name for name in _ADDED}
"""Long name of each model → its short one."""

PRESETS = ("quick", "small", "paper")
AUGMENTATIONS = ("autoaugment", "crop_flip_cutout")
PRECISIONS = ("float32", "mixed_bfloat16")

DEVICES = ("auto", "cpu")
"""auto: a GPU where TensorFlow sees one, else the CPU, on which a paper recipe is refused; cpu: the CPU, always."""

_CHOICES = {"model": tuple(SHORT_NAMES), "preset": PRESETS, "augmentation": AUGMENTATIONS, "precision": PRECISIONS}

Seed = Annotated[int, Meta(ge=0, lt=2**31)]
"""A run's seed. It and a step's number must fit into int32 inside the models."""

Positive = Annotated[float, Meta(gt=0, lt=1e6)]
Sizes = dict[Annotated[str, Meta(pattern=r"^[a-z_]{1,40}\Z")], Annotated[int, Meta(ge=1, le=10_000)]]


def did_you_mean(received: object, known: Iterable[str]) -> str:
    """`. Did you mean wrn?`, for the end of an error, if the received value resembles a known name; else empty."""
    close = difflib.get_close_matches(str(received), known, n=1)
    return f". Did you mean {close[0]}?" if close else ""


def require_known(name: str, value: object, known: Iterable[object]) -> None:
    """Raise ValueError, which lists the known values of an argument, unless this is one of them."""
    if value not in (listed := [str(each) for each in known]):
        expected = f"Expected {name}, one of {', '.join(listed)}"
        raise ValueError(f"{expected}. Received: {name}={value!r}{did_you_mean(value, listed)}")


_SHAPES = {"wrn": (6, 4, "widen_factor"), "shake_shake": (6, 2, "widen_factor"), "pyramid_net": (9, 2, "alpha")}
"""Family → a and b of its depths a·n + b, with n blocks in each group; and what else its size has."""


def check_size(model: str, size: dict[str, int]) -> None:
    """Raise ValueError unless a model, by its long name, can have this size. Of added models, `build_model` says it."""
    check("size", size, Sizes)
    if model in _ADDED:
        return
    a, b, width = _SHAPES[model.rstrip("_0123456789")]
    for name in size:
        require_known(f"size of {model}", name, ("depth", width))
    depth = size.get("depth", a + b)
    if depth <= b or (depth - b) % a:
        known = ", ".join(str(a * n + b) for n in range(1, 5))
        raise ValueError(f"Expected depth = {a}·n + {b}, that is {known} …. Received: depth={depth}")


def check_options(given: Mapping[str, Any]) -> None:
    """Raise ValueError unless a training can have this `seed`, this `device`, these `workers` and `checkpoint_…`."""
    check("seed", given["seed"], Seed)
    require_known("device", given["device"], DEVICES)
    for name in ("workers", "checkpoint_epochs", "checkpoint_minutes"):
        if not given[name] > 0:
            raise ValueError(f"Expected {name} above 0. Received: {name}={given[name]!r}")


def check(name: str, value: object, kind: Any) -> None:
    """Raise ValueError, which names the value, unless it is of this annotated type, as a seed of `Seed`."""
    if name in _CHOICES:
        require_known(name, value, _CHOICES[name])
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ValueError(f"Expected {name}: {str(error)[9:]}. Received: {name}={value!r}") from None


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Everything that a training run depends on, besides its data, seed and workers.

    Args:
        model: long name of the model.
        size: arguments of the model's builder; empty for the published size.
        epochs: passes over the training set.
        batch_size: images in a step; of several hosts, in each one's.
        learning_rate: base of the cosine schedule.
        weight_decay: λ of λ · Σ ½‖w‖² over every trainable variable.
        preset: the one of `PRESETS` that it is, or is a variant of.
        augmentation: "autoaugment" (a sub-policy, crop, flip, cutout) or "crop_flip_cutout".
        momentum: of Nesterov's method, in [0, 1).
        clip_norm: largest global norm of the gradient, decay included; above 0.
        validation_size: images held out of the training set, by the run's seed, and evaluated after each epoch.
        precision: of activations and gradients inside the model: "float32" (as published) or "mixed_bfloat16";
            weights, cost and update stay float32.
        xla: whether XLA compiles the step.
    """

    model: str
    epochs: Annotated[int, Meta(ge=1, le=100_000)]
    batch_size: Annotated[int, Meta(ge=1, le=1_000_000)]
    learning_rate: Positive
    weight_decay: Annotated[float, Meta(ge=0, lt=1e6)]
    preset: str
    size: Sizes = dataclasses.field(default_factory=dict)
    augmentation: str = "autoaugment"
    momentum: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    clip_norm: Positive = 5.0
    validation_size: Annotated[int, Meta(ge=0, le=10**9)] = 0
    precision: str = "float32"
    xla: bool = False

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(Recipe, include_extras=True).items():
            check(name, getattr(self, name), kind)
        check_size(self.model, self.size)

    def steps_per_epoch(self, train_size: int, workers: int = 1) -> int:
        """Steps of one worker in an epoch: train_size // batch // workers, at least 1; the rest is left out."""
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
    """The long name of a model, from either name; a ValueError lists the models."""
    names = {name: long for long, short in SHORT_NAMES.items() for name in (long, short)}
    require_known("model", model_name, names)
    return names[model_name]


def get(model_name: str, preset: str = "quick") -> Recipe:
    """The recipe of a model, by its long or short name; a ValueError lists the known models or presets."""
    name = long_name(model_name)
    if name in _ADDED:
        known = importlib.import_module(f"autoaug.models.{name}").RECIPES
    else:
        known = {preset: RECIPES[preset][name] for preset in PRESETS}
    require_known("preset", preset, known)
    return known[preset]


CHANGES = (
    *("epochs", "size", "augmentation", "validation_size", "precision", "xla"),
    *("learning_rate", "batch_size", "weight_decay"),
)
"""Parameters of train.ipynb that change a preset's recipe; 0, empty or false change nothing."""


def variant(model: str, preset: str = "quick", **changes: Any) -> Recipe:
    """The recipe that the parameters of train.ipynb describe: a preset's, with `CHANGES`."""
    recipe = get(model, preset)
    made = {name: value for name, value in changes.items() if value}
    for name in ("learning_rate", "weight_decay"):
        if type(made.get(name)) is int:  # 1 and 1.0 are one recipe
            made[name] = float(made[name])
    size = recipe.size | dict(sorted(made.get("size", {}).items()))  # the order is part of the run's name
    changed = dataclasses.replace(recipe, **made | {"size": size})
    return recipe if title(changed) == title(recipe) else changed  # a size that is the published one


def title(recipe: Recipe) -> str:
    """The name of the recipe's family, the runs of one recipe, for readers: `WRN-10-2, 12 epochs, bfloat16`.

    Two recipes never have one title: what differs from the preset is added, and the model's short name and the preset
    where the architecture is not that of exactly one preset, or new and small: `WRN-16-2, 9 epochs (wrn, quick)`.
    """
    preset, named = get(recipe.model, recipe.preset), architecture(recipe)
    parts = [named, f"{recipe.epochs} epoch{'s' if recipe.epochs > 1 else ''}"]
    for name in ("augmentation", "precision", "learning_rate", "batch_size", "weight_decay", "momentum", "clip_norm",
                 "validation_size", "xla"):  # fmt: skip
        if (value := getattr(recipe, name)) != getattr(preset, name):
            parts.append(_WORDS.get(told := f"{name.replace('_', ' ')} {value}", told))
    every = [other for of_models in RECIPES.values() for other in of_models.values()]
    alike = {(other.model, other.preset) for other in every if architecture(other) == named}
    alike = alike or {("shake_shake_32" if recipe.model.startswith("shake_shake_") else recipe.model, "small")}
    end = "" if alike == {(recipe.model, recipe.preset)} else f" ({SHORT_NAMES[recipe.model]}, {recipe.preset})"
    return ", ".join(parts) + end


_WORDS = {
    "augmentation autoaugment": "AutoAugment",
    "augmentation crop_flip_cutout": "without AutoAugment",
    "precision mixed_bfloat16": "bfloat16",
    "xla True": "XLA",
}


def architecture(recipe: Recipe) -> str:
    """The name that papers give the network: `WRN-28-10`, `Shake-Shake-26 2×32d`, `PyramidNet-272 (α 200)`."""
    model, size = recipe.model, recipe.size
    if model == "wrn":
        return f"WRN-{size.get('depth', 28)}-{size.get('widen_factor', 10)}"
    if model == "pyramid_net":
        return f"PyramidNet-{size.get('depth', 272)} (α {size.get('alpha', 200)})"
    if model.startswith("shake_shake_"):
        width = 16 * size["widen_factor"] if "widen_factor" in size else int(model.removeprefix("shake_shake_"))
        return f"Shake-Shake-{size.get('depth', 26)} 2×{width}d"
    return " ".join([model, *(f"{name} {value}" for name, value in size.items())])


_READ = yaml.safe_load(pathlib.Path(__file__).with_suffix(".yml").read_text("utf-8"))
RECIPES = {
    preset: {model: Recipe(model, preset=preset, **values) for model, values in of_models.items()}
    for preset, of_models in _READ.items()
}
"""Preset → model → recipe."""
