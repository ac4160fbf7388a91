"""The section of further evidence: what published models show.

Each function takes the `Results` and returns the output of a notebook's cell.
"""

import numpy as np
import pandas as pd
from IPython.display import HTML

from autoaug import recipes, shift
from autoaug.datasets import title
from autoaug.plots import shift as shift_plots
from autoaug.report import tables
from autoaug.report.page import decimal, folded, percent, together
from autoaug.report.results import Results, rows
from autoaug.shift import line_fit
from autoaug.shift import published as published_data

NEW = "cifar10.1-v6"


def published(results: Results, scale: str) -> HTML:
    """Published models on CIFAR-10.1 and 10.2: their line and numbers, and what to expect of ours.

    Args:
        results: names the folder of published numbers; measured runs on the same test sets are drawn in colour.
        scale: of the line.
    """
    return together(_line(results, scale), _table(results, scale), _further_counts(results), _expectations(results))


def _line(results: Results, scale: str) -> HTML:
    """The picture of published models, with their line."""
    line = _fitted(results, scale)
    ours = results.means[
        (results.means["train_data"] == "cifar10") & results.means["preset"].isin(["paper", "imported"])
    ]
    ours = ours.assign(label=ours["family"] + " (" + ours["preset"] + ")")
    theirs = _accuracies(results)
    both = pd.concat([theirs.assign(label=theirs["model"]), ours])
    old, new = (both[both["test_set"] == name].set_index("label") for name in ("cifar10", NEW))
    shared = old.index.intersection(new.index)
    highlighted = {label: [label] for label in shared if label in set(ours["label"])}
    names = (title("cifar10"), title(NEW))
    ax = shift_plots.old_against_new(old.loc[shared], new.loc[shared], line, highlighted, scale, names)
    caption = (
        f"30 published models with {results.interval}. Their {scale} line has slope {decimal(line.slope)} and R² "
        f"{line.r_squared:.3f}; its band includes the chance in models and in images. Point at a model to see its "
        f"name. {published_data.CAVEAT}"
    )
    alt = "Every published model is less accurate on CIFAR-10.1 v6 than on CIFAR-10, and all lie near one line."
    return results.page.figure("published", ax, caption, alt)


def _fitted(results: Results, scale: str) -> line_fit.Line:
    """The line of the 30 published models; its intervals include the chance in models and in images."""
    answers = published_data.read_right(results.published_dir / "cifar10.1-right.npz").right
    rng = results.rng("published", "line", scale)
    return line_fit.fit_images(answers["cifar10"], answers[NEW], scale, results.confidence, rng)


def _accuracies(results: Results) -> pd.DataFrame:
    counts = pd.read_csv(results.published_dir / "cifar10.1-counts.csv").assign(train_data="cifar10")
    return shift.accuracy_table(counts, results.confidence)


def _table(results: Results, scale: str) -> HTML:
    """Each published model's accuracies, gaps, and how far it lies above the line."""
    answers = published_data.read_right(results.published_dir / "cifar10.1-right.npz")
    old, new = answers.right["cifar10"], answers.right[NEW]
    fitted = np.ones(len(old), bool)
    above = line_fit.above_line(
        old, new, fitted, scale, results.confidence, results.rng("published", "above the line", scale)
    )
    robustness = {model: percent(*value) for model, value in zip(answers.models, above, strict=True)}
    accuracies = _accuracies(results)
    gaps = shift.gap_table(accuracies, "model", results.confidence)
    in_words = [part.assign(test_set=part["test_set"].map(title)) for part in (accuracies, gaps)]
    texts = tables.published_rows(in_words[0], in_words[1], robustness)
    caption = (
        f"Accuracy in % and points lost, with {results.interval}: exact for accuracies, Newcombe's for losses. Points "
        "above the line are the accuracy on v6 minus that of the line; their intervals are over models and images."
    )
    shown = results.page.table("published", texts, caption, accuracies, look="matrix")
    return folded("The 30 published models", shown)


def _further_counts(results: Results) -> HTML:
    """84 further models, as a summary and a file."""
    counts = pd.read_csv(results.published_dir / "cifar10.1-counts-84.csv")
    accuracies = shift.accuracy_table(counts, results.confidence)
    wide = accuracies.pivot(index="model", columns="test_set", values="accuracy").sort_values(
        "cifar10", ascending=False
    )
    lost = wide["cifar10"] - wide[NEW]
    texts = pd.DataFrame(
        {
            "Model": wide.index,
            **{f"{title(name)}, %": [percent(value) for value in wide[name]] for name in ("cifar10", NEW)},
            f"Lost on {title(NEW)}, points": [percent(value) for value in lost],
        },
        dtype=object,
    )
    caption = (
        f"{len(wide)} further models, which the line is not fitted to. They lose {percent(lost.min())} to "
        f"{percent(lost.max())} points. No licence is stated for their predictions, so only counts are kept."
    )
    return folded(f"{len(wide)} further models", results.page.table("published-84", texts, caption, counts))


def _expectations(results: Results) -> HTML:
    """Accuracies of the five models on CIFAR-10.2 that the published line predicts, beside measured ones."""
    accuracies, lines = (
        pd.read_csv(results.published_dir / name) for name in ("autoaugment-accuracies.csv", "lines.csv")
    )
    expected = published_data.expected_accuracies(accuracies, lines, "cifar10.2")
    ours = results.means[(results.means["train_data"] == "cifar10") & (results.means["test_set"] == "cifar10.2")]
    ours = ours[ours["preset"].isin(["paper", "imported"])]
    measured = {row.model: percent(row.accuracy, row.low, row.high) for row in rows(ours)}
    texts = pd.DataFrame(
        {
            "Model": [recipes.architecture(recipes.get(model, "paper")) for model in expected["model"]],
            "CIFAR-10, published, %": [percent(value) for value in expected["accuracy"]],
            "CIFAR-10.2, expected, %": [percent(value) for value in expected["expected"]],
        }
        | ({"CIFAR-10.2, measured, %": [measured.get(model, "") for model in expected["model"]]} if measured else {}),
        dtype=object,
    )
    caption = f"The five models of the study on CIFAR-10.2. {published_data.EXPECTATION}"
    return results.page.table("expected", texts, caption)
