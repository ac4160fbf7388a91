"""The sentences of the report, written from the numbers and their intervals."""

import pandas as pd

from autoaug import datasets
from autoaug.report import partners
from autoaug.report.page import percent
from autoaug.report.results import Pair, Results
from autoaug.shift.intervals import Estimate
from autoaug.shift.line_fit import SCALES
from autoaug.shift.verdict import Outcome, Verdict

NOTHING = (
    "No finished run yet. Train one with papermill notebooks/train.ipynb -p model wrn, or run the whole study with "
    "make report."
)
FIRST_RESULT = (
    "The set “shapes, harder” was changed once, after a first result. An earlier method had attributed about half of "
    "the gap (52 to 62 %) to difference; the hard images of that first version could be learned."
)


def published(counts: pd.DataFrame, lines: pd.DataFrame) -> str:
    """What published models lose on CIFAR-10.1 and 10.2.

    Args:
        counts: `results/published/cifar10.1-counts.csv`.
        lines: `results/published/lines.csv`.
    """
    accuracy = (counts["correct"] / counts["total"]).groupby([counts["test_set"], counts["model"]]).first()
    lost = accuracy["cifar10"] - accuracy["cifar10.1-v6"]
    line = lines[lines["test_set"] == "cifar10.2"].iloc[0]
    to, back = SCALES[line["scale"]]
    ends = [back(line["intercept"] + line["slope"] * to(old)) for old in (0.90, 0.95)]
    return (
        f"{len(lost)} published models, all trained on CIFAR-10, lose {percent(lost.min())} to {percent(lost.max())} "
        f"points on CIFAR-10.1 v6 (on average {percent(lost.mean())}). For CIFAR-10.2, a line through "
        f"{line['models'].partition(',')[0]} models was published: on this line, models with 90 and 95 % on CIFAR-10 "
        f"get {percent(ends[0])} and {percent(ends[1])} %."
    )


def measured(results: Results) -> str:
    """What was measured here on CIFAR-10 and its reproductions, and what is still to be trained for a comparison."""
    real = [pair for pair in results.pairs if pair.truth is None]
    if real:
        text = "Measured here: " + "; ".join(finding(pair, results) for pair in real) + "."
        return " ".join([text, *_missing_partners(results)])
    photographs = results.runs[results.runs["train_data"].map(_is_photographs)].drop_duplicates("run_id")
    if photographs.empty:
        return "No run on CIFAR-10 or a reproduction of it has been measured here yet, only runs on drawn shapes."
    counts = photographs["preset"].value_counts().items()
    kinds = ", ".join(f"{count} {preset} {'run' if count == 1 else 'runs'}" for preset, count in counts)
    sets = "; ".join(dict.fromkeys(results.label(name) for name in photographs["train_data"]))  # names may have commas
    own = results.means[results.means["train_data"].map(_is_photographs)]
    own = own[own["train_data"] == own["test_set"]]
    ends = dict.fromkeys(percent(accuracy) for accuracy in (own["accuracy"].min(), own["accuracy"].max()))
    reach = f" Accuracy on their own test sets: {' to '.join(ends)} %." if len(own) else ""
    text = f"Measured here on CIFAR-10's photographs: {kinds}, trained on {sets}.{reach}"
    return " ".join([text, "No reproduction has been compared yet.", *_missing_partners(results)])


def _missing_partners(results: Results) -> list[str]:
    """How to train what the first comparison lacks, and the number of such comparisons if there are several."""
    sentences = partners.missing(results.runs)
    if len(sentences) > 1:
        sentences[1:] = [f"Comparisons that lack runs, with this one: {len(sentences)}."]
    return sentences


def _is_photographs(name: str) -> bool:
    return name in datasets.DATASETS and datasets.DATASETS[name].family in ("cifar10", "cifar10_half")


def known_truth(results: Results) -> str:
    """In how many data sets of known truth the method is right, and on which it is wrong."""
    known = [pair for pair in results.pairs if pair.truth is not None]
    if not known:
        return "The method has not been tried yet on data sets whose answer is known."
    wrong = [pair for pair in known if not is_right(pair)]
    right = len(known) - len(wrong)
    text = f"On data sets whose answer is known, the method is right in {right} of {len(known)} cases."
    if wrong:
        cases = "; ".join(
            f"“{results.label(pair.name)}” (answer: {outcome_text(pair.verdict)}; truth: {truth_text(pair.truth)})"
            for pair in wrong
            if pair.truth
        )
        return f"{text} It is wrong on {cases}."
    return text


def is_right(pair: Pair) -> bool:
    """Whether the answer agrees with the known truth; a statement that the truth leaves open is right either way."""
    truth, said = pair.truth, pair.verdict
    if truth is None:
        raise ValueError(f"Expected a pair of known truth. Received: {pair.name}")
    if said.few_seeds:
        return False
    return truth.harder in (None, said.harder) and truth.different in (None, said.different)


def truth_text(truth: datasets.Truth) -> str:
    """The known truth of a reproduction, in a few words."""
    statements = (("harder", truth.harder), ("different", truth.different))
    text = " and ".join(word for word, holds in statements if holds) or "neither"
    left_open = " and ".join(word for word, holds in statements if holds is None)
    return f"{text}; {left_open} is left open" if left_open else text


WORDS = {
    Outcome.HARDER: "harder",
    Outcome.EASIER: "easier",
    Outcome.DIFFERENT: "different",
    Outcome.HOME_DISADVANTAGE: "worse at home than away",
    Outcome.COVERS_MORE: "covers more than A",
    Outcome.COVERS_LESS: "covers less than A",
}


def outcome_text(said: Verdict) -> str:
    """The answer for B, in a few words."""
    if said.outcome is None:
        return "too few seeds to say"
    return " and ".join(WORDS[part] for part in said.outcome) or "neither is shown"


def finding(pair: Pair, results: Results) -> str:
    """The answer for a reproduction, in a clause: against which original, by which models."""
    comparison, said = pair.comparison, pair.verdict
    models = f"{comparison.preset} models, {said.runs.a} + {said.runs.b} runs"
    return (
        f"{results.label(comparison.reproduction)} against {results.label(comparison.original)} ({models}): "
        f"{outcome_text(said)}"
    )


DIFFERENCES = {"gap_a": "AA − AB", "gap_b": "BA − BB", "home_a": "AA − BA", "home_b": "BB − AB"}
"""Field of `Verdict` → the difference that it holds, as readers see it."""


def in_the_way(said: Verdict) -> str:
    """The differences that are not shown to be above zero, each with the reason."""
    return "; ".join(f"{DIFFERENCES[name]} {_why(getattr(said, name))}" for name in said.in_the_way)


def _why(difference: Estimate) -> str:
    """Why a difference is not shown to be above zero; whether more images or seeds could change that."""
    if difference.high < 0:
        return "is below zero"
    return "has too few images or seeds to tell" if difference.high - difference.low > WIDE else "may be zero"


WIDE = 0.06
"""Width of an interval, 6 points, above which more images or seeds are needed before it says anything of the data."""
