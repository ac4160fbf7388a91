"""The README says nothing that the files in `results` do not hold."""

import re

import numpy as np
import pandas as pd
import pytest

import autoaug
from autoaug import datasets, runs, shift
from autoaug.files import ROOT
from autoaug.report import answers, sentences, show, tables
from autoaug.shift import published, study

TEXT = (ROOT / "README.md").read_text()
OF_ALL = ("WRN-16-2, 60 epochs, bfloat16", "WRN-16-2, 60 epochs, AutoAugment, bfloat16", "WRN-16-2, 40 epochs")
ENDS, NUMBERS = ("", "_low", "_high"), ("gap_a", "gap_b", "home", "home_within")  # of verdicts' columns
TABLE = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("|")]


def numbers(*beginning):
    """The numbers of the table's row that begins with these cells; None for a dash."""
    (row,) = [row for row in TABLE if row[: len(beginning)] == list(beginning)]
    return [None if cell == "–" else float(cell.replace("−", "-")) for cell in row[len(beginning) :]]


@pytest.fixture(scope="module")
def kept():
    return runs.collect(ROOT / "results" / "measured")


def test_published_rows_are_those_of_the_testbed():
    testbed = pd.read_csv(ROOT / "results" / "published" / "testbed.csv")
    for name, size in (("cifar10", 10_000), ("cifar10.1", 2_000), ("cifar10.2", 2_000)):
        testbed[name] *= 100 / size
    testbed = testbed[testbed["pretrained"] == "no"].assign(lost=testbed["cifar10"] - testbed["cifar10.2"])
    columns, without = ["cifar10", "cifar10.1", "cifar10.2", "lost"], slice(3, 4)  # no CINIC-10
    strong = testbed[(testbed["trained_on"] == "cifar10") & (testbed["cifar10"] > 93)]
    assert len(strong) == 106 and strong["cifar10.1"].notna().sum() == 100
    said = numbers("CIFAR-10", "106 models above 93 %, trained from scratch, mean")
    del said[without]
    assert said == pytest.approx(strong[columns].mean(), abs=0.051)
    for trained_on, name in (("cifar10", "CIFAR-10, 50,000 images"), ("cifar10.2", "CIFAR-10.2, about 10,000 images")):
        chosen = testbed[(testbed["trained_on"] == trained_on) & (testbed["model"] == "myrtlenet")]
        (expected,) = chosen[columns].to_numpy().tolist()
        said = numbers(name, "myrtlenet")
        del said[without]
        for value, measured in zip(said, expected, strict=True):
            assert pd.isna(measured) if value is None else value == pytest.approx(measured, abs=0.051)


def test_what_is_said_of_the_models_of_the_reproduction_is_what_the_testbed_has():
    bed = published.testbed(ROOT / "results" / "published")
    own, text = published.both_sides(bed, 0.95).loc["BA − BB"], " ".join(TEXT.split())
    assert f"loses points too: {show.percent(*own)}." in text
    rows = bed[(bed["group"] == published.REPRODUCTION) & bed["filters"].notna()]
    old, new = ((rows[name] * size).round().to_numpy(int) for name, size in (("cifar10", 10_000), ("cifar10.2", 2_000)))
    lost, low, _ = shift.gap(old, 10_000, new, 2_000)
    said = f"Of the {len(rows)} random-feature models trained on it, none gains, and {(low > 0).sum()} are shown"
    assert said in text and (lost >= 0).all()


def test_the_expected_row_is_the_lines():
    table = published.expected(ROOT / "results" / "published", 0.95)
    table = table[table["model"] == "wrn"].set_index("test_set")
    rows, high = (table[(table["line"] == "models above 15%") == is_long] for is_long in (True, False))
    old, new = rows["cifar10"].iloc[0], rows["expected"]
    said = numbers("CIFAR-10", "WRN-28-10, AutoAugment")
    assert said.pop(3) is None  # CINIC-10
    expected = [old, new["cifar10.1"], new["cifar10.2"], old - new["cifar10.2"]]
    assert said == pytest.approx([100 * value for value in expected], abs=0.051)
    said = [show.percent(*line.loc["cifar10.2", ["expected", "low", "high"]]) for line in (rows, high)]
    band = said[0].partition(" ")[2]
    assert f"{band}, and the line through those above 90 % says {said[1]}." in " ".join(TEXT.split())


@pytest.mark.parametrize(
    ("train_data", "family", "beginning"),
    [
        *(("cifar10", family, ("CIFAR-10, 50,000 images", family)) for family in OF_ALL),
        *(
            (data, family, (f"{name}, 2,460 images", f"{family}, three seeds, mean"))
            for family in ("WRN-10-2, 60 epochs", "Shake-Shake-8 2×32d, 60 epochs")
            for data, name in (("cifar10_5k", "CIFAR-10"), ("cinic10_5k", "CINIC-10"))
        ),
    ],
)
def test_measured_rows_are_those_of_the_runs(train_data, family, beginning, kept):
    chosen = kept[(kept["train_data"] == train_data) & (kept["family"] == family)]
    means = 100 * chosen.groupby("test_set")["accuracy"].mean()
    expected = [means["cifar10"], means["cinic10_5k"], means["cifar10"] - means["cinic10_5k"]]
    assert [value for value in numbers(*beginning) if value is not None] == pytest.approx(expected, abs=0.051)
    shown = tables.accuracies(chosen, pd.DataFrame(), 0.95).iloc[0]  # on the page
    assert 100 * shown[["cifar10", "cinic10", "lost cinic10"]].to_numpy(float) == pytest.approx(expected, abs=1e-9)


@pytest.fixture(scope="module")
def verdicts(kept):
    return study.verdicts(study.pairs(kept), 0.95).set_index("reproduction", drop=False)


def test_what_is_said_of_known_truth_is_what_the_runs_say(kept, verdicts):
    text, points = (ROOT / "docs" / "method.md").read_text(), verdicts.loc[[*datasets.DESIGNS]]
    first = study.verdicts(study.pairs(kept, datasets.JUDGES), 0.95).set_index("reproduction")
    for row in points.to_dict("records"):
        truth, said = datasets.KNOWN_TRUTH[row["reproduction"]], (row["harder"], row["different"])
        before = first.loc[row["reproduction"]]
        assert sentences.judged(truth, *said, row["said"]) == "right" and said == (
            before["harder"],
            before["different"],
        )
        numbers = [show.percent(*(row[f"{name}{end}"] for end in ENDS)) for name in NUMBERS]
        numbers.append(show.percent(*(before[f"home_within{end}"] for end in ENDS)))
        line = f"| `{row['reproduction']}` | {sentences.expected(truth)} | {sentences.in_short(*said)} | "
        assert f"{line}{' | '.join(numbers).replace(' | ', ' and ', 1)} |\n" in text
    assert "On the eight, with answers written down before, it says nothing wrong" in " ".join(TEXT.split())


def test_what_is_said_of_cinic10_is_what_the_runs_say(kept, verdicts):
    row = verdicts.loc["cinic10_5k"].to_dict()
    assert {*verdicts.index} == {"cinic10_5k", *datasets.DESIGNS} and (row["harder"], row["different"]) == (False, True)
    assert row["gap_at_most"] < 0.01
    said = {name: show.percent(*(row[f"{name}{end}"] for end in ENDS)) for name in ("home_within", "gap_b")}
    text = " ".join(TEXT.split())
    home, *sides = (show.percent(row[name]) for name in ("home", "home_a", "home_b"))
    assert f"{home} points better: {sides[0]} on CIFAR-10's images, and {sides[1]} on CINIC-10's" in text
    assert said["home_within"].replace(" [", " points [") in text and f"none on average ({said['gap_b']};" in text
    alike = [show.percent(*(row[f"home_{side}_within{end}"] for end in ENDS)) for side in "ab"]
    measured = " ".join((ROOT / "results" / "measured" / "README.md").read_text().split())
    assert f"of like difficulty these are {' and '.join(alike)}." in measured
    assert f"{alike[0].partition(' ')[0]} on CIFAR-10's, and {alike[1]} on CINIC-10's." in text
    sides = [show.percent(*(row[f"home_{side}{end}"] for end in ENDS)) for side in "ab"]
    assert f"{sides[0]} points better on its images, and those of CINIC-10 {sides[1]} points on theirs" in measured
    lost = answers.class_losses(kept, ["cinic10_5k"], "cifar10", "cinic10_5k", 0.95)["lost"]
    assert (lost.idxmin(), lost.idxmax()) == ("frog", "dog")
    assert f"from a gain of {-100 * lost.min():.0f} points (frogs) to a loss of {100 * lost.max():.0f} (dogs)" in text
    assert f"small networks trained on CIFAR-10 lose {show.percent(row['gap_a'])} points." in text
    assert f"one-sided, at most {show.percent(row['gap_at_most'])})" in text


def test_the_costs_of_the_studies_are_those_in_their_files():
    for name in ("cifar10.2", "shake_shake", "full"):
        study = (ROOT / "notebooks" / f"{name}.yml").read_text()
        trainings, hours = re.findall(r"# Cost: (\d+ trainings), about (\d+ hours)", study)[0]
        assert f"{trainings}: about {hours}" in TEXT


def test_every_file_that_is_named_is_there():
    for target in re.findall(r"\]\(([^)#:]+)\)", TEXT):
        assert (ROOT / target).exists(), target


def test_it_is_short():
    assert TEXT.count("\n") <= 130 and len(TEXT.split()) <= 1_500


def test_all_kept_runs_are_of_committed_code_and_have_an_answer_for_each_image(kept):
    folders = {path.name for path in (ROOT / "results" / "measured" / "runs").iterdir()}
    assert kept["run_id"].nunique() >= 8 and set(kept["run_id"]) == folders
    for folder in kept["folder"].unique():
        record = runs.read(folder)
        assert record.code.commit and record.code.dirty is False


def test_the_model_that_is_kept_is_that_of_its_run(kept):
    (path,) = re.findall(r'autoaug\.load\("(results/measured/.+)"\)', TEXT)
    model, record = autoaug.load(ROOT / path), runs.read(ROOT / path)
    assert sum(weight.shape.num_elements() for weight in model.trainable_weights) == record.parameters
    assert model.predict(np.zeros((2, 32, 32, 3), np.uint8), verbose=0).shape == (2, 10)
    rows = kept[kept["run_id"] == record.run_id].set_index("test_set").loc[["cifar10", "cinic10_5k"]]
    assert rows["accuracy"].iloc[0] > 0.9
    text = " ".join((ROOT / "results" / "measured" / "README.md").read_text().split())
    said = [show.percent(*row).replace(" [", " % [") for row in rows[["accuracy", "low", "high"]].to_numpy()]
    lost = shift.gap(*rows[["correct", "total"]].to_numpy().ravel())
    assert (
        f"{said[0]} on CIFAR-10 and {said[1]} on CINIC-10, {show.percent(*lost).replace(' [', ' points less [')}."
        in text
    )


def test_the_table_of_kept_runs_is_what_they_are(kept):
    kept = kept[kept["test_set"] == "cifar10"]
    expected = []
    for (family, data), part in kept.groupby(["family", "train_data"]):
        mean, low, high = (show.percent(of(part["accuracy"])) for of in (np.mean, np.min, np.max))
        percent = mean if len(part) == 1 else f"{mean} ({low} to {high})"
        expected.append([family, f"`{data}`", ", ".join(map(str, sorted(part["seed"]))), percent])
    lines = (ROOT / "results" / "measured" / "README.md").read_text().replace(" (judges)", "").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert sorted(rows[2:]) == sorted(expected)
