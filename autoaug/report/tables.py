"""The rows of the report's tables: texts for the eye, from the tables of counts and the analysis."""

import numpy as np
import pandas as pd
from markupsafe import Markup

from autoaug.report.page import estimate, percent, run_link
from autoaug.shift.agreement import agreement, compare_pairs


def data_label(name, source):
    """What a data set is called in a table: its name, and what its source says of other than the original files, as in
    `cifar10 (JPEG copy)`."""
    if source in ("", "embedded images"):
        return name
    remark = source.partition("(")[2].rstrip(")") or ("" if source.startswith("CIFAR") else source)
    return f"{name} ({remark})" if remark else name


def in_order(runs, data_sets):
    """`records.collect`'s table with paper runs first, and otherwise by model, training set, seed and test set.

    Args:
        runs: DataFrame.
        data_sets: names in the order wanted; others come after them.
    """
    place = {name: number for number, name in enumerate(data_sets)}
    return runs.sort_values(
        ["preset", "model", "train_data", "seed", "run_id", "test_set"],
        key=lambda column: (
            column.map(place).fillna(len(place)) if column.name in ("train_data", "test_set") else column
        ),
        ignore_index=True,
    )


def run_columns(runs):
    """The columns that name a run in every table: model, kind (a link to its provenance), seed, training set."""
    rows = list(runs.itertuples())
    return {
        "Model": [run.family for run in rows],
        "Run": [run_link(run.run_id, run.sort) for run in rows],
        "Seed": [run.seed for run in rows],
        "Trained on": [data_label(run.train_data, run.train_source) for run in rows],
    }


def headline_rows(means, published, confidence=0.95):
    """The headline table: accuracies, the mean where there are several seeds, beside what was published.

    A quick run is another model, trained otherwise: nothing was published for it.

    Args:
        means: `shift.accuracy_table` of `study.mean_over_seeds`.
        published: DataFrame of results/published/autoaugment-accuracies.csv.
        confidence: of the intervals in `means`.
    """
    keys = ["model", "train_data", "test_set"]
    both = means.merge(published.rename(columns={"accuracy": "published"}), how="left", on=keys)
    both.loc[both["sort"] == "quick", "published"] = float("nan")
    rows = list(both.itertuples())
    columns = {
        "Model": [run.family for run in rows],
        "Trained on": [data_label(run.train_data, run.train_source) for run in rows],
        "Tested on": [data_label(run.test_set, run.test_source) + _overlap(run) for run in rows],
        f"Accuracy, % [{100 * confidence:g} %]": [percent(run.accuracy, run.low, run.high) for run in rows],
        "Seeds": [Markup(", ").join(run_link(run_id, seed) for seed, run_id in run.seeds.items()) for run in rows],
        "Range, %": [f"{percent(run.lowest)} to {percent(run.highest)}" if len(run.seeds) > 1 else "" for run in rows],
        "Published, %": ["" if pd.isna(run.published) else percent(run.published) for run in rows],
        "Difference": ["" if pd.isna(run.published) else percent(run.accuracy - run.published) for run in rows],
        "Runs": [run.sort for run in rows],
    }
    return pd.DataFrame(columns, dtype=object)  # with pyarrow pandas' own type of text would lose which cells are links


def _overlap(run):
    """A mark for the cells whose accuracy is of a part of the test set."""
    return f"* ({run.overlap:,} of {run.overlap + run.total:,} left out)" if run.overlap else ""


def accuracy_rows(accuracies, confidence=0.95):
    """Every run's accuracy on every test set, from `shift.accuracy_table`, and what was left out of it."""
    rows = list(accuracies.itertuples())
    interval = f"Accuracy, % [{100 * confidence:g} %]"
    return pd.DataFrame(
        run_columns(accuracies)
        | {
            "Tested on": [data_label(run.test_set, run.test_source) for run in rows],
            interval: [percent(run.accuracy, run.low, run.high) for run in rows],
            "Right": [f"{run.correct:,} of {run.total:,}" for run in rows],
            "Overlap": [
                f"{run.overlap:,} of {run.overlap + run.total:,} left out" if run.overlap else "none" for run in rows
            ],
        },
        dtype=object,
    )


def gap_rows(gaps, confidence=0.95):
    """The gap table's texts, from `shift.gap_table`."""
    rows = list(gaps.itertuples())
    return pd.DataFrame(
        run_columns(gaps)
        | {
            "Tested on": [data_label(run.test_set, run.test_source) for run in rows],
            f"Gap, points [{100 * confidence:g} %]": [percent(run.gap, run.low, run.high) for run in rows],
        },
        dtype=object,
    )


def decomposition_rows(parts):
    """A row per decomposition: accuracies AA, AB, BA, BB, gap, hardness, difference, in points, and the share.

    Args:
        parts: list of (reproduction, models, Decomposition).
    """
    rows = [
        (
            *(name, f"{models} ({part.runs[0]} + {part.runs[1]} runs)"),
            *(percent(value) for value in part.accuracies),
            *(estimate(getattr(part, field)) for field in ("gap", "hardness", "difference", "share")),
        )
        for name, models, part in parts
    ]
    names = ["Reproduction", "Models", "AA, %", "AB, %", "BA, %", "BB, %"]
    return pd.DataFrame(rows, columns=[*names, "Gap", "Hardness", "Difference", "Hardness, % of gap"])


def decomposition_numbers(parts):
    """The same as fractions, a column for each number and for each end of its interval."""
    rows = []
    for name, models, part in parts:
        row = {"reproduction": name, "models": models} | dict(
            zip(("aa", "ab", "ba", "bb"), part.accuracies, strict=True)
        )
        for field in ("gap", "hardness", "difference", "share"):
            value, low, high = getattr(part, field)
            row |= {field: value, f"{field}_low": low, f"{field}_high": high}
        rows.append(row | {"runs": part.runs[0], "runs_of_reproduction": part.runs[1]})
    return pd.DataFrame(rows)


def pair_rows(panel, confidence):
    """Each two families on the same images, with all their runs: the difference, and Holm's corrected p-value."""
    owners = np.array(panel.families)
    pairs = compare_pairs({name: panel.right[owners == name] for name in sorted(set(owners))}, confidence)
    rows = [(pair.first, pair.second, estimate(pair.difference), f"{pair.adjusted:.2g}") for pair in pairs]
    interval = f"[{100 * confidence:g} %]"
    return pd.DataFrame(rows, columns=["Model", "Against", f"Difference, points {interval}", "p, after Holm"])


def agreement_rows(panel):
    """How many of the images, in percent, each two runs give the same answer to."""
    names = [f"{family}, seed {seed}" for family, seed in zip(panel.families, panel.seeds, strict=True)]
    texts = [[percent(value) for value in row] for row in agreement(panel.answers)]
    return pd.DataFrame(texts, columns=names).assign(Model=names)[["Model", *names]]


def published_rows(accuracies, gaps, robustness):
    """Published models, the most accurate on CIFAR-10 first: a column per test set, per gap, and the robustness.

    Args:
        accuracies, gaps: of `shift.accuracy_table` and `shift.gap_table`, by model.
        robustness: Series, effective robustness by model, a fraction.
    """
    order = accuracies[accuracies["test_set"] == "cifar10"].sort_values("accuracy", ascending=False)["model"]
    columns = {"Model": order}
    for test_set, part in accuracies.groupby("test_set"):
        columns[f"{test_set}, %"] = _intervals(part, "accuracy", order)
    for test_set, part in gaps.groupby("test_set"):
        columns[f"Gap to {test_set}"] = _intervals(part, "gap", order)
    return pd.DataFrame(columns | {"Above the line": [percent(robustness[model]) for model in order]})


def _intervals(part, value, order):
    """Texts `value [low, high]` of a model each, in the order of the models."""
    part = part.set_index("model").loc[order]
    return [percent(*numbers) for numbers in part[[value, "low", "high"]].itertuples(index=False)]
