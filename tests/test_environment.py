"""One set of exact pins with hashes, everywhere."""

import re
import shutil
import subprocess
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement

from autoaug.files import ROOT

LOCKS = ("requirements.lock", "requirements-sagemaker.lock", "requirements-gpu.lock")
OTHERS = ("requirements-container.txt", "requirements-uv.lock")


def entries(name):
    """The requirements of a lock, each with the lines of its hashes."""
    text = (ROOT / name).read_text()
    return [entry.split(" \\\n") for entry in re.split(r"\n(?=[^ ])", text.strip())]


def pins(name):
    """Name → version of a lock that pins each package exactly."""
    requirements = [Requirement(entry[0]) for entry in entries(name)]
    assert all(re.fullmatch(r"==[\w.+!]+", str(one.specifier)) for one in requirements)
    return {one.name.lower(): str(one.specifier) for one in requirements}


@pytest.mark.parametrize("name", [*LOCKS, *OTHERS])
def test_each_package_has_hashes_and_no_lock_names_a_registry(name):
    assert "://" not in (ROOT / name).read_text()
    for _, *hashes in entries(name):
        assert hashes and all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}", line) for line in hashes)


def test_locks_pin_exactly_and_agree():
    base, sagemaker, gpu = map(pins, LOCKS)
    assert len(base) > 100
    assert base.items() <= sagemaker.items() and pins(OTHERS[0]).items() <= sagemaker.items()
    assert base.items() - gpu.items() == {("tensorflow-cpu", gpu["tensorflow"])}  # the same otherwise
    assert {name.partition("-")[0] for name in gpu.keys() - base.keys()} == {"nvidia"}


@pytest.mark.parametrize(
    ("machine", "system", "package"),
    [("x86_64", "linux", "tensorflow-cpu"), ("aarch64", "linux", "tensorflow"), ("arm64", "darwin", "tensorflow")],
)
def test_one_tensorflow_is_installed_on_every_platform(machine, system, package):
    where = {"platform_machine": machine, "sys_platform": system}
    for name in LOCKS[:2]:
        pinned = [Requirement(entry[0]) for entry in entries(name) if re.match("tensorflow(-cpu)?==", entry[0])]
        assert [pin.name for pin in pinned if pin.marker.evaluate(where)] == [package]


def test_the_locks_cover_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [Requirement(line).name for line in (*project["dependencies"], *extras["test"], *extras["sagemaker"])]
    assert set(wanted) <= set(pins("requirements-sagemaker.lock"))
    assert "mlflow" not in pins("requirements-sagemaker.lock")  # with its scikit-learn, each import of Keras is slower
    assert project["scripts"] == {"papermill": "autoaug.papermill_command:main"}
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert conda == ["python=3.11", "pip", {"pip": ["--requirement requirements.lock"]}]


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_every_set_up_checks_hashes_and_registers_the_kernel_of_the_notebooks():
    """What `make` would do in a new clone, on a machine with a GPU too."""
    for device, lock in (("cpu", LOCKS[0]), ("gpu", LOCKS[2])):
        command = ["make", "-n", "-W", "pyproject.toml", "setup", "sagemaker", f"DEVICE={device}"]
        lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        installs = [line for line in re.findall(r"\S+ (?:pip )?install --quiet .*", lines) if "--editable" not in line]
        assert len(installs) == 5 and all("--require-hashes" in line for line in installs), installs
        assert sum(f"--requirement {lock}" in line for line in installs) == 2
        assert "ipykernel install --sys-prefix --name autoaug" in lines
        assert "ipykernel install --user --name autoaug" in lines
