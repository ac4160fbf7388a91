"""Harder, or different? Two statements about the order of the four accuracies of models trained and tested on A and B.

With AA, AB, BA, BB the accuracies (first letter: trained on; second: tested on), B is

    harder     if every model does worse on it, wherever it was raised: AA − AB > 0 and BA − BB > 0
    different  if every model is better at home than a visitor:         AA − BA > 0 and BB − AB > 0

Both hold on every scale that keeps the order of accuracies (Loftus, Memory & Cognition 6 (1978), 312–319; Wagenmakers,
Krypotos, Criss & Iverson, Memory & Cognition 40 (2012), 145–160). A stronger or weaker training set moves both
accuracies of its models; it can hide a statement, it cannot make one. What the statements cannot see: labels that are
wrong and a class prior that favours hard classes make a set harder; traces that do no harm make it different; so does
specialising in hard images, which `strata` looks for.
"""

import dataclasses
import enum
import itertools
from collections.abc import Sequence

import numpy as np

from autoaug.shift.contrasts import Cells, Sides, Stratum, contrasts, mean_accuracies, require_families, sizes
from autoaug.shift.intervals import Estimate, require_confidence

FEWEST_SEEDS = 3  # of a family on each side, for a statement
_DIFFERENCES = {
    "gap_a": Cells(1, -1, 0, 0),
    "gap_b": Cells(0, 0, 1, -1),
    "home_a": Cells(1, 0, -1, 0),
    "home_b": Cells(0, -1, 0, 1),
}


class Outcome(enum.Flag):
    """What is said of B. One of the first pair may be said with one of the second: `Outcome.HARDER in outcome`."""

    NEITHER = 0
    HARDER = enum.auto()
    EASIER = enum.auto()  # every model does better on B
    DIFFERENT = enum.auto()
    HOME_DISADVANTAGE = enum.auto()  # every model is worse at home than a visitor
    COVERS_MORE = enum.auto()  # A's models lose on B, B's models on neither
    COVERS_LESS = enum.auto()  # B's models lose on A, A's models on neither


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The four differences with their intervals, fractions in [−1, 1], and what follows from them.

    `gap_a` is AA − AB, `gap_b` BA − BB, `home_a` AA − BA, `home_b` BB − AB. `accuracies` are means over `families`
    families of `runs.a` models trained on A and `runs.b` trained on B; `images` are the numbers of test images.
    `few_seeds`: no family has three seeds on each side, so the intervals do not hold the chance in training, and no
    statement is made. Otherwise families with fewer are not among these; there were `left_out` of them.
    """

    gap_a: Estimate
    gap_b: Estimate
    home_a: Estimate
    home_b: Estimate
    accuracies: Cells
    images: Sides
    runs: Sides
    families: int
    left_out: int
    few_seeds: bool

    @property
    def harder(self) -> bool:
        """Whether it is shown that every model does worse on B."""
        return bool(self.outcome and Outcome.HARDER in self.outcome)

    @property
    def different(self) -> bool:
        """Whether it is shown that every model is better at home than a visitor."""
        return bool(self.outcome and Outcome.DIFFERENT in self.outcome)

    @property
    def outcome(self) -> Outcome | None:
        """What is said of B; None where there are too few seeds to say anything."""
        if self.few_seeds:
            return None
        outcome = Outcome.NEITHER
        for (one, other), positive, negative in (
            ((self.gap_a, self.gap_b), Outcome.HARDER, Outcome.EASIER),
            ((self.home_a, self.home_b), Outcome.DIFFERENT, Outcome.HOME_DISADVANTAGE),
        ):
            if one.low > 0 and other.low > 0:
                outcome |= positive
            if one.high < 0 and other.high < 0:
                outcome |= negative
        if _covers_more(self.gap_a, self.home_b, losses=(self.gap_b, self.home_a)):
            outcome |= Outcome.COVERS_MORE
        if _covers_more(_mirrored(self.gap_b), self.home_a, losses=(_mirrored(self.gap_a), self.home_b)):
            outcome |= Outcome.COVERS_LESS
        return outcome

    @property
    def in_the_way(self) -> tuple[str, ...]:
        """Names of the differences that are not shown to be above zero: what "harder" and "different" lack."""
        return tuple(name for name in _DIFFERENCES if not getattr(self, name).low > 0)


def compare(families: Sequence[Cells], confidence: float, rng: np.random.Generator, replicates: int = 2_000) -> Verdict:
    """Whether B is harder than A, different, both or neither, from the right answers of families of models.

    Each statement needs two intervals above zero at once. This is an intersection–union test: a statement that is
    false is made with a chance of at most (1 − confidence) / 2, without a correction for its two looks (Berger,
    Technometrics 24 (1982), 295–300).

    Args:
        families: each (aa, ab, ba, bb), bool [runs, images], whether a run trained on the set of the first letter is
            right about an image of the second; see `Cells`. Of one family, this is the family's own verdict.
        confidence: of the intervals of the four differences, in (0, 1).
        rng: numpy.random.Generator.
        replicates: draws of images and seeds.

    Returns:
        Verdict. Only families with at least three seeds on each side are pooled; if there is none, it is marked
        `few_seeds`, holds the differences of all families, and makes no statement.

    Raises:
        ValueError: an array is not bool, empty, or does not fit the others; confidence out of range.
    """
    require_families(families)
    return judge([Stratum([Cells(*family) for family in families])], confidence, rng, replicates)


def judge(strata: Sequence[Stratum], confidence: float, rng: np.random.Generator, replicates: int) -> Verdict:
    """The Verdict of the same families on strata of test images, put together with the weights of the strata."""
    require_confidence(confidence)
    families = strata[0].families
    enough = [min(len(family.aa), len(family.ba)) >= FEWEST_SEEDS for family in families]
    chosen = enough if any(enough) else [True] * len(families)
    pooled = [Stratum(list(itertools.compress(stratum.families, chosen)), stratum.weight) for stratum in strata]
    differences = contrasts(pooled, list(_DIFFERENCES.values()), confidence, rng, replicates)
    by_stratum = [sizes(stratum.families) for stratum in pooled]
    return Verdict(
        **dict(zip(_DIFFERENCES, differences, strict=True)),
        accuracies=mean_accuracies(pooled),
        images=Sides(*np.sum([images for images, _ in by_stratum], axis=0).tolist()),
        runs=by_stratum[0][1],
        families=sum(chosen),
        left_out=len(families) - sum(chosen),
        few_seeds=not any(enough),
    )


def _covers_more(gap, gain, losses):
    """Whether A's models lose on B, what B's models gain there over A's is shown, and B's models lose on neither.

    That nothing is lost cannot be shown by an interval that holds zero, since a wide one always does. So, at most, B's
    models may lose less than A's models lose at least.
    """
    return gap.low > 0 and gain.low > 0 and all(loss.low <= 0 and loss.high < gap.low for loss in losses)


def _mirrored(difference):
    """The difference with its sign turned."""
    return Estimate(-difference.value, -difference.high, -difference.low)
