"""Harder, or different? What may be said of a reproduction B of A, from models trained and tested on both.

AA, AB, BA, BB are accuracies (first letter: training set; second letter: test set).

    harder      AA − AB > 0 and BA − BB > 0: on average, models lose on B, whichever set they were trained on
    different   θ = ½ [(AA − BA) + (BB − AB)] > 0, and θ > 0 too among images of like class and difficulty

θ is the mean home advantage. A stronger or weaker training set moves both accuracies of its models, and cancels in it.
Specialising in difficulty does not, so θ is taken again with weights that make A's and B's images alike (`difficulty`).
Each statement is an intersection–union test: it needs both of its intervals above zero, and no correction for testing
two (Berger, Technometrics 24 (1982), 295–300).
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autoaug.shift import difficulty
from autoaug.shift.contrasts import Cells, Contrast, Sides, checked_families, contrast, sizes
from autoaug.shift.intervals import Estimate, points, require_confidence

FEWEST_SEEDS = 3  # that a family needs on each side
NEGLIGIBLE = 0.01  # a gap or a home advantage below this is said to be none that matters
GAPS = Sides(Cells(1, -1, 0, 0), Cells(0, 0, 1, -1))
HOMES = Sides(Cells(1, 0, -1, 0), Cells(0, -1, 0, 1))
HOME = Cells(0.5, -0.5, -0.5, 0.5)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The statements on B, and the numbers that they follow from, all fractions.

    Args:
        harder: whether it is shown; None: too few seeds.
        different: whether it is shown; None: too few seeds, or θ > 0 is not separated from difficulty.
        gap_a, gap_b, home_a, home_b: AA − AB, BA − BB, AA − BA and BB − AB.
        home: θ.
        home_within, home_a_within, home_b_within: θ, AA − BA, BB − AB at like class and difficulty; None: not known.
        gap_at_most: the smaller one-sided upper bound of the two gaps.
        home_at_most, home_within_at_most: the one-sided upper bounds of θ.
        comparable: whether enough images of A and B are alike; None: nobody judged their difficulty.
        images: numbers of test images.
        runs: numbers of models trained on A and on B.
        few_seeds: no family has three seeds on each side, so nothing is stated. The intervals then leave out the chance
            in training of a side with one run. Otherwise, families with fewer seeds do not count.
        left_out: names of the families with fewer seeds.
        exceptions: if B is harder, or not harder by more than a point, the families of which it is not shown alone.
    """

    harder: bool | None
    different: bool | None
    gap_a: Estimate
    gap_b: Estimate
    home_a: Estimate
    home_b: Estimate
    home: Estimate
    home_within: Estimate | None
    home_a_within: Estimate | None
    home_b_within: Estimate | None
    gap_at_most: float
    home_at_most: float
    home_within_at_most: float | None
    comparable: bool | None
    images: Sides
    runs: Sides
    few_seeds: bool
    left_out: tuple[str, ...]
    exceptions: tuple[str, ...]


def compare(
    families: Sequence[Any] | Mapping[str, Any],
    confidence: float,
    rng: np.random.Generator,
    judges: Sequence[Any] | None = None,
    labels: Sequence[Any] | None = None,
) -> Verdict:
    """Whether B is harder than A, different, both or neither, from the right answers of families of models.

    Args:
        families: each (aa, ab, ba, bb), bool [runs, images]: whether a run trained on the set of the first letter is
            right about an image of the second; see `Cells`. A mapping gives them names, for `exceptions`.
        confidence: of the intervals, and of the one-sided bounds, in (0, 1).
        rng: numpy.random.Generator. The intervals are computed without draws; it is not used today.
        judges: two sources, each a pair (on A's images, on B's images) of margins, float [runs, images], as
            `difficulty.strata` describes; three runs each, about as accurate on A as the models of A; `study` sees
            to this. Or, where the images' difficulty is known by construction, one pair of it, float [images],
            larger is harder.
        labels: classes of A's and of B's test images, each int [images]; needed with judges.

    Raises:
        ValueError: an array has another type or shape, is empty or not finite; the confidence is out of range; there
            are judges but no labels.
    """
    require_confidence(confidence)
    named = families if isinstance(families, Mapping) else {f"family {n}": one for n, one in enumerate(families, 1)}
    cells = dict(zip(named, checked_families(list(named.values())), strict=True))
    enough = {name: one for name, one in cells.items() if min(len(one.aa), len(one.ba)) >= FEWEST_SEEDS}
    counted = list((enough or cells).values())
    if judges is not None and labels is None:
        raise ValueError("Expected labels of both test sets, since judges are given. Received: None")
    strata = None if judges is None or labels is None else difficulty.strata(judges, labels, sizes(counted))
    gap_a, gap_b = (contrast(counted, of_cells) for of_cells in GAPS)
    home = contrast(counted, HOME)
    comparable = strata and difficulty.is_comparable(strata)
    alike = strata and strata.weights.any()
    within, *sides = [contrast(counted, of, strata) if alike else None for of in (HOME, *HOMES)]
    hardness = _hardness((gap_a, gap_b), confidence)
    return Verdict(
        harder=hardness == "harder" if enough else None,
        different=_is_different(home, within if comparable else None, confidence) if enough else None,
        gap_a=gap_a.interval(confidence),
        gap_b=gap_b.interval(confidence),
        home_a=contrast(counted, HOMES.a).interval(confidence),
        home_b=contrast(counted, HOMES.b).interval(confidence),
        home=home.interval(confidence),
        home_within=within.interval(confidence) if within else None,
        **{f"home_{side}_within": one and one.interval(confidence) for side, one in zip("ab", sides, strict=True)},
        gap_at_most=min(gap_a.at_most(confidence), gap_b.at_most(confidence)),
        home_at_most=home.at_most(confidence),
        home_within_at_most=within.at_most(confidence) if within else None,
        comparable=comparable,
        images=sizes(counted),
        runs=Sides(sum(len(one.aa) for one in counted), sum(len(one.ba) for one in counted)),
        few_seeds=not enough,
        left_out=tuple(name for name in cells if enough and name not in enough),
        exceptions=tuple(
            name
            for name, one in enough.items()
            if hardness and _hardness([contrast([one], of_cells) for of_cells in GAPS], confidence) != hardness
        ),
    )


def _hardness(gaps: Sequence[Contrast], confidence: float) -> str:
    """`harder`, or `not harder` by more than a point, if that is shown."""
    if all(gap.interval(confidence).low > 0 for gap in gaps):
        return "harder"
    return "not harder" if min(gap.at_most(confidence) for gap in gaps) < NEGLIGIBLE else ""


def _is_different(home: Contrast, within: Contrast | None, confidence: float) -> bool | None:
    """None: θ > 0, and it is not known whether difficulty explains it."""
    if home.interval(confidence).low <= 0:
        return False
    if within is None:
        return False if home.at_most(confidence) < NEGLIGIBLE else None
    return within.interval(confidence).low > 0


def said(verdict: Verdict, judged_by: str = "") -> str:
    """What is said of B, in a few words: "harder; not different by more than 1 point".

    `judged_by` is of `study.Pair`: judges that are too weak are named where nobody else has judged.
    """
    if verdict.few_seeds:
        return "too few seeds to say"
    return f"{_of_hardness(verdict)}; {_of_difference(verdict, judged_by)}"


def _of_hardness(verdict: Verdict) -> str:
    small = verdict.gap_at_most < NEGLIGIBLE
    exceptions = f" (not shown for {', '.join(verdict.exceptions)}, taken alone)" if verdict.exceptions else ""
    if verdict.harder:
        return f"harder{', but not by more than 1 point' if small else ''}{exceptions}"
    if small:
        return f"not harder by more than 1 point{exceptions}"
    return f"harder is undecided (AA − AB {_range(verdict.gap_a)}, BA − BB {_range(verdict.gap_b)} points)"


def _of_difference(verdict: Verdict, judged_by: str) -> str:
    small = verdict.home_at_most < NEGLIGIBLE
    if verdict.different:
        return f"different{', but not by more than 1 point' if small else ''}"
    if small:
        return "not different by more than 1 point"
    if verdict.comparable and (verdict.home_within_at_most or 0) < NEGLIGIBLE:
        return "not different by more than 1 point, once difficulty is taken off"
    if verdict.different is None:
        why = judged_by or "nobody has judged it"
        if verdict.comparable is not None:
            why = "the images cannot be compared at like difficulty"
        return f"different is not separated from difficulty ({why})"
    within = f", {_range(verdict.home_within)} at like difficulty" if verdict.home_within and verdict.comparable else ""
    return f"different is undecided (θ {_range(verdict.home)} points{within})"


def _range(number: Estimate) -> str:
    """The ends of the interval, in percentage points."""
    return " to ".join(map(points, number[1:]))
