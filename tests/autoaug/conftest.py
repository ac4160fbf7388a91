"""The tiny data set and recipe, for every test."""

import pathlib
import runpy

import pytest

TINY = runpy.run_path(str(pathlib.Path(__file__).with_name("tiny.py")))


@pytest.fixture(scope="session")
def tiny_dataset():
    return TINY["dataset"]()


@pytest.fixture(scope="session")
def tiny_recipe():
    return TINY["recipe"]()
