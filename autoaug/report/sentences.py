"""The report's words that depend on numbers: the first lines, what is said of each pair, and what is missing."""

import textwrap
from typing import Any

import pandas as pd
from IPython.display import HTML
from markupsafe import Markup

from autoaug import datasets
from autoaug.report.show import percent
from autoaug.report.tables import SHAPES, plain, title
from autoaug.shift import study
from autoaug.shift.verdict import NEGLIGIBLE
from data_prep.drawing import MIXED

REAL, KNOWN = "reproductions", "photographs whose answer is known"
"""Groups of pairs, with SHAPES the third."""

_SECTION = "Pair-by-pair"
_JUDGED = ("wrong", "missed", "open")


def statements(verdicts: pd.DataFrame) -> pd.DataFrame:
    """`shift.study.verdicts`' table with the words for readers.

    Returns:
        The rows, real reproductions first, with the columns `pair`, `heading` (of a picture), `said`; and for sets of
        known truth `expected` and `judged`, else empty.
    """
    if verdicts.empty:
        return pd.DataFrame(columns=["group", "reproduction", "heading", "judged"])
    names = verdicts["reproduction"]
    truths = [datasets.KNOWN_TRUTH.get(name) for name in names]
    frame = verdicts.assign(
        group=[SHAPES if n in datasets.EMBEDDED else KNOWN if n in datasets.KNOWN_TRUTH else REAL for n in names],
        pair=[f"{plain(b)} against {plain(a)}" for a, b in verdicts[["original", "reproduction"]].to_numpy()],
        models=verdicts["families"].where(verdicts["preset"] == "imported", ""),
        expected=["" if truth is None else expected(truth) for truth in truths],
        judged=[
            "" if truth is None else judged(truth, row.harder, row.different, row.said)
            for truth, row in zip(truths, verdicts.itertuples(), strict=True)
        ],
    )
    frame["heading"] = [_heading(row) for row in frame.itertuples()]
    return frame.sort_values("group", key=lambda column: column.map((REAL, KNOWN, SHAPES).index), kind="stable")


def table(stated: pd.DataFrame) -> pd.DataFrame:
    """The columns of `statements` that readers see."""
    if stated.empty:
        return stated
    numbers = [f"{name}{end}" for name in ("gap_a", "gap_b", "home", "home_within") for end in ("", "_low", "_high")]
    sides = ["runs", "images", "left_out"]
    counts = {name: [f"{a:,} + {b:,}" for a, b in stated[[f"{name}_a", f"{name}_b"]].to_numpy()] for name in sides}
    columns = ["group", "pair", "said", "expected", "judged", *numbers, "families", *sides, "judged_by"]
    return stated.assign(**counts)[columns]


def expected(truth: datasets.Truth) -> str:
    """What must come out for a reproduction of known truth, in a few words."""
    parts = (("harder", truth.harder), ("different", truth.different))
    text = " and ".join(word for word, holds in parts if holds) or "neither"
    left_open = " and ".join(word for word, holds in parts if holds is None)
    return f"{text} ({left_open} is left open)" if left_open else text


def judged(truth: datasets.Truth, harder: Any, different: Any, said: str) -> str:
    """`wrong` if something false is said, `missed` if not all is shown, `open` or `right`, as far as known."""
    found = []
    for word, must, shown in (("harder", truth.harder, harder), ("different", truth.different, different)):
        if must is not None and shown != must:
            is_false = f"not {word} by more" in said if must else shown
            found.append("open" if pd.isna(shown) else "wrong" if is_false else "missed")
    return next((word for word in _JUDGED if word in found), "right")


def in_short(harder: Any, different: Any) -> str:
    """What is shown, in a few words; `said` has more."""
    if pd.isna(harder):
        return "too few seeds"
    words = [word for word, holds in (("harder", harder), ("different", different)) if not pd.isna(holds) and holds]
    text = " and ".join(words) or "neither is shown"
    return f"{text}; not separated from difficulty" if pd.isna(different) else text


def _heading(row: Any) -> str:
    """Title of a pair's picture."""
    short = in_short(row.harder, row.different)
    lines = [_named(row), f"said: {short}"]
    if row.expected:
        lines[1:] = [f"expected: {row.expected}", f"said: {short} ({row.judged})"]
    return "\n".join(textwrap.fill(line, 42) for line in lines)


def _named(row: Any) -> str:
    """The reproduction, and the models if they were trained elsewhere: they have a statement of their own."""
    return f"{title(row.reproduction)}, {row.models}" if row.models else title(row.reproduction)


def answer(stated: pd.DataFrame, of_public: str, runs: pd.DataFrame) -> HTML:
    """The first lines: CIFAR-10.2 from public numbers, each real pair measured here, known truth; what is missing last.

    Args:
        stated: of `statements`.
        of_public: `shift.published.said`, the answer for CIFAR-10.2.
        runs: of `autoaug.runs.collect`.
    """
    said = [("CIFAR-10.2, from public numbers", "CIFAR-10.1-and-CIFAR-10.2,-from-public-numbers", _sentence(of_public))]
    real = stated[stated["group"] == REAL]
    said += [(f"{_named(row)}, measured here", _SECTION, measured(row)) for row in real.itertuples()]
    if len(stated) > len(real):
        said.append(("Where the answer is known", _SECTION, known_truth(stated)))
    form = Markup('<div><dt><a href="#{}">{}</a></dt><dd><strong>{}{}</strong>{}</dd></div>')
    items = [form.format(section, head, *text.partition(". ")) for head, section, text in said]
    commands = missing(stated, runs)
    block = Markup("<p>What is missing, and how to get it:</p><pre>{}</pre>").format("\n".join(commands))
    return HTML(Markup('<dl class="answer">{}</dl>{}').format(Markup("").join(items), block if commands else ""))


def measured(row: Any) -> str:
    """The line on a real pair: what is said, and the numbers behind it."""
    names = [plain(name) for name in (row.original, row.reproduction)]
    short = [name.partition(" (")[0] for name in names]  # without their sizes
    a, b = short if len(set(short)) == 2 else names
    gaps = f"On {b}, models of {a} lose {_points(row, 'gap_a')} points, and its own models {_points(row, 'gap_b')}"
    gaps += f" (at most {percent(row.gap_at_most)}, by the one-sided bound)" if row.gap_at_most < NEGLIGIBLE else ""
    sizes = (row.train_size_a, row.train_size_b)
    size = f" Part of this may be size: they trained on {sizes[0]:,} and {sizes[1]:,} images."
    home = f"On images of the kind that they were trained on, models are {_points(row, 'home')} points better: "
    parts = [(_points(row, f"home_a{kind}"), _points(row, f"home_b{kind}")) for kind in ("", "_within")]
    sides = [f"{on_a} on those of {a}, and {on_b} on those of {b}" for on_a, on_b in parts]
    alike = f". Among images of one class and like difficulty it is {_points(row, 'home_within')}: {sides[1]}"
    home += sides[0] + (alike if pd.notna(row.home_within) and row.comparable else "")
    weak = f" Models that are right on {percent(row.aa)} % say little: {percent(row.chance)} % is chance."
    notes = size if max(sizes) > 1.1 * min(sizes) else ""
    notes += " The intervals leave out the chance in training of a side with one run." if row.few_seeds else ""
    notes += weak if row.aa - row.chance < min(row.chance, (1 - row.chance) / 9) else ""
    return f"{_sentence(row.said)} {gaps}. {home}.{notes}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _points(row: Any, name: str) -> str:
    return percent(getattr(row, name), getattr(row, f"{name}_low"), getattr(row, f"{name}_high"))


def known_truth(stated: pd.DataFrame) -> str:
    """How often the method is right where the answer is known; what is wrong is named."""
    known = stated[stated["group"] != REAL]
    texts = []
    for group, part in known.groupby("group", sort=False):
        undecided = sum("undecided" in said for said in part["said"])
        count = {**part["judged"].value_counts(), "undecided in part": undecided}
        others = [f"{word} on {count[word]}" for word in (*_JUDGED, "undecided in part") if count.get(word)]
        found = ", ".join([f"as expected on {count.get('right', 0)} of {len(part)}", *others])
        texts.append(f"{group[0].upper()}{group[1:]}: {found}.")
    for row in known[known["judged"] == "wrong"].itertuples():
        texts.append(f"Wrong on “{plain(row.reproduction)}”: {row.said}. True is {row.expected}.")
    if "open" in set(known["judged"]):
        texts.append("Open: too few seeds, or a home advantage that nothing has separated from difficulty.")
    return " ".join(texts)


def missing(stated: pd.DataFrame, runs: pd.DataFrame) -> list[str]:
    """Commands, with a comment each, that make what the first lines lack."""
    commands = []
    real = stated[stated["group"] == REAL]
    if not len(real) or "cifar105" not in set(real["reproduction"]):
        what = "# CIFAR-10.2 itself, with models trained on sets of one size"
        commands += [what, "make study STUDY=notebooks/cifar10.2.yml"]
    for row in real.itertuples():
        if row.few_seeds:
            commands += [f"# {row.pair}: three seeds on each side"]
        elif pd.isna(row.different) and pd.isna(row.comparable):
            needed = f"judges, at most 2 points less accurate than the models of {plain(row.original)}"
            too_weak = f" ({row.judged_by}; train them with the recipe of those)" if row.judged_by else ""
            commands.append(f"# {row.pair}: whether this is difficulty alone needs {needed}{too_weak}")
            family = getattr(datasets.DATASETS.get(row.original), "family", "")
            if family == "cifar10" and not too_weak and row.reproduction not in MIXED:  # which hold judges' images
                commands += [line for line in judges(row.preset) if line not in commands]
    trained = runs[(runs["train_sha256"] != "") & ~runs["train_data"].isin(stated["reproduction"])]
    for name in trained["train_data"].unique():
        if name not in datasets.TITLES:
            commands.append(f"# {name} is not in data_dir, so no statement compares its models")
        elif name in datasets.ORIGINALS.keys() - {"cifar105"}:
            both = f"models of one recipe, trained on it and on {datasets.ORIGINALS[name]}, all tested on both"
            commands.append(f"# {plain(name)} is not compared: it needs {both}")
    _, older = study.of_newest_data(runs)
    if older:
        commands.append(f"# left out, since their images are not those of the newest run: {', '.join(older)}")
    unreadable = [f"# left out, since it cannot be read: {message}" for _, message in runs.attrs.get("unreadable", [])]
    return [" ".join(line.split()) for line in commands + unreadable]  # a comment stays one line


def judges(preset: str) -> list[str]:
    """The commands that train the runs that judge the difficulty for models of a preset."""
    build = f"papermill notebooks/build_datasets.ipynb -y '{{sets: [{', '.join(datasets.JUDGES)}]}}'"
    train = f"papermill notebooks/train.ipynb -p preset {'paper' if preset == 'paper' else 'small'}"
    return [build, *(f"{train} -p train_data {name} -p seed {seed}" for name in datasets.JUDGES for seed in range(3))]
