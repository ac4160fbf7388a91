"""Which code, packages and machine a run names."""

import importlib.metadata
import subprocess

from autoaug import provenance


def test_the_code_version_names_the_commit_of_a_checkout_and_whether_files_differ(tmp_path, monkeypatch):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    path = tmp_path / "autoaug" / "provenance.py"
    path.parent.mkdir()
    path.write_text("first")
    version = {"version": importlib.metadata.version("autoaug")}
    assert provenance.code_version() == version | {"commit": None, "dirty": None}  # installed, without a repository
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "one")
    assert provenance.code_version() == version | {"commit": git("rev-parse", "HEAD"), "dirty": False}
    path.write_text("second")
    assert provenance.code_version() == version | {"commit": git("rev-parse", "HEAD"), "dirty": True}


def test_the_versions_of_what_computes_are_recorded():
    versions = provenance.package_versions()
    assert {"keras", "numpy", "numba"} <= set(versions)
    assert any(name.startswith("tensorflow") for name in versions)
