"""What to train so that the runs on a data set can be compared with others."""

import dataclasses
import json
import shlex

import pandas as pd
import yaml

from autoaug import datasets, recipes


def missing(runs: pd.DataFrame) -> list[str]:
    """For each recipe that was trained on a set of photographs but on no set to compare with: how to train one.

    Args:
        runs: `records.collect`'s table.
    """
    sentences = []
    trained = runs[runs["kind"] == "trained"]
    for (text, name), of_set in trained.groupby(["recipe", "train_data"], sort=False):
        others = datasets.partners(name)
        trained_on = set(trained["train_data"][trained["recipe"] == text])
        if others and not trained_on & set(others) and datasets.DATASETS[name].family == "cifar10":
            seeds = ", ".join(str(seed) for seed in sorted(of_set["seed"].unique()))
            sentences.append(
                f"To compare with {name}, train {others[0]} too, with the same seeds ({seeds}): "
                f"{_command(json.loads(text), others[0])}."
            )
    return sentences


def _command(recorded: dict[str, object], train_data: str) -> str:
    """The command that trains a recorded recipe on a data set."""
    known = {field.name for field in dataclasses.fields(recipes.Recipe)}
    recipe = recipes.Recipe(**{name: value for name, value in recorded.items() if name in known})  # type: ignore[arg-type]
    changes = recipes.changes(recipe)
    size = {"size": changes.pop("size")} if "size" in changes else {}
    workers = {name: recorded[name] for name in ("workers", "update") if name in recorded}
    parameters = {"model": recipe.model, "train_data": train_data, "preset": recipe.preset} | changes | workers
    words = [word for name, value in parameters.items() for word in ("-p", name, str(value))]
    if size:
        words += ["-y", yaml.safe_dump(size, default_flow_style=True).strip()]
    return shlex.join(["papermill", "notebooks/train.ipynb", *words])
