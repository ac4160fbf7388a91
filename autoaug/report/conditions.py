"""Further checks: the two statements by the origin of images and within strata of difficulty; models of B at matched
ability; whether a classifier tells A from B."""

import numpy as np
import pandas as pd
from IPython.display import HTML

from autoaug.report import sentences
from autoaug.report.page import estimate, paragraphs, together
from autoaug.report.results import NOTHING_COMPARED, Pair, Results
from autoaug.shift import Verdict, matched_ability, origins, study, two_sample


def conditions(results: Results) -> HTML:
    """The statements by the origin and difficulty of images, where known; models of B at matched ability."""
    if not results.pairs:
        return paragraphs([NOTHING_COMPARED])
    rows, notes = [], []
    for pair in results.pairs:
        for condition, said in (_by_origin(results, pair) | _by_difficulty(results, pair)).items():
            row: dict[str, object] = {
                "B": results.label(pair.name),
                "Images": condition,
                "Answer": sentences.outcome_text(said),
            }
            rows.append(row | {text: estimate(getattr(said, name)) for name, text in sentences.DIFFERENCES.items()})
    parts = [_at_matched_ability(results), _told_apart(results)]
    if rows:
        caption = (
            f"The statements on parts of the images, in percentage points with {results.interval}. New images of B do "
            "not come from A's source; old ones do. Strata of difficulty hold images that are equally hard for models "
            "that were not trained on them. A home advantage that vanishes within them comes from difficulty."
        )
        parts.insert(0, results.page.table("conditions", pd.DataFrame(rows, dtype=object), caption, look="matrix"))
    else:
        notes.append("No pair has images whose origin or difficulty is known.")
    return together(*parts, paragraphs(notes))


def _by_origin(results: Results, pair: Pair) -> dict[str, Verdict]:
    """The statements on B's new and on its old images, if it has both."""
    known, clean = results.known_images(pair.name), pair.comparison.clean.b
    if known is None or known.new is None or known.new.shape != clean.shape:
        return {}
    new = known.new[clean]
    if new.all() or not new.any():
        return {}
    rng = results.rng("origin", *pair.names)
    by_origin = origins.by_origin(pair.families, new, results.confidence, rng)
    return {"new images": by_origin.new, "images like A's": by_origin.old}


def _by_difficulty(results: Results, pair: Pair) -> dict[str, Verdict]:
    """The statements within strata of difficulty, averaged over the strata."""
    within = results.within_strata(pair)
    if within is None:
        return {}
    condition = "within strata of difficulty" + ("; specialising in difficulty" if within.specialising else "")
    return {condition: within.adjusted}


def _at_matched_ability(results: Results) -> HTML:
    """How far models of B lie above the line of A's models."""
    rows = []
    for pair in results.pairs:
        curves = study.ability_curves(results.runs, pair.comparison)
        for family, runs in curves.items():
            if any(len(np.unique(run[:, 0])) < 3 for run in runs):
                continue
            rng = results.rng("matched ability", *pair.names, family)
            above = matched_ability.above_line(runs, pair.comparison.families[family], results.confidence, rng)
            rows.append(
                {
                    "B": results.label(pair.name),
                    "Models": f"{family} ({pair.comparison.preset})",
                    "Above the line of A's models, points": estimate(above),
                }
            )
    if not rows:
        return paragraphs(
            ["Matched ability needs models of A that were tested on A and B while they were trained (evaluate_every)."]
        )
    caption = (
        f"Models of B against models of A that are as good on A, with {results.interval}. The accuracies on A and B of "
        "a model of A follow a probit line while it trains. The number says how far the models of B lie above this "
        "line: their accuracy on B minus that of the line at their accuracy on A. Specialising in hard images counts "
        "too."
    )
    return results.page.table("matched-ability", pd.DataFrame(rows, dtype=object), caption)


def _told_apart(results: Results) -> HTML:
    """Whether a classifier tells A's images from B's, for the pairs for which one was trained."""
    rows = []
    for original, name in dict.fromkeys((pair.comparison.original, pair.name) for pair in results.pairs):
        scores = results.scores(original, name)
        if scores is None:
            continue
        rng = results.rng("told apart", original, name)
        whole = two_sample.told_apart(scores.a, scores.b, results.confidence, rng)
        classes = two_sample.told_apart_by_class(
            scores.a, scores.labels_a, scores.b, scores.labels_b, results.confidence, rng
        )
        outside = sum(said.auc > said.high for said in classes.values())
        rows.append(
            {
                "B": results.label(name),
                "Area under the curve": f"{whole.auc:.3f}",
                "If nothing told them apart": f"{whole.low:.3f} to {whole.high:.3f}",
                "Classes told apart": f"{outside} of {len(classes)}",
            }
        )
    if not rows:
        command = "papermill notebooks/tell_apart.ipynb -p a cifar10_12k -p b cifar105"
        return paragraphs([f"No classifier has been trained to tell A from B. To train one: {command}"])
    caption = (
        "Can A and B be told apart at all? A classifier is trained to tell training images of A from those of B, and "
        "is then shown pairs of test images, one of each set. The area under its curve is the chance that it picks "
        "out the image of B: ½ if it cannot tell. It also sees harmless traces, such as JPEG's. So it shows that A "
        "and B differ visibly, not that the difference matters."
    )
    return results.page.table("told-apart", pd.DataFrame(rows, dtype=object), caption)
