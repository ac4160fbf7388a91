"""The two statements by the origin of images, within strata of difficulty, and models of B at matched ability."""

import numpy as np
import pandas as pd
from IPython.display import HTML

from autoaug import datasets, records
from autoaug.report import sentences
from autoaug.report.page import estimate, paragraphs, together
from autoaug.report.results import NOTHING_COMPARED, Pair, Results
from autoaug.shift import Sides, Verdict, matched_ability, origins, strata, study
from data_prep import drawing, margins

_NEW_POOLS = [number for number, pool in enumerate(drawing.POOLS) if pool.startswith("cifar105")]


def conditions(results: Results) -> HTML:
    """The statements repeated where the images' origin or difficulty is known, and models of B at matched ability."""
    if not results.pairs:
        return paragraphs([NOTHING_COMPARED])
    rows, notes = [], []
    difficulty = _difficulty(results)
    for pair in results.pairs:
        for condition, said in (_by_origin(results, pair) | _by_difficulty(results, pair, difficulty)).items():
            row: dict[str, object] = {
                "B": results.label(pair.name),
                "Images": condition,
                "Said": sentences.outcome_text(said),
            }
            rows.append(row | {text: estimate(getattr(said, name)) for name, text in sentences.DIFFERENCES.items()})
    parts = [_at_matched_ability(results)]
    if rows:
        caption = (
            f"The statements on some of the images, in percentage points with {results.interval}. New images of B do "
            "not come from A's source. Within strata of difficulty (margins of models that saw neither image), a home "
            "advantage that vanishes is specialising in difficulty."
        )
        parts.insert(0, results.page.table("conditions", pd.DataFrame(rows, dtype=object), caption, look="matrix"))
    else:
        notes.append("No pair has images whose origin or difficulty is known on this machine.")
    return together(*parts, paragraphs(notes))


def _beside(results: Results, name: str, what: str) -> np.ndarray | None:
    """What data_prep wrote beside the test batch of a set, an array with a value for each image; or None."""
    path = results.data_dir / name / "training" / f"{datasets.DATASETS[name].test_file}_{what}.npy"
    return np.load(path, allow_pickle=False) if path.exists() else None


def _by_origin(results: Results, pair: Pair) -> dict[str, Verdict]:
    """The statements on B's new and on its old images, where it has both."""
    new = _beside(results, pair.name, "new_look")
    if new is None and (places := _beside(results, pair.name, "origins")) is not None:
        new = np.isin(places["pool"], _NEW_POOLS)
    clean = pair.comparison.clean.b
    if new is None or new.shape != clean.shape or new[clean].all() or not new[clean].any():
        return {}
    rng = results.rng("origin", *pair.names)
    by_origin = origins.by_origin(pair.families, new[clean], results.confidence, rng)
    return {"new images": by_origin.new, "images like A's": by_origin.old}


def _difficulty(results: Results) -> margins.Margins | None:
    """Margins of CIFAR-10's images from models that did not see them, where there are such runs."""
    try:
        return margins.cross_fitted(results.data_dir, results.results_dir)
    except (OSError, datasets.DatasetError, records.RecordError):
        return None


def _by_difficulty(results: Results, pair: Pair, known: margins.Margins | None) -> dict[str, Verdict]:
    """The statements within strata of difficulty, put together."""
    if known is None:
        return {}
    sides = []
    for name, clean in zip((pair.comparison.original, pair.name), pair.comparison.clean, strict=True):
        try:
            difficulty = -margins.of_images(known, name, "test", results.data_dir)
        except FileNotFoundError:
            return {}
        if difficulty.shape != clean.shape or np.isnan(difficulty).any():
            return {}
        sides.append(difficulty[clean])
    rng = results.rng("difficulty", *pair.names)
    within = strata.by_difficulty(pair.families, Sides(*sides), results.confidence, rng)
    condition = "within strata of difficulty" + ("; specialising in difficulty" if within.specialising else "")
    return {condition: within.adjusted}


def _at_matched_ability(results: Results) -> HTML:
    """How far models of B lie above the line of A's models, at their own accuracy on A."""
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
        return paragraphs(["Matched ability needs runs that were evaluated after every epoch."])
    caption = (
        f"Models of B at matched ability, with {results.interval}: their accuracy on B minus what the probit line of "
        "A's models, each epoch of them, gives at their accuracy on A. It counts specialising in hard images too."
    )
    return results.page.table("matched-ability", pd.DataFrame(rows, dtype=object), caption)
