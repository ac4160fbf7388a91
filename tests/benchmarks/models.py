"""Each model: parameters, agreement with the reference's logits, seconds to build and to the end of the first step."""

import gzip
import json
import sys
import time

import numpy as np

from autoaug import checkpoints, models, recipes
from autoaug.files import ROOT
from autoaug.training.step import TrainingStep

REFERENCE = ROOT.parent / "shared" / "reference"
FULL_BATCH = 2  # small, so that the first step's time is that of tracing and compiling


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
    labels = np.arange(batch_size) % 10
    started = time.perf_counter()
    model = models.build_model(recipe.model, **recipe.size)
    built = time.perf_counter() - started
    step = TrainingStep(model, recipe)
    step(images, labels, 0.1, 0)
    return model, built, time.perf_counter() - started


def main():
    golden = {}
    if REFERENCE.exists():
        sys.path.insert(0, str(REFERENCE))
        golden = json.loads(gzip.decompress((REFERENCE / "models.json.gz").read_bytes()))
    else:
        print("Logit differences are left out: ../shared/reference is not there.")
    print("model            parameters  GFLOPs/image  build s  first step s  quick first step s  logit difference")
    for name in models.MODELS:
        quick = recipes.get(name)
        _, _, quick_seconds = first_step(quick, quick.batch_size)
        model, built, seconds = first_step(recipes.get(name, "paper"), FULL_BATCH)
        parameters = sum(np.prod(variable.shape, dtype=int) for variable in model.trainable_variables)
        difference = f"{logit_difference(model, golden[name]):.1e}" if golden else "–"
        print(
            f"{name:15} {parameters:11,} {models.flops_per_image(model) / 1e9:13.2f} {built:8.1f} {seconds:13.1f} "
            f"{quick_seconds:19.1f} {difference:>17}",
            flush=True,
        )


if __name__ == "__main__":
    main()
