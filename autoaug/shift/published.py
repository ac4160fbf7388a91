"""What public numbers say of CIFAR-10.1 and CIFAR-10.2, from `results/published`; its README names the sources.

Each function returns a DataFrame of fractions. The numbers are accuracies only, without answers image by image, and
all test sets are shared by all models. So intervals hold for each model alone, and nothing is pooled as if models were
independent.
"""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.special

from autoaug.files import ROOT
from autoaug.shift.intervals import accuracy_interval, gap, points
from autoaug.shift.line_fit import Line, fit

TOTALS = {"cifar10": 10_000, "cifar10.1": 2_000, "cifar10.2": 2_000}
"""Test set → number of images; CIFAR-10.1 is version 6."""

SCRATCH, PRETRAINED, REPRODUCTION = "trained on CIFAR-10", "pre-trained", "trained on CIFAR-10.2"
"""Groups of models in `testbed`."""

TRAINED = 0.15  # accuracy on CIFAR-10 below which a model did not train, or hardly
HIGH = 0.9  # above it, the line is flatter
SMALL_FILTERS = 32  # random-feature models up to this size do not mind how many images they were trained on
_NUMBERS_PER_FILTER = 18  # features: 2 signs, 3 × 3 pools
_SMALL_REGULARIZER = 1e-3

REMADE = ROOT / "results" / "measured" / "random_features.csv"
"""Random-feature models that were trained here, on 50,000 and on 10,000 images: how many of 10,000 they get right."""


def testbed(folder: str | pathlib.Path) -> pd.DataFrame:
    """The models of the testbed: `group`, `model`, `filters`, `regularizer`, and the accuracy on each test set."""
    table = pd.read_csv(pathlib.Path(folder) / "testbed.csv")
    names = {("cifar10", "no"): SCRATCH, ("cifar10", "yes"): PRETRAINED, ("cifar10.2", "no"): REPRODUCTION}
    table["group"] = [names[kind] for kind in zip(table["trained_on"], table["pretrained"], strict=True)]
    for name, total in TOTALS.items():
        table[name] = table[name] / total
    return table[["group", "model", "filters", "regularizer", *TOTALS]]


def lines(bed: pd.DataFrame, confidence: float, above: float = TRAINED) -> dict[str, Line]:
    """The line of each new test set, through the models trained from scratch on CIFAR-10 above an accuracy there."""
    models = bed[(bed["group"] == SCRATCH) & (bed["cifar10"] > above)]
    known = {name: models[models[name].notna()] for name in TOTALS if name != "cifar10"}
    return {name: fit(part["cifar10"], part[name], confidence) for name, part in known.items()}


def both_sides(bed: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """The four accuracies of myrtlenet, trained on either set, and their differences: `value`, `low`, `high`.

    AA − BA and BB − AB compare models of different training sizes: 50,000 images, and about 10,000.
    """
    rows = bed[bed["model"] == "myrtlenet"].set_index("group")
    counts = {
        f"{letter}{other}": (round(rows.loc[group, name] * TOTALS[name]), TOTALS[name])
        for letter, group in (("A", SCRATCH), ("B", REPRODUCTION))
        for other, name in (("A", "cifar10"), ("B", "cifar10.2"))
    }
    found: dict[str, tuple[Any, Any, Any]] = {
        cell: (correct / total, *accuracy_interval(correct, total, confidence))
        for cell, (correct, total) in counts.items()
    }
    for one, other in _DIFFERENCES:
        found[f"{one} − {other}"] = gap(*counts[one], *counts[other], confidence)
    return pd.DataFrame.from_dict(found, orient="index", columns=["value", "low", "high"]).astype(float)


_DIFFERENCES = (("AA", "AB"), ("BA", "BB"), ("AA", "BA"), ("BB", "AB"))


def random_features(bed: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Random-feature models by number of filters, trained on either set: accuracies, differences, θ and its interval.

    A's models are all of the testbed with a regulariser up to 1e-3, those with the same counts once: there the
    regulariser is too small to matter. Of B there is one for each number of filters. The interval of θ holds the chance
    in both test sets, as if the answers to one image were independent (they are not, so it is too wide), and in the
    random filters: B's are taken to spread as A's do. Larger models than SMALL_FILTERS depend on the number of training
    images, which differs. The other intervals are those of one model of A and one of B (Newcombe).
    """
    features = bed[bed["filters"].notna()]
    of_a = features[(features["group"] == SCRATCH) & (features["regularizer"] <= _SMALL_REGULARIZER)]
    of_b = features[features["group"] == REPRODUCTION].set_index("filters").sort_index()
    rows = []
    for filters, b in of_b.iterrows():
        a = of_a[of_a["filters"] == filters].drop_duplicates(["cifar10", "cifar10.2"])
        if a.empty:
            continue
        cells = {"AA": a["cifar10"].mean(), "AB": a["cifar10.2"].mean(), "BA": b["cifar10"], "BB": b["cifar10.2"]}
        row = {"filters": int(filters), "numbers": int(_NUMBERS_PER_FILTER * filters), "models_a": len(a)} | cells
        totals = {cell: TOTALS["cifar10" if cell[1] == "A" else "cifar10.2"] for cell in cells}
        counts = {cell: (round(share * totals[cell]), totals[cell]) for cell, share in cells.items()}
        for one, other in _DIFFERENCES:
            name, (_, low, high) = f"{one} − {other}", gap(*counts[one], *counts[other], confidence)
            row |= {name: cells[one] - cells[other], f"{name}_low": low, f"{name}_high": high}
        of_images = sum(0.25 * share * (1 - share) / totals[cell] for cell, share in cells.items())
        of_filters = ((a["cifar10"] - a["cifar10.2"]) / 2).var(ddof=1) * (1 + 1 / len(a))
        degrees = (of_images + of_filters) ** 2 / (of_filters**2 / (len(a) - 1))
        half = scipy.special.stdtrit(degrees, (1 + confidence) / 2) * np.sqrt(of_images + of_filters)
        home = (row["AA − BA"] + row["BB − AB"]) / 2
        rows.append(row | {"θ": home, "θ_low": home - half, "θ_high": home + half})
    return pd.DataFrame(rows).set_index("filters")


def size_matched(features: pd.DataFrame, line: Line, confidence: float) -> pd.DataFrame:
    """`random_features` as if A's models had had 10,000 training images, as B's had: an estimate.

    What models trained here lose on CIFAR-10, from 50,000 to 10,000 images with the same filters, comes off AA, and off
    AB as the line says. The interval holds that loss's spread too, over filters.

    Args:
        features: of `random_features`.
        line: of CIFAR-10.2.
        confidence: that of `features`.

    Returns:
        The rows with new columns: `remade`, accuracy on CIFAR-10 with 50,000 images, to be checked against AA; `loss`;
        and θ with its interval, `equal_size`. NaN where no models were trained here.
    """
    remade = pd.read_csv(REMADE).pivot(index=["filters", "seed"], columns="train_size", values="correct")
    by_size = remade / TOTALS["cifar10"]
    losses = (by_size[max(by_size)] - by_size[min(by_size)]).groupby("filters").agg(["mean", "sem", "count"])
    losses = losses.reindex(features.index)
    frame = features.assign(remade=by_size[max(by_size)].groupby("filters").mean(), loss=losses["mean"])
    along = line.predict(frame["AA"]) - line.predict(frame["AA"] - frame["loss"])
    change = (frame["loss"] - along) / 2  # of θ, since AA falls by more than AB
    spread = scipy.special.stdtrit(losses["count"] - 1, (1 + confidence) / 2) * losses["sem"] * change / frame["loss"]
    half = np.hypot((frame["θ_high"] - frame["θ_low"]) / 2, spread)
    middle = frame["θ"] - change
    return frame.assign(equal_size=middle, equal_size_low=middle - half, equal_size_high=middle + half)


def expected(folder: str | pathlib.Path, confidence: float) -> pd.DataFrame:
    """What the five models of Lu et al. would get on the new sets: expectations from both lines, not measurements.

    Returns:
        A row for each model, test set and line: `model`, `cifar10`, `test_set`, `line`, `expected`, `low`, `high`. The
        interval is for a further model.
    """
    accuracies = pd.read_csv(pathlib.Path(folder) / "autoaugment-accuracies.csv")
    accuracies = accuracies[(accuracies["train_data"] == "cifar10") & (accuracies["test_set"] == "cifar10")]
    known, frames = accuracies[["model", "accuracy"]].set_axis(["model", "cifar10"], axis=1), []
    for above in (TRAINED, HIGH):
        for name, line in lines(testbed(folder), confidence, above).items():
            low, high = line.band(known["cifar10"])
            frame = known.assign(test_set=name, line=f"models above {above:.0%}")
            frames.append(frame.assign(expected=line.predict(known["cifar10"]), low=low, high=high))
    return pd.concat(frames, ignore_index=True)


def statements(folder: str | pathlib.Path, confidence: float) -> pd.DataFrame:
    """What public numbers say of CIFAR-10.2: `statement`, `value`, `low`, `high`, what the ends are, and the limit."""
    bed = testbed(folder)
    own, small, line = both_sides(bed, confidence), _small(bed, confidence), lines(bed, confidence)["cifar10.2"]
    trained, of_reproduction = (bed[bed["group"] == group] for group in (SCRATCH, REPRODUCTION))
    high = trained[trained["cifar10"] > 0.93]
    losses = {name: (high["cifar10"] - high[name]).dropna() for name in ("cifar10.2", "cifar10.1")}
    heights = of_reproduction["cifar10.2"] - line.predict(of_reproduction["cifar10"])
    gains = int((of_reproduction["cifar10.2"] > of_reproduction["cifar10"]).sum())
    sizes = "training sizes differ: 50,000 images, and about 10,000"
    interval, models = f"{100 * confidence:g} % interval", "least and most of the models"
    rows: list[Sequence[object]] = [
        *((f"{len(lost)} models trained on CIFAR-10, above 93 %: lost on {name.replace('cifar', 'CIFAR-')}",
           *_spread(lost), models, "one testbed; the 2,000 images are shared") for name, lost in losses.items()),
        ("myrtlenet trained on CIFAR-10: lost", *own.loc["AA − AB"], interval, "one model"),
        ("myrtlenet trained on CIFAR-10.2: lost", *own.loc["BA − BB"], interval, "one model"),
        (f"{len(of_reproduction)} models trained on CIFAR-10.2: lost ({gains} gain)",
         *_spread(of_reproduction["cifar10"] - of_reproduction["cifar10.2"]), models, "16 are random-feature models"),
        ("myrtlenet: better at home on CIFAR-10", *own.loc["AA − BA"], interval, sizes),
        ("myrtlenet: better at home on CIFAR-10.2", *own.loc["BB − AB"], interval, sizes),
    ]  # fmt: skip
    rows += [
        (f"random features, {filters} filter{'s' * (filters > 1)}: better at home, at equal training sizes",
         *row[["equal_size", "equal_size_low", "equal_size_high"]], interval,
         f"an estimate; accuracies of {100 * row['BB']:.0f} to {100 * row['AA']:.0f} %; difficulty not taken off")
        for filters, row in small.iterrows()
    ]  # fmt: skip
    rows.append(
        (f"{len(heights)} models trained on CIFAR-10.2: above the line of the others", *_spread(heights),
         models, "also if they only specialise in difficulty")
    )  # fmt: skip
    return pd.DataFrame(rows, columns=["statement", "value", "low", "high", "ends", "limit"])


def said(folder: str | pathlib.Path, confidence: float) -> str:
    """The answer for CIFAR-10.2 from public numbers, in a few words."""
    bed = testbed(folder)
    own, small = both_sides(bed, confidence), _small(bed, confidence)
    losses = own.loc[["AA − AB", "BA − BB"], ["value", "low", "high"]]
    lost = " and ".join("{} [{}, {}]".format(*map(points, row)) for row in losses.to_numpy())
    shown = int((small["equal_size_low"] > 0).sum())
    return (
        f"harder is {'shown' if losses['low'].min() > 0 else 'not shown'}, in the one network trained on each set "
        f"(myrtlenet: it loses {lost} points). Different is open: {shown} of {len(small)} small random-feature models "
        "are better at home, when the training sets' sizes are allowed for, and large ones probably are too. Without "
        "the images, nobody can say how much of it is difficulty"
    )


def _small(bed: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """`size_matched` of the small random-feature models."""
    features, line = random_features(bed, confidence), lines(bed, confidence)["cifar10.2"]
    return size_matched(features, line, confidence).loc[:SMALL_FILTERS]


def _spread(values: pd.Series) -> tuple[float, float, float]:
    """Mean, least and most."""
    return float(values.mean()), float(values.min()), float(values.max())
