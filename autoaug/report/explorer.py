"""Widgets for Jupyter, to choose models and test sets and look at results; papermill runs them without a display."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, cast

import ipywidgets
import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from autoaug import datasets, shift
from autoaug.plots import shift as shift_plots
from autoaug.report.results import Results
from autoaug.report.sentences import NOTHING
from autoaug.shift import agreement, line_fit, study

_WHOLE = {"style": {"description_width": "initial"}, "layout": ipywidgets.Layout(width="34em")}  # names are not cut


class NothingToShow(ValueError):
    """There is no picture of what was chosen; the message says why."""


def explore(results: Results, scale: str = "probit") -> ipywidgets.VBox:
    """Widgets to choose models, test sets, scale and confidence, and to click through the hardest images.

    Args:
        results: the loaded runs.
        scale: to begin with.

    Returns:
        ipywidgets.VBox; if no run was tested on another set than its own, a text that says what to run.
    """
    pairs = {f"{results.label(a)} → {results.label(b)}": (a, b) for a, b in study.pairs(results.runs)}
    if not pairs:
        return ipywidgets.VBox([ipywidgets.HTML(NOTHING)])
    families = list(dict.fromkeys(results.runs["family"]))
    rows = min(8, len(families))
    choices = {
        "families": ipywidgets.SelectMultiple(
            options=families, value=families, rows=rows, description="models", **_WHOLE
        ),
        "pair": ipywidgets.Dropdown(options=pairs, description="test sets", **_WHOLE),
    }
    look = {
        "scale": ipywidgets.ToggleButtons(options=list(line_fit.SCALES), value=scale, description="scale"),
        "confidence": ipywidgets.FloatSlider(
            results.confidence, min=0.5, max=0.999, step=0.001, readout_format=".3f", description="confidence", **_WHOLE
        ),
    }
    number = ipywidgets.BoundedIntText(1, min=1, max=10_000, description="hardest image, number", **_WHOLE)
    chart = ipywidgets.interactive_output(functools.partial(_show, old_against_new, results), choices | look)
    image = ipywidgets.interactive_output(
        functools.partial(_show, hardest_image, results), choices | {"number": number}
    )
    return ipywidgets.VBox([*choices.values(), *look.values(), chart, number, image])


def _show(draw: Callable[..., Axes], results: Results, **chosen: Any) -> None:
    """Draw in the widget's output, or show there what is missing."""
    try:
        figure = cast("Figure", draw(results, **chosen).get_figure(root=True))
    except NothingToShow as reason:
        print(reason)
        return
    display(figure)
    plt.close(figure)


def old_against_new(
    results: Results, families: Sequence[str], pair: tuple[str, str], scale: str, confidence: float
) -> Axes:
    """Accuracies of the chosen models on both test sets: a point for each run, a colour for each family.

    The line is fitted to the families' means over seeds, and needs three families.

    Args:
        results: the loaded runs.
        families: names.
        pair: original and other test set.
        scale, confidence: of the axes and of the intervals.

    Raises:
        NothingToShow: none of these models was tested on both sets.
    """
    runs = results.runs
    chosen = runs[runs["family"].isin(families) & (runs["train_data"] == pair[0]) & runs["test_set"].isin(pair)]
    chosen = chosen[chosen.groupby("run_id")["test_set"].transform("nunique") == 2]
    table = shift.accuracy_table(shift.clean_counts(chosen), confidence)
    old, new = (_by_label(table[table["test_set"] == name]) for name in pair)
    old = old.loc[old.index.intersection(new.index)]
    if old.empty:
        raise NothingToShow(f"None of these models was trained on {results.label(pair[0])} and tested on both sets.")
    new = new.loc[old.index]
    members = {str(name): list(part.index) for name, part in old.groupby("family", sort=False)}
    line = None
    if len(members) >= 3:
        means = [part.groupby("family", sort=False)["accuracy"].mean().to_numpy() for part in (old, new)]
        line = line_fit.fit(means[0], means[1], scale, confidence, results.rng("explore"), 2_000)
    names = (results.label(pair[0]), results.label(pair[1]))
    return shift_plots.old_against_new(old, new, line, members, scale, names)


def _by_label(table: pd.DataFrame) -> pd.DataFrame:
    """The rows by a label of the run."""
    return table.assign(label=table["family"] + ", seed " + table["seed"].astype(str)).set_index("label")


def hardest_image(results: Results, families: Sequence[str], pair: tuple[str, str], number: int) -> Axes:
    """The `number`th hardest image of the other test set, by how many of the chosen models fail on it.

    Raises:
        NothingToShow: there is no such image, or the images are not on this machine.
    """
    panel = study.panel(results.runs[results.runs["family"].isin(families)], *pair)
    name = results.label(pair[1])
    if panel is None:
        raise NothingToShow(f"None of these models was trained on {results.label(pair[0])} and tested on {name}.")
    if pair[1] not in datasets.available(results.data_dir):
        raise NothingToShow(f"The images of {name} are not on this machine.")
    hardest = agreement.hardest(panel.right, number)
    if len(hardest) < number:
        raise NothingToShow(f"These models get {len(hardest):,} images of {name} wrong. Choose a number up to that.")
    index = hardest[number - 1 :]
    images = datasets.load_test(pair[1], results.data_dir).images[panel.indices[index]]
    names = datasets.CLASS_NAMES[datasets.DATASETS[pair[1]].family]
    wrong = (~panel.right[:, index]).sum(axis=0)
    ax = plt.subplots(figsize=(3, 3.4), layout="constrained")[1]
    return shift_plots.hardest_gallery(images, panel.labels[index], panel.answers[:, index], wrong, names, ax=ax)
