"""A folder of finished runs of known accuracies, and the results that the report's sections read."""

import numpy as np
import run_files

from autoaug import recipes
from autoaug.files import ROOT
from autoaug.report import results

SHAPES = ("synthetic10", "synthetic10_harder")
CHANCES = {  # of AA, AB, BA, BB: harder
    "synthetic10": dict(zip(SHAPES, (0.9, 0.5), strict=True)),
    "synthetic10_harder": dict(zip(SHAPES, (0.85, 0.5), strict=True)),
}


def write_study(folder, chances, seeds=3, model="wrn", preset="quick"):
    """Runs of one family: training set → test set → chance to be right."""
    labels = np.arange(2_000) % 10
    for train_data, of_tests in chances.items():
        for seed in range(seeds):
            rng = np.random.default_rng([seed, *model.encode(), *train_data.encode()])
            tests = {name: run_files.predictions(rng, labels, chance) for name, chance in of_tests.items()}
            run_files.write(folder, train_data, tests, seed, recipes.get(model, preset))


def load(folder):
    return results.load(str(folder), str(folder / "data"), str(ROOT / "results" / "published"), 0.95, 0)
