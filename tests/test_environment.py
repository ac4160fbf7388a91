"""One set of exact pins, everywhere."""

import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement

from autoaug.files import ROOT

LOCKS = ("requirements.lock", "requirements-sagemaker.lock", "requirements-gpu.lock")
PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9.+!]+)(?: ; .+)?")


def pins(lines):
    """Name → version of lines that each pin one package exactly."""
    matches = [PIN.fullmatch(line) for line in lines]
    assert all(matches), [line for line, match in zip(lines, matches, strict=True) if not match]
    return {match[1].lower(): match[2] for match in matches}


@pytest.fixture(scope="module")
def locks():
    return {name: pins((ROOT / name).read_text().splitlines()) for name in LOCKS}


def test_locks_pin_exactly_and_agree(locks):
    base, sagemaker, gpu = (locks[name] for name in LOCKS)
    assert len(base) > 100
    assert base.items() <= sagemaker.items()
    assert base.items() - gpu.items() == {("tensorflow-cpu", gpu["tensorflow"])}  # the same otherwise
    assert {name.partition("-")[0] for name in gpu.keys() - base.keys()} == {"nvidia"}


@pytest.mark.parametrize(
    ("machine", "system", "package"),
    [("x86_64", "linux", "tensorflow-cpu"), ("aarch64", "linux", "tensorflow"), ("arm64", "darwin", "tensorflow")],
)
def test_one_tensorflow_is_installed_on_every_platform(machine, system, package):
    where = {"platform_machine": machine, "sys_platform": system}
    for name in LOCKS[:2]:
        lines = (ROOT / name).read_text().splitlines()
        pinned = [Requirement(line) for line in lines if re.match("tensorflow(-cpu)?==", line)]
        assert [pin.name for pin in pinned if pin.marker.evaluate(where)] == [package]


def test_no_lock_names_a_registry():
    assert not [name for name in LOCKS if "://" in (ROOT / name).read_text()]


def test_environment_has_the_pins_of_the_lock(locks):
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert pip[:2] == ["--constraint requirements-sagemaker.lock", "--editable ."]
    listed = pins(pip[2:])
    assert listed.items() <= locks["requirements-sagemaker.lock"].items()
    assert {"jupyterlab", "papermill", "tensorflow-cpu", "numpy", "matplotlib", "sagemaker-train"} <= set(listed)
    assert {"python=3.11", "pip"} <= {entry for entry in environment["dependencies"] if isinstance(entry, str)}


def test_environment_and_locks_cover_the_project(locks):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["test"]
    wanted += project["optional-dependencies"]["sagemaker"] + project["optional-dependencies"]["cpu"][:1]
    names = {re.match(r"[\w-]+", requirement)[0] for requirement in wanted}
    environment = (ROOT / "environment.yml").read_text()
    assert names <= set(locks["requirements-sagemaker.lock"])
    assert not [name for name in names if f"- {name}==" not in environment]
