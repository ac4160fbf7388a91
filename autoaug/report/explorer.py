"""Choosing and looking in Jupyter: widgets over the functions that the report uses; papermill runs them unseen."""

import functools

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display

from autoaug import datasets, shift
from autoaug.plots import shift as shift_plots
from autoaug.report.sentences import NOTHING
from autoaug.shift import agreement, line_fit, study


def explore(runs, data_dir, confidence=0.95, scale="probit"):
    """Widgets to choose models, test sets, scale and confidence, and to click through the hardest images.

    Args:
        runs: `study.named` of `records.collect`'s table.
        data_dir: where the images of the test sets are.
        confidence, scale: to begin with.

    Returns:
        ipywidgets.VBox; where no run was tested away from home, a text that says what to run.
    """
    pairs = {f"{original} → {other}": (original, other) for original, other in study.pairs(runs)}
    if not pairs:
        return ipywidgets.VBox([ipywidgets.HTML(NOTHING)])
    families = list(dict.fromkeys(runs["family"]))
    choices = {
        "families": ipywidgets.SelectMultiple(options=families, value=families, description="models"),
        "pair": ipywidgets.Dropdown(options=pairs, description="test sets"),
    }
    look = {
        "scale": ipywidgets.ToggleButtons(options=list(line_fit.SCALES), value=scale, description="scale"),
        "confidence": ipywidgets.FloatSlider(confidence, min=0.5, max=0.999, step=0.001, description="confidence"),
    }
    number = ipywidgets.BoundedIntText(1, min=1, max=10_000, description="hardest")
    chart = ipywidgets.interactive_output(functools.partial(_show, old_against_new, runs), choices | look)
    picture = functools.partial(_show, hardest_image, runs, data_dir=data_dir)
    image = ipywidgets.interactive_output(picture, choices | {"number": number})
    return ipywidgets.VBox([*choices.values(), *look.values(), chart, number, image])


def _show(draw, runs, **chosen):
    """Draw in the widget's output, or say there what is missing."""
    ax = draw(runs, **chosen)
    if ax is None:
        print("Nothing to show: none of these models was tested on both sets, or the images are not on this machine.")
        return
    display(ax.figure)
    plt.close(ax.figure)


def old_against_new(runs, families, pair, scale, confidence):
    """Accuracies of the chosen models on both test sets, each run a point, and their line; None for no run.

    Args:
        runs: as for `explore`.
        families: names.
        pair: original and other test set.
        scale, confidence: of the axes and of the intervals.
    """
    chosen = runs[runs["family"].isin(families) & (runs["train_data"] == pair[0]) & runs["test_set"].isin(pair)]
    chosen = chosen[chosen.groupby("run_id")["test_set"].transform("nunique") == 2]
    if chosen.empty:
        return None
    table = shift.accuracy_table(shift.clean_counts(chosen), confidence)
    table["label"] = table["family"] + ", seed " + table["seed"].astype(str)
    old, new = (table[table["test_set"] == name].set_index("label") for name in pair)
    line = None
    if old["accuracy"].nunique() >= 3:
        line = line_fit.fit(old["accuracy"], new["accuracy"], scale, confidence, np.random.default_rng(0), 2_000)
    return shift_plots.old_against_new(old, new.loc[old.index], line, list(old.index), scale, pair)


def hardest_image(runs, families, pair, number, data_dir):
    """The image of the other test set that the `number`th most of the chosen models fail on; None if there is none."""
    panel = study.panel(runs[runs["family"].isin(families)], *pair)
    if panel is None or pair[1] not in datasets.available(data_dir):
        return None
    hardest = agreement.hardest(panel.right, number)[number - 1 :]
    if not len(hardest):
        return None
    images = datasets.load_test(pair[1], data_dir).images[panel.indices[hardest]]
    names = datasets.CLASS_NAMES[datasets.DATASETS[pair[1]].family]
    wrong = (~panel.right[:, hardest]).sum(axis=0)
    ax = plt.subplots(figsize=(3, 3.4), layout="constrained")[1]
    return shift_plots.hardest_gallery(images, panel.labels[hardest], panel.answers[:, hardest], wrong, names, ax=ax)
