"""Each model: parameters, agreement with the reference's logits, seconds to build and to the end of the first step."""

import gzip
import itertools
import json
import sys
import time

import measuring
import numpy as np

from autoaug import checkpoints, models, recipes
from autoaug.files import ROOT
from autoaug.training.step import TrainingStep

REFERENCE = ROOT.parent / "shared" / "reference"
ROUNDS = 3  # of each model, taking turns; the median counts


def logit_difference(model, record):
    """Largest difference from the recorded logits, relative to the largest of them."""
    from seeded import seeded

    for name, variable in checkpoints.tf1_names(model).items():
        variable.assign(seeded(name, variable.shape, record["gain"], record["seed"]))
    images = np.random.RandomState(record["seed"]).randn(4, 32, 32, 3).astype(np.float32)
    return np.abs(model(images) - np.array(record["logits"])).max() / np.abs(record["logits"]).max()


def first_step(recipe, batch_size):
    """The model, seconds to build it, and seconds from nothing to the end of the first training step."""
    images = np.random.default_rng(0).standard_normal((batch_size, 32, 32, 3), np.float32)
    started = time.perf_counter()
    model = models.build_model(recipe.model, **recipe.size)
    built = time.perf_counter() - started
    TrainingStep(model, recipe)(images, np.arange(batch_size) % 10, 0.1, 0)
    return model, built, time.perf_counter() - started


def main():
    golden = {}
    if REFERENCE.exists():
        sys.path.insert(0, str(REFERENCE))
        golden = json.loads(gzip.decompress((REFERENCE / "models.json.gz").read_bytes()))
    names = list(recipes.SHORT_NAMES)[:5]
    sheet, seconds = measuring.Sheet("models"), np.empty((ROUNDS, len(names), 3))
    for turn, (place, name) in itertools.product(range(ROUNDS), enumerate(names)):
        quick = recipes.get(name)
        *_, quick_seconds = first_step(quick, quick.batch_size)
        model, *of_paper = first_step(recipes.get(name, "paper"), 2)  # few images: the time is that of compiling
        seconds[turn, place] = *of_paper, quick_seconds
        if turn == ROUNDS - 1:
            figures = dict(zip(("build_s", "first_step_s", "quick_first_step_s"), seconds[:, place].T, strict=True))
            sheet.row(
                name,
                parameters=sum(np.prod(variable.shape, dtype=int) for variable in model.trainable_variables),
                **{figure: measuring.Spread.of(rounds) for figure, rounds in figures.items()},
                **({"logit_difference": logit_difference(model, golden[name])} if golden else {}),
            )
    sheet.write()


if __name__ == "__main__":
    main()
