"""What is read from the published files, and the expectation that follows from the published line."""

import pandas as pd
import pytest

from autoaug.files import ROOT
from autoaug.shift import published

FOLDER = ROOT / "results" / "published"


@pytest.fixture
def tables():
    return pd.read_csv(FOLDER / "autoaugment-accuracies.csv"), pd.read_csv(FOLDER / "lines.csv")


def test_the_five_models_are_expected_where_the_published_line_puts_them(tables):
    found = published.expected_accuracies(*tables, "cifar10.2")
    assert (100 * found[["accuracy", "expected"]]).round(1).to_numpy().tolist() == [
        [98.4, 91.3],
        [98.1, 90.4],
        [98.0, 90.2],
        [97.5, 88.8],
        [97.3, 88.4],
    ]
    assert "measured" not in found.columns


def test_the_published_lines_are_as_printed(tables):
    lines = tables[1].set_index("test_set")
    assert lines.loc["cifar10.2", ["slope", "intercept", "r_squared"]].tolist() == [0.768, -0.287, 0.999]
    assert lines.loc["cifar10.1-v6", ["slope", "intercept", "r_squared"]].tolist() == [0.842, -0.216, 0.999]


def test_no_line_no_expectation(tables):
    with pytest.raises(ValueError, match=r"one of cifar10.1-v6, cifar10.2. Received: 'cifar10.3'"):
        published.expected_accuracies(*tables, "cifar10.3")
