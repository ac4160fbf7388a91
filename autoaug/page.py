"""What the report says and shows: sentences, tables for the eye, and figures, as HTML.

Here fractions become percent. Text is escaped unless it is `markupsafe.Markup`, as links are.
"""

import base64
import io
import re
import urllib.parse

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import HTML
from markupsafe import Markup

NOTHING = (
    "No finished run yet. Train one with `papermill notebooks/train.ipynb -p model wrn`, "
    "or run the whole study with `make report`."
)


def figure(ax, caption, alt):
    """The Axes' figure as an HTML figure with a caption, and for those who cannot see it, a description."""
    file = io.BytesIO()
    with plt.rc_context({"svg.hashsalt": "autoaug"}):  # the same data, the same bytes
        ax.figure.savefig(file, format="svg", bbox_inches="tight", pad_inches=0.02, metadata={"Date": None})
    plt.close(ax.figure)
    source = "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode()
    image = Markup('<img src="{}" alt="{}">').format(source, alt)
    return HTML(Markup("<figure>{}<figcaption>{}</figcaption></figure>").format(image, caption))


def table(frame, caption):
    """A DataFrame of texts and numbers as an HTML table; its index is not shown."""
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(name) for name in frame.columns)
    rows = (Markup("").join(map(_cell, row)) for row in frame.itertuples(index=False))
    body = Markup("").join(Markup("<tr>{}</tr>\n").format(row) for row in rows)
    text = Markup(
        '<div class="table"><table><caption>{}</caption>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody></table></div>'
    )
    return HTML(text.format(caption, head, body))


def _cell(value):
    number = re.fullmatch(r"−?[\d,.]+( \[.*\]| s)?", str(value))  # with its interval or unit: never broken over lines
    return Markup('<td class="number">{}</td>' if number else "<td>{}</td>").format(value)


def percent(value, low=None, high=None):
    """`97.1` or, with its interval, `97.1 [96.8, 97.4]`: fractions in percent, to a tenth, with a proper minus."""
    texts = [f"{100 * number:.1f}".replace("-", "−") for number in (value, low, high) if number is not None]
    return texts[0] if low is None else f"{texts[0]} [{texts[1]}, {texts[2]}]"


def sort_of_run(run):
    """`quick`, `paper` or `imported`, of a row of `records.collect`'s table."""
    return "imported" if run.kind == "imported" else run.preset


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


def run_labels(runs):
    """A label for each row of `records.collect`'s table that no other run has, on two lines."""
    labels = pd.Series(
        [f"{run.model}, {sort_of_run(run)}, seed {run.seed}\ntrained on {run.train_data}" for run in runs.itertuples()],
        index=runs.index,
        dtype=object,
    )
    ambiguous = runs["run_id"].groupby(labels).transform("nunique") > 1
    return labels.where(~ambiguous, labels + " (" + runs["run_id"].str[-8:] + ")")


def headline(accuracies, gaps, confidence=0.95):
    """The numbers in a sentence: of one run, its accuracy on its own test set and its gaps to the others.

    The run is a paper or imported one before a quick one, and of these the most accurate on its own test set.

    Args:
        accuracies: from `shift.accuracy_table`, with the columns of `records.collect`.
        gaps: from `shift.gap_table`.
        confidence: of the intervals in both.
    """
    if accuracies.empty:
        return NOTHING
    own = accuracies[accuracies["test_set"] == accuracies["train_data"]]
    candidates = accuracies if own.empty else own
    order = candidates.assign(quick=[sort_of_run(run) == "quick" for run in candidates.itertuples()])
    lead = next(order.sort_values(["quick", "accuracy"], ascending=[True, False]).itertuples())
    interval = f"{percent(lead.accuracy)} % ({100 * confidence:g} % interval {_ends(lead)})"
    sentence = f"{lead.model}, trained on {lead.train_data} ({sort_of_run(lead)}), gets {interval}"
    sentence += f" of the {lead.test_set} test images right"
    lost = gaps[gaps["run_id"] == lead.run_id]
    if lost.empty:
        return sentence + "; there is no second test set to compare with yet."
    return sentence + ", " + ", ".join(_lost(gap) for gap in lost.itertuples()) + "."


def _ends(row, sign=1):
    low, high = sorted((sign * row.low, sign * row.high))
    return f"{percent(low)} to {percent(high)}"


def _lost(gap):
    """`40.0 points (37.5 to 42.5) fewer on harder`, or that the interval holds no loss and no gain apart."""
    if gap.low <= 0 <= gap.high:
        return f"about as many on {gap.test_set} ({_ends(gap, -1)} points)"
    word, sign = ("fewer", 1) if gap.gap > 0 else ("more", -1)
    return f"{percent(abs(gap.gap))} points ({_ends(gap, sign)}) {word} on {gap.test_set}"


def sorts_of_runs(runs):
    """What kind of runs the numbers come from, in a sentence or two; empty for no runs."""
    sorts = pd.Series([sort_of_run(run) for run in runs.drop_duplicates("run_id").itertuples()], dtype=object)
    meaning = {
        "paper": "the published recipe",
        "imported": "weights trained elsewhere, evaluated here",
        "quick": "the same architecture made small and trained briefly: not comparable with published accuracies",
    }
    counts = [(sorts.eq(sort).sum(), sort, text) for sort, text in meaning.items()]
    parts = [f"{count} {sort} {'run' if count == 1 else 'runs'} ({text})" for count, sort, text in counts if count]
    return f"Measured in {', '.join(parts)}." if parts else ""


def accuracy_rows(accuracies, published, confidence=0.95):
    """The headline table's texts: accuracies as measured, beside them what was published for that model and data.

    A quick run is another model, trained otherwise: nothing was published for it.

    Args:
        accuracies: as for `headline`.
        published: DataFrame of results/published/autoaugment-accuracies.csv.
        confidence: of the intervals in `accuracies`.
    """
    keys = ["model", "train_data", "test_set"]
    both = accuracies.merge(published.rename(columns={"accuracy": "published"}), how="left", on=keys)
    rows = [
        (
            run.model,
            run_link(run.run_id, sort_of_run(run)),
            run.seed,
            run.train_data,
            run.test_set,
            percent(run.accuracy, run.low, run.high),
            "" if pd.isna(run.published) or sort_of_run(run) == "quick" else percent(run.published),
            f"{run.overlap:,} of {run.overlap + run.total:,} left out" if run.overlap else "none",
        )
        for run in both.itertuples()
    ]
    interval = f"Accuracy, % [{100 * confidence:g} %]"
    names = ["Model", "Run", "Seed", "Trained on", "Tested on", interval, "Published, %", "Overlap"]
    return pd.DataFrame(rows, columns=names)


def gap_rows(gaps, confidence=0.95):
    """The gap table's texts, from `shift.gap_table`."""
    rows = [
        (
            gap.model,
            run_link(gap.run_id, sort_of_run(gap)),
            gap.seed,
            gap.train_data,
            gap.test_set,
            percent(gap.gap, gap.low, gap.high),
        )
        for gap in gaps.itertuples()
    ]
    names = ["Model", "Run", "Seed", "Trained and tested on", "Against", f"Gap, points [{100 * confidence:g} %]"]
    return pd.DataFrame(rows, columns=names)


def published_rows(accuracies, gaps):
    """Published models, the most accurate on CIFAR-10 first: a column per test set and, after them, per gap."""
    order = accuracies[accuracies["test_set"] == "cifar10"].sort_values("accuracy", ascending=False)["model"]
    columns = {"Model": order}
    for test_set, part in accuracies.groupby("test_set"):
        columns[f"{test_set}, %"] = _intervals(part, "accuracy", order)
    for test_set, part in gaps.groupby("test_set"):
        columns[f"Gap to {test_set}"] = _intervals(part, "gap", order)
    return pd.DataFrame(columns)


def _intervals(part, value, order):
    """Texts `value [low, high]` of a model each, in the order of the models."""
    part = part.set_index("model").loc[order]
    return [percent(*numbers) for numbers in part[[value, "low", "high"]].itertuples(index=False)]


def run_link(run_id, text):
    """A link from results/report/index.html to the run's folder."""
    return Markup('<a href="../runs/{}/">{}</a>').format(urllib.parse.quote(run_id), text)
