"""Damaged files of every kind that the project reads: each read ends in a value, or in an error that names the file.

python tests/benchmarks/fuzzing.py [SEED]                  # 10,600 mutations, in a few minutes on two slow cores

A read that takes longer than TIMEOUT, ends the process, takes more than MEMORY, or raises another error is a failure.
"""

import concurrent.futures
import functools
import gzip
import io
import multiprocessing
import os
import pathlib
import random
import re
import resource
import shutil
import sys
import tarfile
import tempfile
import time
import warnings
import zipfile

import numpy as np
import run_files

from autoaug import files
from autoaug import study as studies
from autoaug.datasets import batch_file
from autoaug.datasets import manifest as manifests
from autoaug.datasets.batch_file import DatasetError
from autoaug.runs import history, predictions
from autoaug.runs import record as records

TIMEOUT, MEMORY = 20, 300  # seconds for one read; MB of a kind's process above what it takes to read whole files
TOKEN = re.compile(rb'"[^"]*"|-?\d+(?:\.\d+)?|true|false|null|[\w.]+')
HOSTILE = (
    *(b"NaN", b"-Infinity", b"1e999", b"-1", b"9" * 5000, b"1" + b"0" * 400, b"0.5", b"true", b"null", b"[", b"{}"),
    *(b'"../../evil"', b'"<img src=x onerror=alert(1)>"', b'"\\ud800"', b'"=HYPERLINK(1)"', b'"9999-99-99T00:00:00Z"'),
    *(b"[" * 5000, b"&a [*a]", b"!!python/name:os.system", b"\xff\xfe", b"\0", b'""', b"[[[1]]]", b"-" * 300),
)


def mutated(content, chance, is_text):
    """The bytes with a few of them changed, cut out, repeated, or, of text, with values replaced by hostile ones."""
    content = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        start = chance.randrange(len(content) + 1)
        piece = content[start : start + chance.choice((1, 1, 8, 300))]
        tokens = list(TOKEN.finditer(content)) if is_text and chance.random() < 0.4 else []
        if tokens:
            token = chance.choice(tokens)
            content[token.start() : token.end()] = chance.choice(HOSTILE)
        elif chance.random() < 0.1:
            del content[start:]
        else:
            others = (b"", chance.randbytes(len(piece)), bytes(len(piece)), 2 * piece, 50 * piece)
            content[start : start + len(piece)] = chance.choice(others)
    return bytes(content)


def mutated_inside(content, chance, is_text):
    """A zip or gzip archive whose content is damaged, and not the archive around it."""
    if content[:2] == b"\x1f\x8b":
        return gzip.compress(mutated(gzip.decompress(content), chance, is_text), 1)
    damaged = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as whole, zipfile.ZipFile(damaged, "w") as archive:
        chosen = chance.choice(whole.namelist())
        for name in whole.namelist():
            member = whole.read(name)
            archive.writestr(name, mutated(member, chance, is_text) if name == chosen else member)
    return damaged.getvalue()


# Each of these makes whole files in a folder; returns them with what reads each, and the error to expect.


def results(folder):
    arrays = run_files.predictions(np.random.default_rng(0), np.arange(200) % 10, 0.7)
    run = folder / "runs" / run_files.write(folder, "synthetic10", {"synthetic10": arrays})
    kept, judged = run / "predictions" / "synthetic10.npz", run / "predictions" / "judged.npz"
    predictions.write(judged, run_files.kept(**arrays, margins=True))
    return {
        run / "record.json": lambda: records.read(run),
        run / "history.csv": lambda: history(run),
        kept: lambda: predictions.read(kept),
        judged: lambda: predictions.read(judged),
    }, records.RecordError


def data(folder):
    path = folder / "synthetic10" / "training" / "manifest.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"source": "drawn", "parts": {"training": {"sha256": "ab"}, "test": {"sha256": "cd"}}}')
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    batch_file.write_batch(folder / "batch", images, np.arange(4))
    return {
        path: lambda: manifests.read(path.parent),
        folder / "batch": lambda: batch_file.read_batch(folder / "batch", 4, "labels", 10),
    }, DatasetError


def study(folder):
    for path in (files.ROOT / "notebooks").iterdir():
        shutil.copy(path, folder)
    return {path: functools.partial(studies.read, path) for path in folder.glob("*.yml")}, studies.StudyError


def archive(folder):
    def read(path):
        with tempfile.TemporaryDirectory(dir=folder) as unpacked:
            files.unpack(path, unpacked, lambda name: True, most_bytes=10**6)

    paths = [folder / "a.tar", folder / "b.tar.gz"]
    for path, mode in zip(paths, ("w", "w:gz"), strict=True):
        with tarfile.open(path, mode) as tar:
            tar.add(files.ROOT / "LICENSE", "runs/a/record.json")
            tar.add(files.ROOT / "LICENSE", "runs/b/history.csv")
    return {path: functools.partial(read, path) for path in paths}, files.ArchiveError


def original_checkpoint(folder):
    import tensorflow as tf

    from autoaug import checkpoints, models

    model, compat = models.build_model("wrn", depth=10, widen_factor=1), tf.compat.v1
    values = {name: variable.numpy() + 1 for name, variable in checkpoints.tf1_names(model).items()}
    with tf.Graph().as_default(), compat.Session() as session:
        made = [compat.get_variable(name, initializer=value) for name, value in values.items()]
        session.run(compat.global_variables_initializer())
        compat.train.Saver(made).save(session, str(folder / "model.ckpt"), 3, write_meta_graph=False)
    return dict.fromkeys(folder.iterdir(), lambda: checkpoints.load_tf1(model, folder)), checkpoints.CheckpointError


def run_checkpoint(folder):
    import tensorflow as tf

    from autoaug.training.checkpoints import Checkpoints as RunCheckpoints
    from autoaug.training.checkpoints import DamagedCheckpointError

    written = RunCheckpoints(folder, weights=tf.Variable(tf.ones(1000)), history=tf.Variable("[]"))
    written.save(4)
    return dict.fromkeys(folder.iterdir(), written.restore), DamagedCheckpointError


KINDS = {results: 5500, data: 2500, study: 1000, archive: 1000, original_checkpoint: 300, run_checkpoint: 300}


def attack(make, count, seed, outcomes):
    """In a process of its own: read a kind's files, whole and then damaged one at a time; tell how each read ended."""
    warnings.simplefilter("ignore")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # TensorFlow's messages
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        readers, expected = make(folder)
        contents = {path: path.read_bytes() for path in sorted(readers)}
        for read in readers.values():
            read()
        before, slowest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0.0
        for number in range(count):
            chance = random.Random(f"{seed} {make.__name__} {number}")
            path = chance.choice(list(contents))
            change = mutated_inside if path.suffix in (".npz", ".gz") and chance.random() < 0.6 else mutated
            path.write_bytes(change(contents[path], chance, path.suffix in (".json", ".csv", ".yml", "")))
            started, outcome = time.perf_counter(), "value"
            try:
                readers[path]()
            except expected as error:
                outcome = "error" if str(path.parent) in str(error) else f"{number}: {path} is not in: {error}"
            except BaseException as error:
                outcome = f"{number}: {type(error).__name__}: {error}"
            slowest = max(slowest, time.perf_counter() - started)
            path.write_bytes(contents[path])
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
            outcomes.send((outcome[:300], slowest, grown))


def watch(make, count, seed):
    """Attack a kind, print its row, and return what failed."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=attack, args=(make, count, seed, theirs))
    process.start()
    theirs.close()
    started, outcomes, slowest, grown = time.perf_counter(), [], 0.0, 0.0
    try:
        while len(outcomes) < count:
            if not ours.poll(TIMEOUT + (100 if not outcomes else 0)):  # the first comes after the imports
                raise EOFError("hangs")
            outcome, slowest, grown = ours.recv()
            outcomes.append(outcome)
    except EOFError as end:
        outcomes.append(f"{len(outcomes)}: {str(end) or 'the process ended'}")
    process.kill()
    process.join()
    failed = [outcome for outcome in outcomes if outcome not in ("value", "error")]
    failed += [f"{grown:.0f} MB"] * (grown > MEMORY)
    cells = (len(outcomes), outcomes.count("value"), outcomes.count("error"), len(failed))
    seconds = time.perf_counter() - started
    print(make.__name__.ljust(20), *(f"{n:9,}" for n in cells), f"{seconds:9.0f}{slowest:9.2f}{grown:9.0f}", flush=True)
    return [f"{make.__name__} {text}" for text in failed]


def main():
    """Print a row for each kind of file, and every failure; returns the exit status."""
    seed, started = (sys.argv[1] if len(sys.argv) > 1 else "0"), time.perf_counter()
    heads = ("mutations", "values", "errors", "failures", "seconds", "slowest", "MB more")
    print(f"damaged files, seed {seed}".ljust(20), *(head.rjust(9) for head in heads))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        failures = [text for part in pool.map(watch, KINDS, KINDS.values(), [seed] * len(KINDS)) for text in part]
    print(f"{sum(KINDS.values()):,} mutations in {time.perf_counter() - started:.0f} s; failures: {len(failures)}")
    print(*failures[:50], sep="\n")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
