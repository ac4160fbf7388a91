"""What the report is made from: the finished runs, their accuracies, and the statements on each pair of data sets."""

import dataclasses
import functools
import pathlib
from typing import Any

import numpy as np
import pandas as pd

from autoaug import datasets, shift
from autoaug.datasets import title
from autoaug.report import names
from autoaug.report.page import Page
from autoaug.runs import collect
from autoaug.shift import study
from autoaug.shift.contrasts import Cells, Stratum, contrasts
from autoaug.shift.intervals import stream
from autoaug.shift.verdict import Verdict, compare

NOTHING_COMPARED = "A comparison needs models trained on an original and on its reproduction, and tested on both."


@dataclasses.dataclass(frozen=True)
class Pair:
    """An original A and its reproduction B, and the statements on them.

    Args:
        comparison: the models' answers, with the names of both sets and the preset of the runs.
        verdict: of all families of models that have enough seeds.
        alone: name of each family of models → its own verdict.
        cells: the four accuracies behind `verdict`, each with its interval over images and seeds.
    """

    comparison: study.Comparison
    verdict: Verdict
    alone: dict[str, Verdict]
    cells: Cells

    @property
    def name(self) -> str:
        """Name of the reproduction in the code."""
        return self.comparison.reproduction

    @property
    def names(self) -> tuple[str, str, str]:
        """The names that identify the pair, and key the random streams of its statements."""
        return self.comparison.original, self.comparison.reproduction, self.comparison.preset

    @property
    def truth(self) -> datasets.Truth | None:
        """The known truth, for a reproduction that was made to have one."""
        return datasets.KNOWN_TRUTH.get(self.name)

    @property
    def families(self) -> list[Cells]:
        """The answers of the families behind `verdict`."""
        enough = [name for name, said in self.alone.items() if not said.few_seeds]
        return [self.comparison.families[name] for name in enough or self.alone]


@dataclasses.dataclass(frozen=True)
class Results:
    """Runs and statements, loaded once; the sections of the report read them.

    Args:
        runs: `runs.collect`'s table of the runs that are counted, with the columns `preset` and `family`.
        on_other_data: ids of runs that are left out because they read other versions of the data.
        results_dir, measured_dir, data_dir, published_dir: folders that `load` was given; measured_dir may be None.
        confidence: of every interval.
        seed: of every random stream.
    """

    runs: pd.DataFrame
    on_other_data: list[str]
    results_dir: pathlib.Path
    measured_dir: pathlib.Path | None
    data_dir: pathlib.Path
    published_dir: pathlib.Path
    confidence: float
    seed: int

    @property
    def interval(self) -> str:
        """Name of the intervals, for captions."""
        return f"{100 * self.confidence:g} % intervals"

    @functools.cached_property
    def page(self) -> Page:
        """Where figures and tables are written."""
        return Page(self.results_dir / "report")

    @functools.cached_property
    def labels(self) -> dict[str, str]:
        """Name of each data set → its name for readers, with a remark on its source."""
        return names.data_labels(self.runs)

    @functools.cached_property
    def accuracies(self) -> pd.DataFrame:
        """A row per run and test set, in the order of the data sets, as `shift.accuracy_table`."""
        place = {name: number for number, name in enumerate(datasets.DATASETS)}
        counts = shift.clean_counts(self.runs).sort_values(
            ["preset", "family", "train_data", "seed", "run_id", "test_set"],
            key=lambda column: column.map(place) if column.name in ("train_data", "test_set") else column,
            ignore_index=True,
        )
        return shift.accuracy_table(counts, self.confidence)

    @functools.cached_property
    def means(self) -> pd.DataFrame:
        """The same, with one row for all seeds of a family."""
        return shift.accuracy_table(study.mean_over_seeds(self.accuracies), self.confidence)

    @functools.cached_property
    def pairs(self) -> list[Pair]:
        """Every pair of data sets with models trained on both: reproductions of CIFAR-10 first, then known truth."""
        pairs = [self._pair(comparison) for comparison in study.comparisons(self.runs)]
        return sorted(pairs, key=lambda pair: (pair.truth is not None, names.group(pair.name) != "Photographs"))

    def _pair(self, comparison: study.Comparison) -> Pair:
        """The statements about two data sets, each from its own random stream."""
        families = comparison.families
        of_pair = (comparison.original, comparison.reproduction, comparison.preset)
        verdict = compare(list(families.values()), self.confidence, self.rng("verdict", *of_pair))
        alone = {
            name: compare([cells], self.confidence, self.rng("verdict", *of_pair, name))
            for name, cells in families.items()
        }
        pair = Pair(comparison, verdict, alone, verdict.accuracies)
        one_cell = [Cells(*row) for row in np.eye(4)]
        strata, rng = [Stratum(pair.families)], self.rng("accuracies", *pair.names)
        cells = Cells(*contrasts(strata, one_cell, self.confidence, rng, 2_000))
        return dataclasses.replace(pair, cells=cells)

    def label(self, name: str) -> str:
        """A data set's name for readers."""
        return self.labels.get(name) or title(name)

    @property
    def folders(self) -> list[pathlib.Path]:
        """Folders of results; where two hold the same file, the first counts."""
        return [self.results_dir, *([self.measured_dir] if self.measured_dir else [])]

    def rng(self, *statement: str) -> np.random.Generator:
        """The random stream of one statement, keyed by its names, so that other statements do not change it."""
        return stream(self.seed, *statement)


def load(
    results_dir: str, data_dir: str, published_dir: str, confidence: float, seed: int, measured_dir: str = ""
) -> Results:
    """The finished runs under `results_dir`, and under `measured_dir` if one is given.

    Raises:
        runs.RecordError: a folder does not exist.
    """
    folders = [folder for folder in (results_dir, measured_dir) if folder]
    pathlib.Path(results_dir).mkdir(parents=True, exist_ok=True)
    runs, on_other_data = study.of_newest_data(collect(*folders))
    return Results(
        runs=study.named(runs),
        on_other_data=on_other_data,
        results_dir=pathlib.Path(results_dir),
        measured_dir=pathlib.Path(measured_dir) if measured_dir else None,
        data_dir=pathlib.Path(data_dir),
        published_dir=pathlib.Path(published_dir),
        confidence=confidence,
        seed=seed,
    )


def rows(table: pd.DataFrame) -> list[Any]:
    """The rows of a table, whose columns are attributes."""
    return list(table.itertuples())
