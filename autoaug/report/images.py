"""Sections about classes and single images: losses by class, images that most models lose.

Each function takes the `Results` and returns the output of a notebook's cell; those of one pair return Axes for
Jupyter.
"""

import pandas as pd
from IPython.display import HTML
from matplotlib.axes import Axes

from autoaug import datasets, shift
from autoaug.plots import shift as shift_plots
from autoaug.report.page import folded, paragraphs, percent, together
from autoaug.report.results import Results
from autoaug.shift import study

NO_PREDICTIONS = "This needs a run that was trained on the original, tested on both sets, and kept its predictions."
Sides = tuple[study.Panel, study.Panel]


def _sides(results: Results, pair: tuple[str, str]) -> Sides | None:
    """The models of the original, on its own test set and on the other one; None if there are none."""
    home, away = (study.panel(results.runs, pair[0], test_set) for test_set in pair)
    return (home, away) if home and away else None


def _class_names(name: str) -> tuple[str, ...]:
    return datasets.DATASETS[name].class_names


def image_by_image(results: Results) -> HTML:
    """For the models of each original: the images that most of them lose."""
    parts = []
    for pair in study.pairs(results.runs):
        sides = _sides(results, pair)
        if sides is None:
            continue
        pieces = _hardest(results, pair, sides[1])
        summary = f"{results.label(pair[1])}, image by image, for models of {results.label(pair[0])}"
        parts.append(folded(summary, *pieces))
    return together(*parts) if parts else paragraphs([NO_PREDICTIONS])


def classes(results: Results) -> HTML:
    """For the models of each original: how much each class loses on each reproduction."""
    rows = []
    for pair in study.pairs(results.runs):
        sides = _sides(results, pair)
        if sides is None:
            continue
        gaps = _class_gaps(results, sides)
        names = _class_names(pair[0])
        order = sorted(gaps, key=lambda label: -gaps[label][0])
        worst = [f"{names[label]} {percent(*gaps[label])}" for label in order[:3]]
        least = [f"{names[label]} {percent(*gaps[label])}" for label in order[-1:]]
        rows.append(
            {
                "Tested on": results.label(pair[1]),
                "Models": f"{sides[0].families[0]}, trained on {results.label(pair[0])}",
                "Classes that lose most, points": "; ".join(worst),
                "Class that loses least": least[0],
            }
        )
    if not rows:
        return paragraphs([NO_PREDICTIONS])
    caption = f"Accuracy lost by class, for the first run of the first family, with {results.interval} (Newcombe)."
    return folded("By class", results.page.table("classes", pd.DataFrame(rows, dtype=object), caption))


def _class_gaps(results: Results, sides: Sides) -> dict[int, tuple[float, float, float]]:
    home, away = sides
    return shift.class_gaps(home.right[0], home.labels, away.right[0], away.labels, results.confidence)


def _hardest(results: Results, pair: tuple[str, str], away: study.Panel) -> list[HTML]:
    """The images on which most runs fail, if they are on this machine."""
    hardest = shift.most_lost(away.right, 16)
    if not len(hardest) or pair[1] not in datasets.available(results.data_dir):
        return []
    images = datasets.load_test(pair[1], results.data_dir).images[away.indices[hardest]]
    failures = (~away.right[:, hardest]).sum(axis=0)
    ax = shift_plots.hardest_gallery(
        images, away.labels[hardest], away.answers[:, hardest], failures, _class_names(pair[1])
    )
    caption = f"Images of {results.label(pair[1])} on which most runs trained on {results.label(pair[0])} fail: class, "
    caption += "→ most frequent answer, number of failures."
    alt = f"The {len(hardest)} images of {results.label(pair[1])} that most models get wrong."
    return [results.page.figure(f"hardest-{pair[1]}", ax, caption, alt)]


def class_gaps_of_pair(results: Results, pair: tuple[str, str]) -> Axes | HTML:
    """How much accuracy each class loses, for the first run on the original."""
    sides = _sides(results, pair)
    if sides is None:
        return paragraphs([NO_PREDICTIONS])
    overall = sides[0].right[0].mean() - sides[1].right[0].mean()
    return shift_plots.class_gaps(_class_gaps(results, sides), _class_names(pair[0]), overall)
