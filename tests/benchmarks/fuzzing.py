"""Damaged files of every kind that the project reads: each read ends in a value, or in an error that names the file.

python tests/benchmarks/fuzzing.py [SEED [MUTATIONS]]      # 3,000 mutations, a minute or two

A read that takes longer than TIMEOUT, or raises another error, is a failure.
"""

import io
import os
import pathlib
import random
import re
import signal
import sys
import tempfile
import zipfile

import numpy as np
import run_files

from autoaug import runs
from autoaug.datasets import batch_file, manifest
from autoaug.runs import predictions, record

TIMEOUT = 20  # seconds for one read
TOKEN = re.compile(rb'"[^"]*"|-?\d+(?:\.\d+)?|true|false|null|[\w.]+')
HOSTILE = (b"NaN", b"1e999", b"-1", b"9" * 5000, b"true", b"null", b"[" * 5000, b"\xff\xfe", b'"../evil"', b'"<b>"')


def mutated(content, chance):
    """The bytes with a few of them changed, cut out or repeated, or with values replaced by hostile ones."""
    content = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        start = chance.randrange(len(content) + 1)
        piece = content[start : start + chance.choice((1, 1, 8, 300))]
        tokens = list(TOKEN.finditer(content)) if len(content) < 10_000 and chance.random() < 0.4 else []
        if tokens:
            token = chance.choice(tokens)
            content[token.start() : token.end()] = chance.choice(HOSTILE)
        else:
            content[start : start + len(piece)] = chance.choice((b"", bytes(len(piece)), 50 * piece))
    return bytes(content[: start if chance.random() < 0.1 else None])


def mutated_inside(content, chance):
    """A zip archive whose members are damaged, and not the archive around them."""
    with zipfile.ZipFile(io.BytesIO(content)) as whole, zipfile.ZipFile(damaged := io.BytesIO(), "w") as archive:
        for name in whole.namelist():
            archive.writestr(name, mutated(whole.read(name), chance))
    return damaged.getvalue()


def readers(folder):
    """Whole files in the folder, with what reads each; their errors are ValueErrors that name the file."""
    rng = np.random.default_rng(0)
    tests = {"synthetic10": run_files.predictions(rng, np.arange(200) % 10, 0.7)}
    run = folder / "runs" / run_files.write(folder, "synthetic10", tests)
    kept, data = run / "predictions" / "synthetic10.npz", folder / "data"
    data.mkdir()
    sides = {"training": {"sha256": "ab"}, "test": {"sha256": "cd"}}
    (data / "manifest.json").write_text(f'{{"source": "drawn", "parts": {sides}}}'.replace("'", '"'))
    batch_file.write_batch(data / "batch", rng.integers(0, 256, (4, 32, 32, 3), np.uint8), np.arange(4))
    return {
        run / "record.json": lambda: record.read(run),
        run / "history.csv": lambda: runs.history(run),
        kept: lambda: predictions.read(kept),
        data / "manifest.json": lambda: manifest.read(data),
        data / "batch": lambda: batch_file.read_batch(data / "batch", 4, "labels", 10),
    }


def attack(read, path, content, failures):
    """Write the damaged content, and read it."""
    path.write_bytes(content)
    signal.alarm(TIMEOUT)
    try:
        read()
    except ValueError as error:
        if str(path.parent) not in str(error):
            failures.append(f"{path} is not in: {str(error)[:300]}")
    except BaseException as error:
        failures.append(f"{path}: {type(error).__name__}: {str(error)[:300]}")
    signal.alarm(0)


def main(seed="0", mutations="3000"):
    """Print every failure; returns the exit status."""
    signal.signal(signal.SIGALRM, signal.default_int_handler)  # a read that hangs ends in KeyboardInterrupt
    chance, failures = random.Random(seed), []
    with tempfile.TemporaryDirectory() as temporary:
        read = readers(pathlib.Path(temporary))
        whole = {path: (path.read_bytes(), read[path]())[0] for path in read}
        for _ in range(int(mutations)):
            path = chance.choice(list(whole))
            is_inside = path.suffix == ".npz" and chance.random() < 0.6
            content = (mutated_inside if is_inside else mutated)(whole[path], chance)
            attack(read[path], path, content, failures)
            path.write_bytes(whole[path])
    print(f"{mutations} damaged files, seed {seed}: {len(failures)} failures", *failures[:50], sep="\n")
    return bool(failures)


if __name__ == "__main__":
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    sys.exit(main(*sys.argv[1:]))
