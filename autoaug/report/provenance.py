"""Where the numbers come from: tables of the runs' recipes, code and machines, and of the data, for the report."""

import pandas as pd

from autoaug.report import page


def runs(records):
    """A row per run's record (`records.read`): link to its folder, recipe, seed, code, packages, wall time."""
    rows = [
        (
            page.folder_link(record["run_id"]),
            recipe_text(record),
            record["seed"],
            code_text(record["code"]),
            ", ".join(f"{name} {version}" for name, version in record["packages"].items()),
            f"{record['train_data']['name']}, {record['train_data']['source']}: {record['train_data']['sha256'][:12]}",
            f"{record['wall_seconds']:,.0f} s",
        )
        for record in records
    ]
    names = ["Run", "Recipe", "Seed", "Code", "Packages", "Training data, SHA-256", "Wall time"]
    return pd.DataFrame(rows, columns=names, dtype=object)  # keeps links what they are, with pyarrow too


def recipe_text(record):
    """The recipe of a run in words."""
    recipe = record["recipe"]
    size = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in recipe["size"].items())
    model = f"{recipe['model']} ({size})" if size else recipe["model"]
    return (
        f"{model}, {record['parameters']:,} parameters; {recipe['epochs']} epochs, batch {recipe['batch_size']}, "
        f"learning rate {recipe['learning_rate']:g}, weight decay {recipe['weight_decay']:g}, "
        f"{recipe['augmentation'].replace('_', ', ')}; {record['workers']} worker{'s' * (record['workers'] != 1)}"
    )


def code_text(code):
    """Version, commit, and whether files differed from the commit."""
    if code["commit"] is None:
        return code["version"]
    return f"{code['version']}, commit {code['commit'][:10]}" + " with changes" * bool(code["dirty"])


def data(records):
    """A row per data set part that the runs read, with the SHA-256 of its pixels and labels."""
    rows = {}  # an ordered set
    for record in records:
        train = record["train_data"]
        rows[train["name"], "training", train["source"], f"{train['train_size']:,}", train["sha256"]] = None
        for name, test in record["tests"].items():
            rows[name, "test", test["source"], f"{test['total']:,}", test["sha256"]] = None
    return pd.DataFrame(sorted(rows), columns=["Data set", "Part", "Source", "Images", "SHA-256 of pixels and labels"])
