"""Further evidence: magnitudes, and the statements on some of the images."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from report_runs import load, write_study

from autoaug import known_images
from autoaug.files import ROOT
from autoaug.records import RecordError
from autoaug.report import conditions, further, noise, results
from autoaug.shift import decomposition, two_sample

VERSION = "cd" * 32
PHOTOGRAPHS = ("cifar10_12k", "known_noisy")


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


def keep(folder, name, **values):
    known = {"test_sha256": VERSION, "new": None, "difficulty": None, "disputed": None} | values
    known_images.write(folder, name, known_images.KnownImages(**known))


def test_the_statements_are_repeated_where_origin_and_difficulty_are_known(loaded, tmp_path):
    """Half of B's images are harder than all others, so within strata nothing but them is compared."""
    results = dataclasses.replace(loaded, measured_dir=tmp_path)
    assert "No pair has images whose origin or difficulty is known" in conditions.conditions(results).data
    keep(tmp_path, "synthetic10_harder", new=np.arange(2_000) < 800, test_sha256="of another version")
    assert "No pair has images whose origin or difficulty is known" in conditions.conditions(results).data
    difficulty = np.linspace(-1, 1, 2_000)
    keep(tmp_path, "synthetic10", difficulty=difficulty)
    keep(tmp_path, "synthetic10_harder", new=np.arange(2_000) < 800, difficulty=difficulty)
    html = conditions.conditions(results).data
    shown = written(results, "conditions")
    assert shown["Images"].tolist() == ["new images", "images like A's", "within strata of difficulty"]
    assert "images like A&#39;s" in html
    new = results.pairs[0].families[0].ab[:, :800].mean()
    accuracies = results.pairs[0].verdict.accuracies
    gaps = [float(gap.partition(" ")[0]) for gap in shown["AA − AB"]]
    assert gaps[0] == pytest.approx(100 * (accuracies.aa - new), abs=0.051)
    assert gaps[2] == pytest.approx(100 * (accuracies.aa - accuracies.ab), abs=0.3)  # strata of the same weights


def test_wrong_labels_that_people_found_are_taken_off(tmp_path):
    """A set with ten per cent of labels wrong, and another with one."""
    write_study(tmp_path, {name: dict.fromkeys(PHOTOGRAPHS, 0.7) for name in PHOTOGRAPHS})
    results = load(tmp_path)
    html = noise.wrong_labels(results).data
    assert "not known: the models are too weak" in html or "not known: cleanlab is not installed" in html
    published, ours = written(results, "wrong-labels").to_dict("records")
    assert published["Wrong in A, %"].startswith("0.8 [") and published["Wrong in B, %"].startswith("1.3 [")
    assert published["Main effect"].startswith("7.8 [") and published["Without them"].startswith("7.2 [")
    further.magnitudes(results)
    assert ours["Main effect"] == written(results, "magnitudes")["Main effect of the test set"].iloc[0]
    keep(tmp_path, PHOTOGRAPHS[0], disputed=20)
    keep(tmp_path, PHOTOGRAPHS[1], disputed=220)
    noise.wrong_labels(results)
    ours = written(results, "wrong-labels").iloc[1]
    assert (ours["Wrong in A, %"][:3], ours["Wrong in B, %"][:4]) == ("1.0", "11.0")
    left = [float(ours[name].partition(" ")[0].replace("−", "-")) for name in ("Main effect", "Without them")]
    assert left[0] - left[1] == pytest.approx(10, abs=0.11)


def test_drawn_labels_are_right(loaded):
    noise.wrong_labels(loaded)
    assert len(written(loaded, "wrong-labels")) == 1


def test_scores_of_a_classifier_are_shown(loaded, tmp_path):
    results = dataclasses.replace(loaded, measured_dir=tmp_path)
    assert "No classifier has been trained to tell A from B" in conditions.conditions(results).data
    rng, labels = np.random.default_rng(0), np.arange(500) % 10
    scores = two_sample.Scores(
        dict.fromkeys(("synthetic10", "synthetic10_harder"), "of another version"),
        rng.normal(size=500),
        labels,
        rng.normal(1, 1, 500),
        labels,
    )
    two_sample.write_scores(tmp_path, scores)
    assert "No classifier has been trained to tell A from B" in conditions.conditions(results).data
    two_sample.write_scores(tmp_path, scores._replace(test_sha256=dict.fromkeys(scores.test_sha256, VERSION)))
    conditions.conditions(results)
    shown = written(results, "told-apart").iloc[0]
    assert shown["Area under the curve"] == pytest.approx(0.76, abs=0.03)
    assert shown["Classes told apart"] == "10 of 10"


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        '{"test_sha256": 1}',
        '{"test_sha256": "a", "new": [2], "difficulty": null, "disputed": null}',
        '{"test_sha256": "a", "new": null, "difficulty": [1.5], "disputed": null}',
        '{"test_sha256": "a", "new": [1], "difficulty": [0.5, 0.5], "disputed": null}',
        '{"test_sha256": "a", "new": null, "difficulty": null, "disputed": -1}',
        "[" * 100_000,
    ],
)
def test_damaged_files_of_known_images_are_named(tmp_path, content):
    (tmp_path / "known_images").mkdir()
    (tmp_path / "known_images" / "cifar105.json").write_text(content)
    with pytest.raises(RecordError, match=r"cifar105\.json: Expected what is known of the images"):
        known_images.read(tmp_path, "cifar105")


def test_measured_models_fail_on_the_images_that_published_models_fail_on(tmp_path):
    kept = [str(ROOT / "results" / name) for name in ("published", "measured")]
    measured = results.load(str(tmp_path), str(tmp_path), kept[0], 0.95, 0, kept[1])
    further.published(measured, "probit")
    table = written(measured, "error-correlation").set_index("Trained on")
    own = table.loc["CIFAR-10 (12,000 images)", "Correlation of errors"]
    assert len(own) == 2  # float32 and bfloat16
    assert all(0.3 < float(text.split()[0]) < 0.8 for text in own)
