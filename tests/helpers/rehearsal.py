"""Puts stand-ins in the place of the published files, in every Python process of a rehearsal.

A file `sitecustomize.py`, which Python imports when it starts, calls `install`; so the code under test needs no switch
for it. Downloads are verified as ever, by the hashes of the stand-ins.
"""

import dataclasses
import importlib.abc
import importlib.util
import json
import pathlib
import sys


def install(path):
    """Let this process see small sets, and published files as described in a file of `describe`."""
    described = json.loads(pathlib.Path(path).read_text())

    def make_small(catalogue):
        for name, sizes in described["sizes"].items():
            catalogue.DATASETS[name] = dataclasses.replace(catalogue.DATASETS[name], **sizes)

    def replace_files(sources):
        for name, files in described["files"].items():
            sources.FILES[name] = tuple(sources.Source(**fields) for fields in files)

    sys.meta_path.insert(
        0, _AfterImport({"autoaug.datasets.catalogue": make_small, "data_prep.sources": replace_files})
    )


def describe(path, specs, files, address):
    """Write what `install` reads.

    Args:
        path: of the file.
        specs: name of a set → its `datasets.Spec`, made small.
        files: name of a set → `sources.Source`s.
        address: of the server of the files.
    """
    sizes = {name: {"train_size": spec.train_size, "test_size": spec.test_size} for name, spec in specs.items()}
    fields = {
        name: [dataclasses.asdict(source) | {"url": f"{address}/{source.file}"} for source in of_set]
        for name, of_set in files.items()
    }
    pathlib.Path(path).write_text(json.dumps({"sizes": sizes, "files": fields}))


class _AfterImport(importlib.abc.MetaPathFinder):
    """Calls a function with a module right after it has been imported."""

    def __init__(self, functions):
        self._functions = functions

    def find_spec(self, name, path=None, target=None):
        if name not in self._functions:
            return None
        function = self._functions.pop(name)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def execute_and_call(module):
            execute(module)
            function(module)

        spec.loader.exec_module = execute_and_call
        return spec
