"""What tests of the report share: finished runs, loaded."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import pytest
from report_runs import CHANCES, load, write_study


@pytest.fixture(scope="session")
def study_folder(tmp_path_factory):
    """Three seeds of one family and one of another, on the drawn shapes and the harder ones."""
    folder = tmp_path_factory.mktemp("study")
    write_study(folder, CHANCES)
    write_study(folder, CHANCES, seeds=1, model="ss32")
    return folder


@pytest.fixture(scope="session")
def loaded(study_folder):
    return load(study_folder)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")
