"""The last sections of the report: training, data, every run, and where the numbers come from."""

import numpy as np
import pandas as pd
from IPython.display import HTML

from autoaug import datasets, plots, shift
from autoaug.plots import training as training_plots
from autoaug.report import names, provenance, tables
from autoaug.report.page import folded, paragraphs, percent, together
from autoaug.report.results import Results, rows
from autoaug.runs import history as read_history
from autoaug.runs import unfinished as unfinished_runs
from autoaug.runs.record import read

_NUMBERS = ["run_id", "preset", "model", "family", "seed", "train_data", "test_set"]  # the rest is in each run's record
_COUNTS = ["total", "correct", "overlap", "accuracy", "low", "high"]


def training(results: Results) -> HTML:
    """Training accuracy by epoch: a picture for each training set, a line for each family of models."""
    panels: dict[str, dict[str, list[pd.DataFrame]]] = {}
    for row in rows(results.runs.drop_duplicates("run_id")):
        history = read_history(row.folder)
        if "accuracy" in history and len(history):
            panel = panels.setdefault(results.label(row.train_data), {})
            panel.setdefault(f"{row.family} ({row.preset})", []).append(history)
    if not panels:
        return paragraphs(["No run kept its history."])
    ends = [
        f"{family} on {title}: {percent(np.mean([run['accuracy'].iloc[-1] for run in part]))} %"
        for title, panel in panels.items()
        for family, part in panel.items()
    ]
    caption = "Training accuracy by epoch: thin lines are runs, the line with marks is the mean of the seeds."
    figure = training_plots.all_training_curves(panels)
    return results.page.figure("training", figure, caption, "Training accuracy at the end: " + "; ".join(ends))


def data(results: Results) -> HTML:
    """A test image of each class of every data set that was used and is on this machine."""
    used = {*results.runs["train_data"], *results.runs["test_set"]}
    available = [name for name in datasets.available(results.data_dir) if name in used]
    parts = []
    for name in available:
        test = datasets.load_test(name, results.data_dir)
        classes = datasets.CLASS_NAMES[datasets.DATASETS[name].family][:10]
        chosen = [index for label in range(len(classes)) for index in np.flatnonzero(test.labels == label)[:1]]
        grid = plots.image_grid(test.images[chosen], [classes[label] for label in test.labels[chosen]])
        title = names.data_label(name, test.source)
        alt = f"A test image of each of {', '.join(classes)}, from {title}."
        parts.append(results.page.figure(f"data-{name}", grid, f"{title}, test images.", alt))
    if missing := sorted(used - set(available)):
        parts.append(paragraphs([f"Not on this machine: {', '.join(map(results.label, missing))}."]))
    return together(*parts)


def runs(results: Results) -> HTML:
    """Every run's accuracies and gaps, its provenance, and the runs that are not counted; tables are folded."""
    page, parts = results.page, []
    if len(results.runs):
        finished = [read(folder) for folder in results.runs["folder"].unique()]
        numbers = results.accuracies[_NUMBERS + _COUNTS]
        gaps = shift.gap_table(results.accuracies, confidence=results.confidence)
        caption = f"Accuracy of every run on every test set, with exact {results.interval}."
        texts = tables.accuracy_rows(results)
        parts.append(folded("Accuracy of every run", page.table("accuracy", texts, caption, numbers)))
        if len(gaps):
            caption = (
                f"Accuracy that every run loses on other test sets than its own, with {results.interval} (Newcombe)."
            )
            texts = tables.gap_rows(gaps, results)
            parts.append(
                folded("Gap of every run", page.table("gap", texts, caption, gaps[[*_NUMBERS, "gap", "low", "high"]]))
            )
        caption = "The runs, with their code and packages. Click a run's name to download its record, compressed."
        texts = provenance.runs(finished, results.labels)
        parts.append(folded("Provenance of the runs", page.table("runs", texts, caption)))
        texts = provenance.data(results.runs, results.labels)
        parts.append(folded("Provenance of the data", page.table("data", texts, "The data that the runs read.")))
    return together(*parts, paragraphs(_not_counted(results)))


def _not_counted(results: Results) -> list[str]:
    """Sentences about the runs that are left out."""
    unfinished = [str(folder.name.encode(errors="replace"), "utf-8") for folder in unfinished_runs(results.results_dir)]
    texts = []
    if unfinished:
        texts.append(
            f"Unfinished runs, not counted: {', '.join(unfinished)}. Repeat a run's command to go on from its newest "
            "checkpoint."
        )
    if results.on_other_data:
        texts.append(
            f"Runs on other data: {', '.join(results.on_other_data)}. Some of their pixels or labels differ from those "
            "that the newest run has under the same name. Their results on such data are not counted."
        )
    return texts or ["Every run is counted."]
