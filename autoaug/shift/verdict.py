"""Harder, or different? Two statements about the order of the four accuracies of models trained and tested on A and B.

AA, AB, BA, BB are the accuracies (first letter: training set; second letter: test set). B is

    harder     if every model does worse on B, whichever set it was trained on:   AA − AB > 0 and BA − BB > 0
    different  if each test set is best for the models of its own training set:   AA − BA > 0 and BB − AB > 0

Both hold on every scale that keeps the order of accuracies (Loftus, Memory & Cognition 6 (1978), 312–319; Wagenmakers,
Krypotos, Criss & Iverson, Memory & Cognition 40 (2012), 145–160). A stronger or weaker training set moves both
accuracies of its models; this can hide a statement, but cannot create one. The statements do not see causes. Wrong
labels and more images of hard classes make a set harder. Harmless traces make it different, and so does specialising in
hard images, for which `strata` looks.
"""

import dataclasses
import enum
import itertools
from collections.abc import Sequence

import numpy as np

from autoaug.shift.contrasts import Cells, Sides, Stratum, contrasts, mean_accuracies, require_families, sizes
from autoaug.shift.intervals import Estimate, require_confidence

FEWEST_SEEDS = 3  # that a family needs on each side
_DIFFERENCES = {
    "gap_a": Cells(1, -1, 0, 0),
    "gap_b": Cells(0, 0, 1, -1),
    "home_a": Cells(1, 0, -1, 0),
    "home_b": Cells(0, -1, 0, 1),
}


class Outcome(enum.Flag):
    """The answer for B: flags, which can be combined. Test them as in `Outcome.HARDER in outcome`."""

    NEITHER = 0
    HARDER = enum.auto()
    EASIER = enum.auto()  # every model does better on B
    DIFFERENT = enum.auto()
    HOME_DISADVANTAGE = enum.auto()  # each test set is worst for the models of its own training set
    COVERS_MORE = enum.auto()  # A's models lose on B, B's models lose on neither
    COVERS_LESS = enum.auto()  # B's models lose on A, A's models lose on neither


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The four differences with their intervals, fractions in [−1, 1], and the statements that follow from them.

    `gap_a` is AA − AB, `gap_b` BA − BB, `home_a` AA − BA, `home_b` BB − AB. `accuracies` are means over `families`
    families, with `runs.a` models trained on A and `runs.b` trained on B; `images` are the numbers of test images.
    `few_seeds`: no family has three seeds on each side, so the intervals do not include the chance in training, and no
    statement is made. Otherwise, the `left_out` families with fewer seeds do not count.
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
        """Whether every model is shown to do worse on B."""
        return bool(self.outcome and Outcome.HARDER in self.outcome)

    @property
    def different(self) -> bool:
        """Whether each test set is shown to be best for the models of its own training set."""
        return bool(self.outcome and Outcome.DIFFERENT in self.outcome)

    @property
    def outcome(self) -> Outcome | None:
        """The answer for B; None if there are too few seeds."""
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
        """Names of the differences that are not shown to be above zero, which "harder" and "different" would need."""
        return tuple(name for name in _DIFFERENCES if not getattr(self, name).low > 0)


def compare(families: Sequence[Cells], confidence: float, rng: np.random.Generator, replicates: int = 2_000) -> Verdict:
    """Whether B is harder than A, different, both or neither, from the right answers of families of models.

    Each statement needs two intervals that both lie above zero. This is an intersection–union test: a false statement
    is made with a probability of at most (1 − confidence) / 2, without a correction for testing two differences
    (Berger, Technometrics 24 (1982), 295–300).

    Args:
        families: for each, (aa, ab, ba, bb), bool [runs, images]: whether a run trained on the set of the first letter
            is right about an image of the second; see `Cells`. With one family, the verdict is the family's own.
        confidence: of the intervals of the four differences, in (0, 1).
        rng: numpy.random.Generator.
        replicates: draws of images and seeds.

    Returns:
        The verdict over all families with at least three seeds on each side. If there are none, it is marked
        `few_seeds`, holds the differences over all families, and makes no statement.

    Raises:
        ValueError: an array is not bool, empty, or does not fit the others; confidence out of range.
    """
    require_families(families)
    return judge([Stratum([Cells(*family) for family in families])], confidence, rng, replicates)


def judge(strata: Sequence[Stratum], confidence: float, rng: np.random.Generator, replicates: int) -> Verdict:
    """The Verdict of the same families on strata of test images, averaged with the weights of the strata."""
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


def _covers_more(gap: Estimate, gain: Estimate, losses: Sequence[Estimate]) -> bool:
    """Whether A's models lose on B, B's models are better on B than A's, and B's models lose on neither set.

    An interval that contains zero does not show that nothing is lost, since a wide interval always contains zero. So
    the upper end of the loss of B's models must lie below the lower end of the loss of A's models.
    """
    return gap.low > 0 and gain.low > 0 and all(loss.low <= 0 and loss.high < gap.low for loss in losses)


def _mirrored(difference: Estimate) -> Estimate:
    """The difference with its sign turned."""
    return Estimate(-difference.value, -difference.high, -difference.low)
