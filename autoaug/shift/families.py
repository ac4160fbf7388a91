"""Names of families of models.

A family consists of the runs of one recipe. On one training set, they differ only in their seed.
"""

import json

import pandas as pd


def architecture(model: str, size: dict[str, int]) -> str:
    """The name of a model of this size in papers: `WRN-28-10`, `Shake-Shake-26 2×32d`, `PyramidNet-272 (α 200)`."""
    if model == "wrn":
        return f"WRN-{size.get('depth', 28)}-{size.get('widen_factor', 10)}"
    if model == "pyramid_net":
        return f"PyramidNet-{size.get('depth', 272)} (α {size.get('alpha', 200)})"
    if model.startswith("shake_shake_"):
        width = 16 * size["widen_factor"] if "widen_factor" in size else int(model.removeprefix("shake_shake_"))
        return f"Shake-Shake-{size.get('depth', 26)} 2×{width}d"
    return model


def titles(runs: pd.DataFrame) -> pd.Series:
    """The name of each row's family: `WRN-28-10, 10 epochs`.

    If two recipes would get the same name, their differences are added to it.

    Args:
        runs: `records.collect`'s table; its column `recipe` holds JSON.
    """
    recipes = {text: json.loads(text) for text in runs["recipe"].unique()}
    plain = {
        text: f"{architecture(recipe['model'], recipe['size'])}, {recipe['epochs']} epochs"
        for text, recipe in recipes.items()
    }
    names = {}
    for text, recipe in recipes.items():
        kin = [recipes[other] for other in recipes if plain[other] == plain[text]]
        fields = [name for name in recipe if any(other.get(name) != recipe[name] for other in kin)]
        names[text] = ", ".join([plain[text], *(f"{name} {recipe[name]}".replace("_", " ") for name in fields)])
    return runs["recipe"].map(names).astype(object)
