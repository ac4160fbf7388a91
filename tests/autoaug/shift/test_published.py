"""What is said from public numbers is what their files hold."""

import numpy as np
import pandas as pd
import pytest
import scipy.special

from autoaug import shift
from autoaug.files import ROOT
from autoaug.shift import published

FOLDER = ROOT / "results" / "published"


@pytest.fixture(scope="module")
def bed():
    return published.testbed(FOLDER)


def points(values):
    return (100 * np.asarray(values, float) + 1e-9).round(1).tolist()  # halves up


def test_the_testbed_has_its_models_and_lines_near_what_others_published(bed):
    assert bed["group"].value_counts().to_dict() == {
        published.SCRATCH: 1_029, published.PRETRAINED: 31, published.REPRODUCTION: 17
    }  # fmt: skip
    assert bed["cifar10.1"].notna().sum() == 1_026 and bed[["cifar10", "cifar10.2"]].notna().all(axis=None)
    of_all, of_high = (published.lines(bed, 0.95, above)["cifar10.2"] for above in (0.15, 0.9))
    assert (of_all.slope, of_all.intercept) == pytest.approx((0.785, -0.325), abs=5e-4)
    assert (len(of_all.at), len(of_high.at)) == (895, 210)
    new = of_all.residuals + of_all.slope * of_all.at
    assert 1 - of_all.residuals.var() / new.var() == pytest.approx(0.996, abs=5e-4)  # r²
    assert of_high.slope == pytest.approx(0.641, abs=5e-4)
    low, high = scipy.special.ndtri(np.concatenate(of_all.band(0.95)))
    assert (high - low) / 2 == pytest.approx(0.031 * scipy.special.stdtrit(98, 0.975), rel=0.03)  # of the nearest
    text = " ".join((FOLDER / "README.md").read_text().split())
    assert "the 895 models" in text and "has slope .785, intercept −.325 and R² .996. Through the 210 above" in text
    others = pd.read_csv(FOLDER / "lines.csv").set_index("test_set")["slope"]  # by others, through other models
    ours = {name: line.slope for name, line in published.lines(bed, 0.95).items()}
    assert ours == pytest.approx(others.to_dict(), abs=0.04)


def test_the_model_that_was_trained_on_both_sets(bed):
    cells = published.both_sides(bed, 0.95)
    assert cells.loc["AA − AB"].to_list() == pytest.approx(shift.gap(9_389, 10_000, 1_640, 2_000))
    assert points(cells.loc["BA − BB"]) == [4.7, 2.9, 6.5]
    assert points(cells.loc[["AA", "AB", "BA", "BB"], "value"]) == [93.9, 82.0, 86.3, 81.7]
    assert points(cells.loc[["AA − AB", "AA − BA", "BB − AB"], "value"]) == [11.9, 7.6, -0.3]


def test_small_random_feature_models_have_a_home_advantage(bed):
    table = published.random_features(bed, 0.95)
    small = table.loc[: published.SMALL_FILTERS]
    assert small["numbers"].tolist() == [18, 36, 72, 144, 288, 576] and set(small["models_a"]) == {8}  # distinct
    assert points(small["AA − BA"]) == [3.3, 1.7, 8.1, 4.4, 7.2, 9.9]
    assert points(small["BB − AB"]) == [0.3, 3.8, -0.8, 3.4, 1.8, 1.6]
    assert points(small["θ"]) == [1.8, 2.8, 3.7, 3.9, 4.5, 5.7]
    assert points(small.loc[1, ["BA − BB", "BA − BB_low", "BA − BB_high"]]) == [1.1, -0.9, 3.0]
    assert list(small["θ_low"] > 0) == [False, *5 * [True]] and (small[["AA − AB", "BA − BB"]] > 0).all(axis=None)
    # No narrower than Newcombe's interval of each difference would make it.
    counts = [(1e4 * small[cell]).round().to_numpy(int) for cell in ("AA", "BA")]
    _, low, high = shift.gap(counts[0], 10_000, counts[1], 10_000)
    assert ((small["θ_high"] - small["θ_low"]) > (high - low) / 2).all()


def test_a_dip_gives_the_training_size_of_the_reproduction_away(bed):
    small = bed[~(bed["regularizer"] > 1e-3)].groupby(["group", "filters"])["cifar10"].mean()
    assert small[published.SCRATCH].loc[128:].idxmin() in (2_048, 4_096)  # 18 features each, so about 50,000
    assert small[published.REPRODUCTION].loc[128:].idxmin() == 512


def test_the_five_models_are_expected_where_the_lines_put_them():
    table = published.expected(FOLDER, 0.95)
    table = table[table["test_set"] == "cifar10.2"]
    by_line = {line: points(part["expected"]) for line, part in table.groupby("line")}
    assert by_line == {
        "models above 15%": [91.3, 90.4, 90.1, 88.8, 88.3], "models above 90%": [89.8, 88.9, 88.7, 87.5, 87.0]
    }  # fmt: skip
    assert (table["high"] - table["low"]).between(0.015, 0.03).all()


def test_every_statement_has_ends_and_a_limit():
    table = published.statements(FOLDER, 0.95)
    assert (table["low"] <= table["value"]).all() and (table["value"] <= table["high"]).all()
    assert (table[["ends", "limit"]].map(len) > 0).all(axis=None)
    assert [text.split(" trained")[0] for text in table["statement"][:2]] == ["106 models", "100 models"]
    assert table["statement"][1].endswith("CIFAR-10.1") and "(0 gain)" in table["statement"][4]
    numbers = table[["value", "low", "high"]]
    assert [points(numbers.iloc[place]) for place in (0, -1)] == [[12.2, 10.8, 13.9], [8.6, 3.7, 12.5]]
    assert "17 models" in table["statement"].iloc[-1]
    assert "Different is open: 5 of 6 small " in published.said(FOLDER, 0.95)


def test_each_file_is_described_with_its_source():
    text = (FOLDER / "README.md").read_text()
    assert all(f"`{path.name}`" in text for path in FOLDER.glob("*.csv"))


def test_small_models_made_anew_are_those_of_the_testbed_and_hardly_mind_the_size(bed):
    features = published.random_features(bed, 0.95)
    line = published.lines(bed, 0.95)["cifar10.2"]
    table = published.size_matched(features, line, 0.95)
    small = table.loc[:64]
    assert (small["remade"] - small["AA"]).abs().max() < 0.02 and small["loss"].is_monotonic_increasing
    assert points(table.loc[:32, "equal_size"]) == [1.8, 2.7, 3.6, 3.7, 4.3, 5.4]
    assert table.loc[2:32, "equal_size_low"].min() > 0 and table.loc[128:, "equal_size"].isna().all()
    wider = (table["equal_size_high"] - table["equal_size_low"]).loc[:64] - (table["θ_high"] - table["θ_low"]).loc[:64]
    assert (wider > 0).all()
    same = shift.line_fit.fit(bed["cifar10"], bed["cifar10"])  # where both accuracies fall alike, θ stays
    assert np.allclose(published.size_matched(features, same, 0.95).loc[:64, "equal_size"], small["θ"])
