"""Further evidence: magnitudes, and the statements on some of the images."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from autoaug.report import conditions, further
from autoaug.shift import decomposition


def written(results, name):
    return pd.read_csv(results.results_dir / "report" / "tables" / f"{name}.csv")


def test_magnitudes_are_those_of_the_decomposition_and_say_where_they_depend_on_the_scale(loaded):
    html = further.magnitudes(loaded).data
    (pair,) = loaded.pairs
    rng = loaded.rng("magnitude", "synthetic10", "synthetic10_harder", "quick")
    parts = decomposition.decompose(pair.families, 0.95, rng)
    shown = written(loaded, "magnitudes").iloc[0]
    assert shown["B"] == "shapes, harder (quick)"
    assert shown["Main effect of the test set"].startswith(f"{100 * parts.main_effect.value:.1f} [")
    rng = loaded.rng("scales", "synthetic10", "synthetic10_harder", "quick")
    depends = decomposition.depends_on_scale(decomposition.scales(pair.families, 0.95, rng))
    assert ("depends on the scale</td>" in html) == depends


def test_the_statements_are_repeated_on_new_and_old_images_where_their_origin_is_known(loaded, tmp_path):
    results = dataclasses.replace(loaded, data_dir=tmp_path)
    assert "No pair has images whose origin or difficulty is known" in conditions.conditions(results).data
    folder = tmp_path / "synthetic10_harder" / "training"
    folder.mkdir(parents=True)
    np.save(folder / "test_batch_new_look.npy", np.arange(2_000) < 800)
    html = conditions.conditions(results).data
    assert re.findall("<td>(new images|images like A&#39;s)</td>", html) == ["new images", "images like A&#39;s"]
    new = results.pairs[0].families[0].ab[:, :800].mean()
    gap = results.pairs[0].verdict.accuracies.aa - new
    shown = written(results, "conditions").iloc[0]
    assert float(shown["AA − AB"].partition(" ")[0]) == pytest.approx(100 * gap, abs=0.051)
