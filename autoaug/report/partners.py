"""What to train so that the runs on a data set can be compared with others."""

import dataclasses
import json
import shlex

import pandas as pd
import yaml

from autoaug import datasets, recipes


def missing(runs: pd.DataFrame) -> list[str]:
    """For each recipe that was trained on a set of photographs but on no set to compare with: how to train one.

    CIFAR-10.2 as published comes first, then what has the most seeds. Sets of known truth are no sets to compare with.

    Args:
        runs: `runs.collect`'s table.
    """
    found = []
    trained = runs[runs["kind"] == "trained"]
    for (text, name), of_set in trained.groupby(["recipe", "train_data"], sort=False):
        others = [other for other in datasets.partners(name) if other not in datasets.DESIGNS]
        trained_on = set(trained["train_data"][trained["recipe"] == text])
        if others and not trained_on & set(others) and datasets.DATASETS[name].family == "cifar10":
            seeds = sorted(of_set["seed"].unique())
            sentence = (
                f"To compare with {name}, train {others[0]} too, with the same seeds ({', '.join(map(str, seeds))}): "
                f"{_command(json.loads(text), others[0])}."
            )
            found.append(("cifar105" not in (name, others[0]), -len(seeds), sentence))
    return [sentence for *_, sentence in sorted(found, key=lambda one: one[:2])]


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
