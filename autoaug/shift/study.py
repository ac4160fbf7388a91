"""From the table of runs to the statements: which runs belong together, and what they say of each reproduction."""

import dataclasses
import itertools
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from autoaug import datasets
from autoaug.recipes import check, require_known
from autoaug.runs import predictions
from autoaug.shift.contrasts import Cells, Sides, accuracies
from autoaug.shift.difficulty import FEWEST_JUDGES, WEAKER_JUDGES
from autoaug.shift.intervals import Estimate
from autoaug.shift.verdict import FEWEST_SEEDS, compare, said
from data_prep import synthetic

_ESTIMATES = ("gap_a", "gap_b", "home_a", "home_b", "home", "home_within", "home_a_within", "home_b_within")


@dataclasses.dataclass(frozen=True)
class Pair:
    """An original and its reproduction, with the answers of families of models that were trained on both.

    Only clean test images count: those that are not, pixel for pixel, among the training images of any model here.

    Args:
        reproduction, original: training sets.
        original_test: the test set of A's side.
        preset: of all runs.
        families: name → bool [runs, clean images] for each cell.
        labels: classes of A's and of B's clean test images.
        judges: margins or known difficulty, as `verdict.compare` takes them; None if nobody judged.
        judged_by: in words, who judged the images' difficulty; empty if nobody did.
        left_out: how many test images are not clean.
        train_size: of A's and of B's training set.
    """

    reproduction: str
    original: str
    original_test: str
    preset: str
    families: dict[str, Cells]
    labels: Sides
    judges: Sequence[Any] | None
    judged_by: str
    left_out: Sides
    train_size: Sides


def of_newest_data(runs: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The runs on the newest version of every data set: with the pixels and labels of the newest run on verified files.

    Args:
        runs: `runs.collect`'s table. Own sets count as verified: their source is a title, which may have brackets.

    Returns:
        The rows on these versions; and the ids of the runs that the other rows belong to, sorted.
    """
    kept = pd.Series(True, runs.index)
    for name, version in (("train_data", "train_sha256"), ("test_set", "test_sha256")):
        sources = runs[f"{name.partition('_')[0]}_source"].where(runs[name].isin(datasets.DATASETS), "")
        newest = runs.assign(verified=~sources.str.contains(r"\(|unverified")).sort_values(["verified", "started"])
        kept &= runs[version] == runs[name].map(newest.groupby(name)[version].last())
    return runs[kept], sorted(runs["run_id"][~kept].unique())


def pairs(runs: pd.DataFrame, judges: Sequence[str] = ()) -> list[Pair]:
    """Every original with each of its reproductions, for each preset whose runs were trained and tested on both.

    Args:
        runs: `runs.collect`'s table; of each data set, the version that the newest run read.
        judges: disjoint training sets whose models judge difficulty; empty: the catalogue's, or all without test part.

    Raises:
        RecordError: the predictions of a run are damaged.
    """
    check("judges", judges, list[str])
    runs, _ = of_newest_data(runs)
    if judges and len(set(judges)) < 2:
        raise ValueError(f"Expected judges, two training sets or more. Received: {judges}")
    for name in judges:
        require_known("judges", name, runs["train_data"].unique())
    found = [
        _pair(runs, original, reproduction, preset, judges)
        for reproduction, original in datasets.ORIGINALS.items()
        for preset in runs.loc[runs["train_data"] == reproduction, "preset"].drop_duplicates()
    ]
    return [pair for pair in found if pair]


def verdicts(of_pairs: Iterable[Pair], confidence: float) -> pd.DataFrame:
    """What is said of each pair: a row each, numbers as fractions, an interval's ends as `_low` and `_high`.

    Args:
        of_pairs: from `pairs`.
        confidence: of every interval.
    """
    return pd.DataFrame([_row(pair, confidence) for pair in of_pairs])


def _row(pair: Pair, confidence: float) -> dict[str, Any]:
    verdict = compare(pair.families, confidence, np.random.default_rng(0), pair.judges, pair.labels)
    counted = [name for name in pair.families if name not in verdict.left_out]
    cells = accuracies([pair.families[name] for name in counted], confidence)
    row: dict[str, Any] = {name: getattr(pair, name) for name in ("reproduction", "original", "original_test")}
    row |= {"preset": pair.preset, "said": said(verdict, pair.judged_by), "families": "; ".join(counted)}
    row |= {"chance": 1 / (pair.labels.a.max() + 1), "judged_by": pair.judged_by}
    bounds = ("gap_at_most", "home_at_most", "home_within_at_most")
    row |= {name: getattr(verdict, name) for name in ("harder", "different", "comparable", "few_seeds", *bounds)}
    for source, name in ((verdict, "runs"), (verdict, "images"), (pair, "left_out"), (pair, "train_size")):
        sides = getattr(source, name)
        row |= {f"{name}_a": sides.a, f"{name}_b": sides.b}
    for name, number in (cells._asdict() | {name: getattr(verdict, name) for name in _ESTIMATES}).items():
        value, low, high = number or Estimate(np.nan, np.nan, np.nan)
        row |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return row


def _pair(runs: pd.DataFrame, original: str, reproduction: str, preset: str, judges: Sequence[str]) -> Pair | None:
    """The Pair, or None without a family that was trained on both sets and tested on both, or without clean images."""
    spec = datasets.DATASETS.get(reproduction, datasets.Spec(""))
    original_test, named, judges = spec.original_test or original, judges, judges or spec.judges
    others = {name for one in datasets.DATASETS.values() for name in one.judges}  # they share images with JUDGES
    judges = judges or sorted(set(runs["train_data"]) - set(runs["test_set"]) - others)
    tests, trained_on = Sides(original_test, reproduction), (original, reproduction)
    columns = ["run_id", "folder", "family", "preset", "train_data", "train_size", "test_set"]
    both = runs.loc[runs["test_set"].isin(tests), columns].sort_values("run_id", kind="stable")
    both = both[both.groupby("run_id")["test_set"].transform("nunique") == 2]
    answers = {}
    for name, part in both[both["preset"] == preset].groupby("family", sort=False):
        trained = [_read(part[part["train_data"] == one], tests) for one in trained_on]
        if all(len(side.a) for side in trained):
            answers[name] = Cells(*trained[0], *trained[1])
    if not answers:
        return None
    judging, judged_by = _judges(both, tests, judges)
    if named and not judging:
        judged_by = f"of {', '.join(named)}, no two have {FEWEST_JUDGES} runs of one family with margins on both sets"
    models = Sides(
        [read for cells in answers.values() for read in (*cells.aa, *cells.ba)],
        [read for cells in answers.values() for read in (*cells.ab, *cells.bb)],
    )
    everybody = Sides(*(side + [read for one in judging for read in one[n]] for n, side in enumerate(models)))
    clean = Sides(*(~np.any([read.overlap for read in side], axis=0) for side in everybody))
    if not all(side.any() for side in clean):
        return None
    labels = Sides(*(side[0].labels for side in models))
    difficulty: Sequence[Any] | None = _margins(judging, clean) if judging else _drawn(tests, labels, clean)
    counted = [cells for cells in answers.values() if min(len(cells.aa), len(cells.ba)) >= FEWEST_SEEDS]
    own = [Sides(cells.aa, cells.ab) for cells in counted or answers.values()]
    if judging and (far := _right(judging, clean) - _right(own, clean)) < -WEAKER_JUDGES:
        difficulty, judged_by = None, f"{judged_by}: {-100 * far:.1f} points less accurate than A's models"
    return Pair(
        reproduction=reproduction,
        original=original,
        original_test=original_test,
        preset=preset,
        families={name: _cells(cells, clean) for name, cells in answers.items()},
        labels=Sides(*(side[kept].astype(int) for side, kept in zip(labels, clean, strict=True))),
        judges=difficulty,
        judged_by=judged_by if judging or difficulty is None else "known: each image was drawn with it",
        left_out=Sides(*(int((~side).sum()) for side in clean)),
        train_size=Sides(*(int(both.loc[both["train_data"] == one, "train_size"].max()) for one in trained_on)),
    )


def _read(rows: pd.DataFrame, tests: Sides) -> Sides:
    """Predictions of the rows' runs, a list for each test set, in the same order of runs."""
    folders = [pathlib.Path(folder) / "predictions" for folder in rows["folder"].unique()]
    return Sides(*([predictions.read(folder / f"{name}.npz") for folder in folders] for name in tests))


def _cells(cells: Cells, clean: Sides) -> Cells:
    """Whether each run is right about each clean image."""
    return Cells(*(np.array([read.right[clean[place % 2]] for read in cell]) for place, cell in enumerate(cells)))


def _judges(both: pd.DataFrame, tests: Sides, names: Sequence[str]) -> tuple[list[Sides], str]:
    """The two most accurate sources of one family with enough runs with margins, and who they are; else nothing."""
    everything, found = Sides(slice(None), slice(None)), []
    for family, of_family in both[both["train_data"].isin(names)].groupby("family", sort=False):
        sources = {}
        for name, part in of_family.groupby("train_data", sort=False):
            reads = zip(*_read(part, tests), strict=True)
            kept = [read for read in reads if all(one.margins is not None for one in read)]
            if len(kept) >= FEWEST_JUDGES:
                sources[str(name)] = Sides([on_a for on_a, _ in kept], [on_b for _, on_b in kept])
        for two in itertools.combinations(sorted(sources), 2):
            of_two = [sources[name] for name in two]
            found.append((_right(of_two, everything), f"{family}, trained on {' and '.join(two)}", of_two))
    _, who, judging = max(found, key=lambda one: one[0], default=(0, "", []))
    return judging, who


def _right(sources: Sequence[Sides], clean: Sides) -> float:
    """Mean accuracy on A's test images."""
    return float(np.mean([read.right[clean.a].mean() for source in sources for read in source.a]))


def _margins(sources: Sequence[Sides], clean: Sides) -> tuple[Sides, ...]:
    """Of the judges: for each source, float [runs, clean images] of A and of B."""
    return tuple(
        Sides(*(np.array([read.margins[kept] for read in side]) for side, kept in zip(source, clean, strict=True)))
        for source in sources
    )


def _drawn(tests: Sides, labels: Sides, clean: Sides) -> Sides | None:
    """The difficulty that drawn shapes were drawn with; None for others, and for shapes of another seed."""
    found = []
    for name, of_test, kept in zip(tests, labels, clean, strict=True):
        if name not in synthetic.SETS:
            return None
        drawn, latents = synthetic.latents(name, "test")
        if not np.array_equal(drawn, of_test):
            return None
        found.append(latents["difficulty"][kept])
    return Sides(*found)
