"""Runs of known accuracies for the tests of the report."""

import numpy as np
import run_files

from autoaug import recipes

CHANCES = {  # of drawn shapes: harder, not different
    "synthetic10": {"synthetic10": 0.9, "synthetic10_harder": 0.5},
    "synthetic10_harder": {"synthetic10": 0.9, "synthetic10_harder": 0.5},
}


def write_study(folder, chances, seeds=3, model="wrn", preset="quick", images=2_000):
    """Runs of one family: training set → test set → chance to be right."""
    labels = np.arange(images) % 10
    for train_data, of_tests in chances.items():
        for seed in range(seeds):
            rng = np.random.default_rng([seed, *model.encode(), *train_data.encode()])
            tests = {name: run_files.predictions(rng, labels, chance) for name, chance in of_tests.items()}
            run_files.write(folder, train_data, tests, seed, recipes.get(model, preset))
