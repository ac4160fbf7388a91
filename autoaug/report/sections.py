"""The main sections of the report: the answer, its picture, the accuracies, the statements.

Each function takes the `Results` and returns the output of a notebook's cell.
"""

import datetime
import itertools

import pandas as pd
from IPython.display import HTML
from markupsafe import Markup
from matplotlib.axes import Axes

from autoaug.plots import data_look
from autoaug.plots import shift as shift_plots
from autoaug.report import names, sentences, tables
from autoaug.report.page import estimate, folded, paragraphs, table, together
from autoaug.report.provenance import code_text
from autoaug.report.results import NOTHING_COMPARED, Pair, Results
from autoaug.runs.record import code_version
from autoaug.shift.verdict import Verdict


def masthead() -> HTML:
    """When and by which code the report was made, and how to cite it."""
    today, code = datetime.datetime.now(datetime.UTC), code_text(code_version()[0])
    made = f"{today.day} {today:%B %Y}. Made by autoaug {code}."
    cite = f"To cite: “Harder, or different?”, report of autoaug {code}, {today:%Y-%m-%d}."
    return paragraphs([f"{made} {cite}"], "masthead")


def answer(results: Results) -> HTML:
    """The first paragraphs: what published models lose, what was measured here, how the method does on known truth."""
    counts = pd.read_csv(results.published_dir / "cifar10.1-counts.csv")
    lines = pd.read_csv(results.published_dir / "lines.csv")
    if results.runs.empty:
        return paragraphs([sentences.published(counts, lines), sentences.NOTHING], "answer")
    said = [sentences.published(counts, lines), sentences.measured(results), sentences.known_truth(results)]
    first = sentences.FIRST_RESULT if any(pair.name == "synthetic10_harder" for pair in results.pairs) else ""
    presets = names.presets_of_runs(results.runs)
    return together(paragraphs(said, "answer"), paragraphs([f"{first} {presets}".strip()]))


def picture(results: Results) -> HTML:
    """The answer as a picture: the four accuracies of every pair."""
    if not results.pairs:
        return paragraphs([NOTHING_COMPARED])
    panels = [shift_plots.Panel(_panel_title(pair, results), pair.cells, _looks(pair)) for pair in results.pairs]
    caption = (
        f"The four accuracies of each pair, with {results.interval}. If both lines fall, B is harder: every model is "
        "worse on B. If they cross, and each test set is best for the models of its own data set, B is different. "
        "Blue: models trained on the original A. The other colour: models trained on the reproduction B."
    )
    alt = "; ".join(sentences.finding(pair, results) for pair in results.pairs)
    return results.page.figure("answer", shift_plots.all_two_by_two(panels), caption, alt)


def _panel_title(pair: Pair, results: Results) -> str:
    truth = f"\ntruth: {sentences.truth_text(pair.truth)}" if pair.truth else "\n"
    answer = sentences.outcome_text(pair.verdict)
    return f"{results.label(pair.name)} ({pair.comparison.preset})\nanswer: {answer}{truth}"


def _looks(pair: Pair) -> tuple[dict, dict]:
    return data_look(pair.comparison.original), data_look(pair.name)


def matrices(results: Results) -> HTML:
    """A table of accuracies for each family of models: a row for each training set, a column for each test set."""
    parts = []
    means = results.means.assign(group=results.means["train_data"].map(names.group))
    for group, preset in itertools.product(sorted(set(means["group"]), reverse=True), names.PRESETS):
        for family, part in means[(means["group"] == group) & (means["preset"] == preset)].groupby(
            "family", sort=False
        ):
            note = " *: without the test images that are among the training images." if part["overlap"].any() else ""
            caption = (
                f"{family} ({preset}). {group}. Mean accuracy of the seeds in %, with exact {results.interval} for one "
                f"model of this accuracy. Bold: the models' own test set.{note}"
            )
            name, data = f"accuracy-{family}-{preset}-{group}".lower(), part.drop(columns=["seeds", "group"])
            parts.append(results.page.table(name, tables.matrix_rows(part, results), caption, data, look="matrix"))
    published = pd.read_csv(results.published_dir / "autoaugment-accuracies.csv")
    if len(beside := tables.published_beside(results.means, published, results)):
        caption = "Measured accuracies beside those that others reported for the same recipe."
        parts.append(results.page.table("measured-and-published", beside, caption))
    return together(*parts) if parts else paragraphs([sentences.NOTHING])


def statements(results: Results) -> HTML:
    """The answer for each pair, the four differences, and what is not shown; each family alone, folded."""
    if not results.pairs:
        return paragraphs([NOTHING_COMPARED])
    caption = (
        f"The answer for each reproduction B, and the four differences in percentage points, with {results.interval} "
        "over images and seeds. Harder: AA − AB and BA − BB are above zero. Different: AA − BA and BB − AB are above "
        "zero."
    )
    by_family = "The same for each family of models. A family makes no statement with fewer than three seeds on a side."
    pooled = pd.DataFrame([_statement(pair, results) for pair in results.pairs], dtype=object)
    alone = pd.DataFrame(
        [_family_statement(pair, name, results) for pair in results.pairs for name in pair.alone], dtype=object
    )
    return together(
        results.page.table("statements", pooled, caption, tables.statement_numbers(results.pairs), look="matrix"),
        folded(
            "Each family of models alone", results.page.table("statements-by-family", alone, by_family, look="matrix")
        ),
    )


def _statement(pair: Pair, results: Results) -> dict[str, object]:
    said, comparison = pair.verdict, pair.comparison
    families = "1 family" if said.families == 1 else f"{said.families} families"
    left_out = f"; {said.left_out} left out for too few seeds" if said.left_out else ""
    row: dict[str, object] = {
        "B, against A": f"{results.label(pair.name)}, against {results.label(comparison.original)}",
        "Models": f"{comparison.preset}: {families}, {said.runs.a} + {said.runs.b} runs{left_out}",
        "Answer": Markup("<strong>{}</strong>").format(sentences.outcome_text(said)),
    }
    if any(other.truth for other in results.pairs):
        row["Truth"] = sentences.truth_text(pair.truth) if pair.truth else ""
    return row | _differences(said) | {"Not shown": sentences.in_the_way(said)}


def _family_statement(pair: Pair, family: str, results: Results) -> dict[str, object]:
    said = pair.alone[family]
    row: dict[str, object] = {
        "B": results.label(pair.name),
        "Models": f"{family} ({pair.comparison.preset}), {said.runs.a} + {said.runs.b} runs",
        "Answer": sentences.outcome_text(said),
    }
    return row | _differences(said)


def _differences(said: Verdict) -> dict[str, object]:
    return {text: estimate(getattr(said, name)) for name, text in sentences.DIFFERENCES.items()}


def find_pair(results: Results, pair: tuple[str, str]) -> Pair | None:
    """The pair of these two data sets; None if no models were trained on both and tested on both."""
    for other in results.pairs:
        if (other.comparison.original, other.comparison.reproduction) == pair:
            return other
    return None


def table_of_pair(results: Results, pair: tuple[str, str]) -> HTML:
    """The four differences of one pair, for each family of models."""
    chosen = find_pair(results, pair)
    if chosen is None:
        return paragraphs([NOTHING_COMPARED])
    rows = [_statement(chosen, results), *(_family_statement(chosen, name, results) for name in chosen.alone)]
    return table(pd.DataFrame(rows, dtype=object).fillna(""), sentences.finding(chosen, results))


def slopes_of_pair(results: Results, pair: tuple[str, str]) -> Axes | HTML:
    """The four accuracies of one pair as slopes."""
    chosen = find_pair(results, pair)
    return shift_plots.two_by_two(chosen.cells, _looks(chosen)) if chosen else paragraphs([NOTHING_COMPARED])
