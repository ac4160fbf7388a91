"""The rows of the report's tables. Fractions become text here, and only here."""

from typing import Any

import pandas as pd
from markupsafe import Markup

from autoaug.report.page import Number, percent, run_link
from autoaug.report.results import Pair, Results, rows


def matrix_rows(means: pd.DataFrame, results: Results) -> pd.DataFrame:
    """Accuracies of one family of models: a row for each training set, a column for each test set that has numbers.

    A model's own test set is in bold; an asterisk says that some of its test images are left out.

    Args:
        means: rows of `Results.means` of one preset and family.
        results: for the names of the data sets.
    """
    lines = []
    for trained in dict.fromkeys(means["train_data"]):
        part = means[means["train_data"] == trained]
        cells = {results.label(cell.test_set): _accuracy(cell, strong=cell.test_set == trained) for cell in rows(part)}
        seeds = part.iloc[0]["seeds"]
        links = Markup(", ").join(run_link(run_id, str(seed)) for seed, run_id in seeds.items())
        lines.append({"Trained on": results.label(trained)} | cells | {"Seeds": links})
    columns = [results.label(name) for name in dict.fromkeys(means["test_set"])]
    return pd.DataFrame(lines, columns=["Trained on", *columns, "Seeds"], dtype=object).fillna("")


def _accuracy(row: Any, strong: bool = False) -> Number:
    number = percent(row.accuracy, row.low, row.high)
    text, bracket, interval = number.partition(" [")
    mark = "*" if row.overlap else ""
    return Number(f"{text}{mark}{bracket}{interval}", number.value, strong)


def published_beside(means: pd.DataFrame, published: pd.DataFrame, results: Results) -> pd.DataFrame:
    """Measured accuracies beside those that others reported for the same recipe and data; no rows if there are none.

    Args:
        means: `Results.means`; quick and small runs are other models, for which nothing was published.
        published: results/published/autoaugment-accuracies.csv.
        results: for the names of the data sets.
    """
    ours = means[means["preset"].isin(["paper", "imported"])]
    both = ours.merge(published.rename(columns={"accuracy": "published"}), on=["model", "train_data", "test_set"])
    lines = [
        (
            row.family, row.preset, results.label(row.test_set), percent(row.accuracy, row.low, row.high),
            percent(row.published), percent(row.accuracy - row.published),
        )
        for row in rows(both)
    ]  # fmt: skip
    columns = ["Model", "Runs", "Trained and tested on", "Measured, %", "Published, %", "Difference, points"]
    return pd.DataFrame(lines, columns=columns, dtype=object)


def run_columns(runs: pd.DataFrame, results: Results) -> dict[str, list]:
    """The columns that name a run in every table: model, preset (a link to its provenance), seed, training set."""
    lines = rows(runs)
    return {
        "Model": [run.family for run in lines],
        "Run": [run_link(run.run_id, run.preset) for run in lines],
        "Seed": [run.seed for run in lines],
        "Trained on": [results.label(run.train_data) for run in lines],
        "Tested on": [results.label(run.test_set) for run in lines],
    }


def accuracy_rows(results: Results) -> pd.DataFrame:
    """Every run's accuracy on every test set, and how many images were left out."""
    lines = rows(results.accuracies)
    return pd.DataFrame(
        run_columns(results.accuracies, results)
        | {
            "Accuracy, %": [percent(run.accuracy, run.low, run.high) for run in lines],
            "Right": [Number(f"{run.correct:,} of {run.total:,}", run.correct) for run in lines],
            "Left out": [run.overlap for run in lines],
        },
        dtype=object,
    )


def gap_rows(gaps: pd.DataFrame, results: Results) -> pd.DataFrame:
    """The gap of every run, from `shift.gap_table`."""
    texts = [percent(run.gap, run.low, run.high) for run in rows(gaps)]
    return pd.DataFrame(run_columns(gaps, results) | {"Gap, points": texts}, dtype=object)


def statement_numbers(pairs: list[Pair]) -> pd.DataFrame:
    """The statements as fractions: a column for each number and for each end of its interval."""
    lines = []
    for pair in pairs:
        for models, verdict in ({"all families with enough seeds": pair.verdict} | pair.alone).items():
            row = {
                "reproduction": pair.comparison.reproduction, "original": pair.comparison.original,
                "runs": pair.comparison.preset, "models": models, "harder": verdict.harder,
                "different": verdict.different, "enough_seeds": not verdict.few_seeds,
            }  # fmt: skip
            for field in ("gap_a", "gap_b", "home_a", "home_b"):
                value, low, high = getattr(verdict, field)
                row |= {field: value, f"{field}_low": low, f"{field}_high": high}
            lines.append(row)
    return pd.DataFrame(lines)


def published_rows(accuracies: pd.DataFrame, gaps: pd.DataFrame, robustness: dict[str, Number]) -> pd.DataFrame:
    """Published models, the most accurate on CIFAR-10 first: a column per test set and per gap, and the robustness.

    Args:
        accuracies, gaps: from `shift.accuracy_table` and `shift.gap_table`, by model, with data sets' names for
            readers.
        robustness: effective robustness by model.
    """
    order = accuracies[accuracies["test_set"] == "CIFAR-10"].sort_values("accuracy", ascending=False)["model"]
    columns: dict[str, list] = {"Model": list(order)}
    for test_set, part in accuracies.groupby("test_set"):
        columns[f"{test_set}, %"] = _intervals(part, "accuracy", order)
    for test_set, part in gaps.groupby("test_set"):
        columns[f"Lost on {test_set}"] = _intervals(part, "gap", order)
    columns["Above the line"] = [robustness[model] for model in order]
    return pd.DataFrame(columns, dtype=object)


def _intervals(part: pd.DataFrame, value: str, order: pd.Series) -> list[Number]:
    """Texts `value [low, high]` of each model, in the order of the models."""
    part = part.set_index("model").loc[order]
    return [percent(*numbers) for numbers in part[[value, "low", "high"]].to_numpy()]
