"""Puts stand-ins in the place of the published files, in every Python process of a rehearsal.

A file `sitecustomize.py`, which Python imports when it starts, calls `install`; so the code under test needs no switch
for it. Downloads are verified as ever, by the hashes of the stand-ins.
"""

import dataclasses
import pathlib
import pickle


def install(path):
    """Let this process see the small sets and the published files of a file of `describe`."""
    from autoaug import datasets
    from data_prep import sources

    specs, files = pickle.loads(pathlib.Path(path).read_bytes())
    datasets.DATASETS.update(specs)
    sources.FILES.update(files)


def describe(path, specs, files, address):
    """Write what `install` reads.

    Args:
        path: of the file.
        specs: name of a set → its `datasets.Spec`, made small.
        files: name of a set → `sources.Source`s.
        address: of the server of the files.
    """
    served = {
        name: tuple(dataclasses.replace(source, url=f"{address}/{source.file}") for source in of_set)
        for name, of_set in files.items()
    }
    path.write_bytes(pickle.dumps((specs, served)))
