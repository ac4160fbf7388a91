"""The frames behind the report's tables and figures. Accuracies are fractions; `show.table` shows them in percent.

`runs` is what `autoaug.runs.collect` returns: a row for each finished run and test set.
"""

import itertools
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from autoaug import datasets, recipes, shift
from autoaug import runs as run_folders
from autoaug.runs import record
from autoaug.shift import published, study

TEST_SETS = {
    "cifar10": ("cifar10", "cifar10_30k", "cifar10_12k", "cifar10_10k", "cifar10_5k"),
    "cifar10.1": ("cifar10.1-v6", "cifar10.1-v4"),
    "cifar10.2": ("cifar10.2", "cifar105"),
    "cinic10": ("cinic10", "cinic10_5k"),
}
"""Column of `accuracies` → test sets of its images, of which the first that a run was tested on counts."""

_NAMES = {"cifar10": "CIFAR-10", "cifar10.1": "CIFAR-10.1", "cifar10.2": "CIFAR-10.2", "cinic10": "CINIC-10"}

GROUPS = (
    "published",
    "expected, not measured: line through models above 15 %",
    "expected, not measured: line through models above 90 %",
    "measured here",
)
"""Kinds of rows of `accuracies`."""

SHAPES = "drawn shapes, not CIFAR-10"

_KNOWN = (*datasets.KNOWN_TRUTH, *datasets.EMBEDDED)


def title(name: str) -> str:
    """A data set's name for readers; drawn shapes are called that."""
    return f"{plain(name)} ({SHAPES})" if name in datasets.EMBEDDED else plain(name)


def plain(name: str) -> str:
    """The same, where a heading says that these are drawn shapes."""
    known = datasets.TITLES.get(name, name)
    return f"photographs, {known}" if name in datasets.DESIGNS else known


def accuracies(runs: pd.DataFrame, others: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """The main table: training set × model → accuracy on each test set, and what is lost from CIFAR-10 to it.

    Args:
        runs: those on drawn shapes and on sets of known truth do not count.
        others: rows that others published, or that are expected: `group` (of GROUPS), `train_data`, `model`, and
            accuracies with their ends, in the columns of the result.
        confidence: of the intervals of what was measured here.

    Returns:
        Index: group, train_data, model. For each name of TEST_SETS that has numbers, and each other test set that is
        neither drawn nor of known truth (`<name> images`), the column with `_low` and `_high`; `lost <name>` likewise.
        Over several seeds it is the mean, with the interval of a single model that gets as many images right.
    """
    runs, _ = study.of_newest_data(runs)
    own = runs[(runs["total"] > 0) & ~runs["train_data"].isin(_KNOWN)]
    known = {*_KNOWN, "photo_original", *itertools.chain(*TEST_SETS.values())}
    further = [name for name in own["test_set"].unique() if name in datasets.TITLES.keys() - known]
    test_sets = TEST_SETS | {f"{name} images": (name,) for name in further}  # no other column has such a name
    keys = ["size", "train_data", "family"]
    rows = [
        {"group": GROUPS[-1], "train_data": title(name), "model": family, "seeds": part["seed"].nunique()}
        | _by_test_set(part, test_sets, confidence)
        for (_, name, family), part in own.assign(size=-own["train_size"]).groupby(keys, sort=True)
    ]
    rows = [row for row in rows if any(column in row for column in test_sets)]
    frame = pd.concat([others, pd.DataFrame(rows)], ignore_index=True)
    if frame.empty:
        return frame
    ends = ("", "_low", "_high")
    columns = [f"{start}{name}{end}" for start in ("", "lost ") for name in test_sets for end in ends]
    frame = frame.reindex(columns=["group", "train_data", "model", "seeds", *columns]).astype({"seeds": "Int64"})
    return frame.set_index(["group", "train_data", "model"]).dropna(axis="columns", how="all")


def titles(accuracies: pd.DataFrame) -> dict[str, str]:
    """Titles of the columns of a table of accuracies."""
    found = {"train_data": "trained on", "model": "model", "seeds": "seeds"}
    for column in accuracies.columns.drop("seeds", errors="ignore"):
        _, lost, name = column.removesuffix(" images").rpartition("lost ")
        text = f"{lost and 'lost on '}{_NAMES.get(name) or title(name)}"
        found[column] = f"{text} ({name})" if text in found.values() else text
    return found


def others(published_dir: str | pathlib.Path, confidence: float) -> pd.DataFrame:
    """Rows for `accuracies` that others published, or that the lines through their models let expect.

    What was published as a fraction, or is a mean over models, has no interval.
    """
    bed = published.testbed(published_dir)
    high = bed[(bed["group"] == published.SCRATCH) & (bed["cifar10"] > 0.93)][list(published.TOTALS)]
    losses = {f"lost {name}": (high["cifar10"] - high[name]).mean() for name in ("cifar10.1", "cifar10.2")}
    mean = f"mean of {len(high)} models above 93 %"
    rows: list[dict[str, Any]] = [{"train_data": "CIFAR-10", "model": mean} | high.mean().to_dict() | losses]
    for _, model in bed[bed["model"] == "myrtlenet"].sort_values("cifar10", ascending=False).iterrows():
        known = {name: total for name, total in published.TOTALS.items() if pd.notna(model[name])}
        counts = {name: (round(model[name] * total), total) for name, total in known.items()}
        trained_on = "CIFAR-10.2" if model["group"] == published.REPRODUCTION else "CIFAR-10"
        rows.append({"train_data": trained_on, "model": "myrtlenet"} | _with_losses(counts, confidence))
    rows = [{"group": GROUPS[0]} | row for row in rows]
    for (model, line), part in published.expected(published_dir, confidence).groupby(["model", "line"], sort=False):
        group = GROUPS[1 if line == f"models above {published.TRAINED:.0%}" else 2]
        row: dict[str, Any] = {"group": group, "train_data": "CIFAR-10"}
        row["model"] = f"{recipes.title(recipes.get(str(model), 'paper'))}, AutoAugment"
        for one in part.itertuples():
            row |= {"cifar10": one.cifar10} | _ends(one.test_set, (one.expected, one.low, one.high))
            lost = [one.cifar10 - end for end in (one.expected, one.high, one.low)]
            row |= _ends(f"lost {one.test_set}", lost)
        rows.append(row)
    return pd.DataFrame(rows).sort_values("group", key=lambda column: column.map(GROUPS.index), kind="stable")


def _ends(column: str, numbers: Iterable[Any]) -> dict[str, float]:
    """A number and the ends of its interval, in their columns."""
    return dict(zip((column, f"{column}_low", f"{column}_high"), numbers, strict=True))


def _by_test_set(part: pd.DataFrame, test_sets: Mapping[str, Sequence[str]], confidence: float) -> dict[str, float]:
    """Mean accuracies of the runs of a family on one training set, and what they lose."""
    counts, means = {}, {}
    for column, names in test_sets.items():
        tested = next((rows for name in names if len(rows := part[part["test_set"] == name])), None)
        if tested is not None:
            total, means[column] = int(tested["total"].min()), (tested["correct"] / tested["total"]).mean()
            counts[column] = round(means[column] * total), total  # for the intervals alone
    found = _with_losses(counts, confidence) | means
    return found | {f"lost {name}": means["cifar10"] - means[name] for name in means if f"lost {name}" in found}


def _with_losses(counts: dict[str, tuple[int, int]], confidence: float) -> dict[str, float]:
    """Accuracies from (correct, total), and what is lost from CIFAR-10, with their intervals."""
    found: dict[str, float] = {}
    for column, (correct, total) in counts.items():
        found |= _ends(column, (correct / total, *shift.accuracy_interval(correct, total, confidence)))
        if column != "cifar10" and "cifar10" in counts:
            found |= _ends(f"lost {column}", shift.gap(*counts["cifar10"], correct, total, confidence))
    return found


def data(runs: pd.DataFrame) -> pd.DataFrame:
    """The data behind the runs: a row for each training or test set, its source, and the hash of its images.

    Left out are test sets of known truth that no run was trained on, and test sets that are not known here.
    """
    trained, tested = (
        runs.sort_values("started").drop_duplicates(name, keep="last").set_index(name)
        for name in ("train_data", "test_set")
    )
    shown = datasets.TITLES.keys() - {*datasets.DESIGNS, "photo_original"}
    names = list(dict.fromkeys([*trained.index, *(name for name in tested.index if name in shown)]))
    images = {"training images": trained["train_size"], "test images": tested["total"] + tested["overlap"]}
    frame = pd.DataFrame({name: column.reindex(names) for name, column in images.items()}).astype("Int64")
    frame["source"] = trained["train_source"].reindex(names).fillna(tested["test_source"].reindex(names))
    for column, hashes in (("training part", trained["train_sha256"]), ("test part", tested["test_sha256"])):
        frame[f"SHA-256, {column}"] = hashes.reindex(names).str[:12]
    frame.insert(0, "data set", [title(name) for name in names])
    return frame.rename_axis("name")


def every_run(runs: pd.DataFrame) -> pd.DataFrame:
    """A row for each run: what was trained on what, accuracy on its own test part, recipe, commit, time."""
    rows, shown = [], ("epochs", "batch_size", "learning_rate", "weight_decay", "augmentation", "precision")
    for folder, of_run in runs.groupby("folder", sort=False):
        kept, first = record.read(folder), of_run.iloc[0]
        own = of_run[of_run["test_set"] == first["train_data"]]
        values = own.iloc[0] if len(own) else first
        recipe = [f"{name} {getattr(kept.recipe, name)}".replace("_", " ") for name in shown if kept.recipe]
        code = (kept.code.commit or "not known")[:10] + (" and changes" if kept.code.dirty else "")
        rows.append(
            {name: first[name] for name in ("run_id", "family", "seed", "train_data", "train_size")}
            | {"tested on": values["test_set"], "images": values["total"], "accuracy": values["accuracy"]}
            | {"accuracy_low": values["low"], "accuracy_high": values["high"]}
            | {"recipe": ", ".join(recipe), "commit": code, "day": first["started"][:10]}
            | {"minutes": round(kept.wall_seconds / 60)}
        )
    return pd.DataFrame(rows)


def histories(runs: pd.DataFrame) -> dict[str, dict[str, list[pd.DataFrame]]]:
    """Title of a training set → family → the runs' histories, for `plots.all_training_curves`.

    Sets of known truth are left out where there are others.
    """
    found: dict[str, dict[str, list[pd.DataFrame]]] = {}
    others = runs[~runs["train_data"].isin(_KNOWN)]
    for row in (others if len(others) else runs).drop_duplicates("run_id").sort_values("train_size").itertuples():
        history = run_folders.history(row.folder)
        if len(history) > 1 and "accuracy" in history:
            found.setdefault(title(row.train_data), {}).setdefault(row.family, []).append(history)
    return found
