"""Names of families of models."""

import pandas as pd

from autoaug.shift import families


def test_families_are_named_by_architecture_and_epochs_and_by_what_else_differs():
    base = {"model": "wrn", "size": {}, "epochs": 200, "batch_size": 128}
    recipes = [base, base | {"size": {"depth": 10, "widen_factor": 1}}, base | {"batch_size": 64}]
    recipes += [{"model": "pyramid_net", "size": {}, "epochs": 9, "batch_size": 1}]
    recipes += [{"model": "shake_shake_96", "size": {}, "epochs": 9, "batch_size": 1}]
    runs = pd.DataFrame({"recipe": [pd.Series(recipe).to_json() for recipe in recipes]})
    assert families.titles(runs).tolist() == [
        "WRN-28-10, 200 epochs, batch size 128",
        "WRN-10-1, 200 epochs",
        "WRN-28-10, 200 epochs, batch size 64",
        "PyramidNet-272 (α 200), 9 epochs",
        "Shake-Shake-26 2×96d, 9 epochs",
    ]
