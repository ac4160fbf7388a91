"""The embedded data sets: `synthetic10` and two reproductions whose shift is known by construction.

Every image has a latent difficulty and a latent appearance (`data_prep.rendering`). `synthetic10_harder` draws from
the same generator and the same range of difficulty, more often from the harder end; `synthetic10_different` has the
difficulties of the base and another appearance. Classes are shapes, so no appearance contradicts them.
"""

import dataclasses
import json
import pathlib
import shutil
import tempfile

import numpy as np

from autoaug.batches import write_batch
from autoaug.datasets import CLASS_NAMES, DATASETS, channel_statistics, content_hash
from data_prep.rendering import render

GENERATOR_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Parameters:
    """Of one set: the Beta distribution of the difficulty, and the range of each latent of the appearance.

    `polarity` is the share of light shapes on dark ground; angles are degrees.
    """

    difficulty: tuple[float, float]
    polarity: float = 0.85
    orientation: tuple[float, float] = (-20, 20)
    hue: tuple[float, float] = (0, 120)
    stripes: tuple[float, float] = (0, 0.4)


_DIFFERENT = {"polarity": 0.15, "orientation": (90, 180), "hue": (180, 300), "stripes": (0.6, 1)}
SETS = {
    "synthetic10": Parameters(difficulty=(1, 3)),
    "synthetic10_harder": Parameters(difficulty=(3, 1.5)),
    "synthetic10_different": Parameters(difficulty=(1, 3), **_DIFFERENT),
}


def generate(parameters, size, rng):
    """Returns images uint8 [size, 32, 32, 3], labels int64 [size] (balanced, shuffled) and the latents by name."""
    labels = rng.permutation(np.arange(size) % len(CLASS_NAMES["synthetic10"]))
    difficulty = rng.beta(*parameters.difficulty, size).astype(np.float32)
    fields = [("polarity", "f4"), ("orientation", "f4"), ("hue", "f4"), ("stripes", "f4")]
    appearance = np.empty(size, fields)
    appearance["polarity"] = np.where(rng.random(size) < parameters.polarity, 1, -1)
    appearance["orientation"] = np.radians(rng.uniform(*parameters.orientation, size))
    appearance["hue"] = np.radians(rng.uniform(*parameters.hue, size))
    appearance["stripes"] = rng.uniform(*parameters.stripes, size)
    return render(labels, difficulty, appearance, rng), labels, {"difficulty": difficulty, "appearance": appearance}


def build(data_dir, names=tuple(SETS), seed=0):
    """Writes `data_dir/<name>/training/` for each name; skips what is there and matches its manifest."""
    for name in names:
        folder = pathlib.Path(data_dir) / name / "training"
        if not (folder / "manifest.json").is_file():
            _build(name, folder, seed)


def _build(name, folder, seed):
    spec, parameters = DATASETS[name], SETS[name]
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = pathlib.Path(tempfile.mkdtemp(dir=folder.parent))
    manifest = {"name": name, "seed": seed, "generator_version": GENERATOR_VERSION}
    manifest |= {"parameters": dataclasses.asdict(parameters)}
    for part, (file, size) in enumerate(((*spec.training_files, spec.train_size), (spec.test_file, spec.test_size))):
        rng = np.random.default_rng([seed, list(SETS).index(name), part])
        images, labels, latents = generate(parameters, size, rng)
        write_batch(temporary / file, images, labels)
        np.savez(temporary / f"{file}_latents.npz", **latents)
        mean, std = channel_statistics(images)
        manifest[file] = {
            "images_per_class": np.bincount(labels).tolist(),
            "mean": mean.tolist(),
            "std": std.tolist(),
            "sha256": content_hash(images, labels),
        }
    (temporary / "manifest.json").write_text(json.dumps(manifest, indent=1))
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
