"""Wrong labels: how many each test set holds, and how large the main effect of B's test set is without them."""

import numpy as np
import pandas as pd
import scipy.special
import scipy.stats
from IPython.display import HTML

from autoaug import datasets
from autoaug.datasets.titles import title
from autoaug.report.page import estimate
from autoaug.report.results import Pair, Results, rows
from autoaug.shift import decomposition, label_noise, study
from autoaug.shift import published as published_data
from autoaug.shift.intervals import Estimate, accuracy_interval

_PEOPLE, _MODELS = "people", "models of A (cleanlab)"


def wrong_labels(results: Results) -> HTML:
    """Wrong labels in both test sets of each pair, by people or strong models, and the main effect without them."""
    photographs = [pair for pair in results.pairs if pair.name not in datasets.EMBEDDED]  # drawn labels are right
    lines = [_published(results), *(_line(results, pair) for pair in photographs)]
    text = pd.DataFrame(lines, dtype=object).fillna("")
    caption = (
        f"Wrong labels, in % with {results.interval}, and the main effect of B's test set, in points, before and after "
        "taking off the most that wrong labels can explain. People: labels that most people would not give "
        "(CIFAR-10H, Peterson et al. 2019). Nobody was asked about CIFAR-10.1 v6: its share is carried over from "
        "CIFAR-10, by whether most published models dispute a label. Other images of CIFAR-10 are assumed to be like "
        "its test part. Models of A: an estimate by cleanlab that is rather too high than too low, from models with "
        f"an accuracy of at least {100 * label_noise.LOWEST_ACCURACY:g} %."
    )
    return results.page.table("wrong-labels", text, caption, look="matrix")


def _disputed(results: Results) -> tuple[pd.DataFrame, Estimate]:
    """Counts by what models dispute, for CIFAR-10 and CIFAR-10.1 v6, and the share of disputed labels of CIFAR-10."""
    counts = pd.read_csv(results.published_dir / "disputed-labels.csv")
    of_cifar10 = counts[counts["test_set"] == "cifar10"]
    return counts, _share(int(of_cifar10["disputed"].sum()), int(of_cifar10["images"].sum()), results.confidence)


def _share(number: int, images: int, confidence: float) -> Estimate:
    low, high = accuracy_interval(number, images, confidence)
    return Estimate(number / images, float(low), float(high))


def _published(results: Results) -> dict[str, object]:
    """The row of CIFAR-10.1 v6 for published models: their mean gap, not a main effect; its interval is over images."""
    counts, old = _disputed(results)
    cifar10, cifar101 = (counts[counts["test_set"] == name] for name in ("cifar10", "cifar10.1-v6"))
    strata, other = (np.repeat(side["models_dispute"].to_numpy(int), side["images"]) for side in (cifar10, cifar101))
    disputed = np.concatenate([np.arange(row.images) < row.disputed for row in rows(cifar10)])
    rng = results.rng("wrong labels", "cifar10.1-v6")
    new = label_noise.transferred(strata, disputed, other, results.confidence, rng)
    right = published_data.read_right(results.published_dir / "cifar10.1-right.npz").right
    by_image = [right[name].mean(axis=0) for name in ("cifar10", "cifar10.1-v6")]  # share of models, of each image
    gap = float(by_image[0].mean() - by_image[1].mean())
    deviation = float(np.sqrt(sum(shares.var() / len(shares) for shares in by_image)))
    half = float(scipy.stats.norm.ppf((1 + results.confidence) / 2)) * deviation
    row = _row(Estimate(gap, gap - half, gap + half), old, new, f"{_PEOPLE}; models' disputes")
    return {"B": f"{title('cifar10.1-v6')} (mean gap of published models)"} | row


def _row(effect: Estimate, noise_a: Estimate, noise_b: Estimate, source: str) -> dict[str, object]:
    return {
        "Main effect": estimate(effect),
        "Wrong in A, %": estimate(noise_a),
        "Wrong in B, %": estimate(noise_b),
        "Without them": estimate(label_noise.minus_noise(effect, noise_a, noise_b)),
        "Found by": source,
    }


def _line(results: Results, pair: Pair) -> dict[str, object]:
    """The row of one pair; if nothing is known of the labels, the row says why."""
    rng = results.rng("magnitude", *pair.names)  # the main effect is the one of the table of magnitudes
    effect = decomposition.decompose(pair.families, results.confidence, rng).main_effect
    line: dict[str, object] = {"B": f"{results.label(pair.name)} ({pair.comparison.preset})"}
    people = [_by_people(results, name) for name in (pair.comparison.original, pair.name)]
    if people[0] and people[1]:
        return line | _row(effect, people[0], people[1], _PEOPLE)
    try:
        models = [_by_models(results, pair, name) for name in (pair.comparison.original, pair.name)]
        reason = "the models' probabilities were not kept"
    except label_noise.TooWeakError:
        models, reason = [None, None], "the models are too weak"
    except ImportError:
        models, reason = [None, None], "cleanlab is not installed"
    if models[0] and models[1]:
        return line | _row(effect, models[0], models[1], _MODELS)
    return line | {"Main effect": estimate(effect), "Found by": f"not known: {reason}"}


def _by_people(results: Results, name: str) -> Estimate | None:
    """The share of labels of a test set that people dispute; None if nobody was asked."""
    known = results.known_images(name)
    if known and known.disputed is not None:
        return _share(known.disputed, datasets.DATASETS[name].test_size, results.confidence)
    drawn_from_cifar10 = name == "cifar10" or name in datasets.ORIGINALS.values()  # of photographs: drawn sets are out
    return _disputed(results)[1] if drawn_from_cifar10 else None


def _by_models(results: Results, pair: Pair, name: str) -> Estimate | None:
    """cleanlab's share of wrong labels of a test set, from the mean probabilities of A's models; None if not kept.

    Raises:
        TooWeakError, ImportError: as `label_noise.estimated`.
    """
    runs = results.runs
    chosen = runs[
        (runs["train_data"] == pair.comparison.original)
        & (runs["test_set"] == name)
        & (runs["preset"] == pair.comparison.preset)
    ]
    read = [answers for row in rows(chosen) if (answers := study.read_predictions(row)) is not None]
    logits = [answers.logits for answers in read if answers.logits is not None]
    if not logits:
        return None
    clean = ~np.any([answers.overlap for answers in read], axis=0)
    probabilities = np.mean([scipy.special.softmax(values[clean], axis=1) for values in logits], axis=0)
    rng = results.rng("wrong labels", *pair.names, name)
    return label_noise.estimated(probabilities, read[0].labels[clean], results.confidence, rng)
