"""Brings the results of jobs from S3 into a folder like `results/`: records, histories, predictions."""

import pathlib
import re
import shutil
import tempfile

import boto3

from autoaug.files import read_json, unpack
from autoaug.sagemaker import launch
from autoaug.sagemaker.options import expect

_MOST_BYTES = 2**32  # of a job's results, unpacked


def collect(url: str, results_dir: pathlib.Path) -> dict[str, str]:
    """Bring every finished run below an address into `results_dir/runs/`; the newest job of a run counts.

    Args:
        url: such as `s3://bucket/jobs`.
        results_dir: for `runs.collect`.

    Returns:
        Run, or address of a damaged archive, which stops no other → what became of it.
    """
    expect(re.fullmatch("s3://[^/]+/.+", url), "url, an address such as s3://my-bucket/jobs", url)
    said: dict[str, str] = {}
    found = {key: written for key, written in launch.listing(url).items() if key.endswith("/output/output.tar.gz")}
    for key in sorted(found, key=lambda key: (found[key], key), reverse=True):
        address = f"{url.rstrip('/')}/{key}"
        try:
            said = _collect_archive(address, results_dir / "runs") | said
        except (*launch.ERRORS, OSError, ValueError, LookupError, TypeError) as error:
            said[address] = f"damaged: {error}"
    return said


def _collect_archive(address: str, runs: pathlib.Path) -> dict[str, str]:
    """Download and unpack an archive beside the runs, then move each of its runs into its place."""
    runs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=runs.parent, prefix=".collect-") as temporary:
        archive, unpacked = (pathlib.Path(temporary) / "output.tar.gz", pathlib.Path(temporary) / "output")
        boto3.client("s3").download_file(*launch.split(address), str(archive))
        unpack(archive, unpacked, lambda path: len(path.parts) > 2 and path.parts[0] == "runs", _MOST_BYTES)
        return {run.name: _move(run, runs / run.name) for run in sorted((unpacked / "runs").glob("*"))}


def _move(run: pathlib.Path, target: pathlib.Path) -> str:
    """Move a run to its place, unless it is unfinished, or there is one that was trained here or tested on as much."""
    record = read_json(run / "record.json")
    if record["status"] != "finished":
        return "not finished: its job, given again, goes on"
    if (target / "checkpoints").exists():
        return "left alone: it was trained in this folder"
    if target.exists() and set(record["tests"]) <= set(read_json(target / "record.json")["tests"]):
        return "here already"
    shutil.rmtree(target, ignore_errors=True)
    run.rename(target)
    return "collected"
