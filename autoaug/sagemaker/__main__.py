"""The one door to SageMaker: launch a job, submit a study's trainings, collect their results."""

import dataclasses
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import click
import yaml

from autoaug.files import ROOT
from autoaug.sagemaker import job, launch
from autoaug.sagemaker.options import Options, from_given


def _option(name: str, default: Any, text: str = "") -> click.Option:
    """An option whose value `options.convert` reads, as everywhere else."""
    names = [f"--{name.replace('_', '-')}", *(["--model-name"] if name == "model" else [])]  # as the original called it
    alone: Any = {"is_flag": False, "flag_value": "yes"} if isinstance(default, bool) else {}  # --wait is --wait yes
    return click.Option([name, *names], help=f"{text} (default: {default!r})", metavar="VALUE", **alone)


_FIELDS = {field.name: field for field in dataclasses.fields(Options)}
_OPTIONS = [_option(name, *field.metadata.values()) for name, field in _FIELDS.items()]
_PARAMETERS = [_option(name, default) for name, default in job.parameters().items()]


@click.group(help=__doc__, context_settings={"token_normalize_func": lambda name: name.replace("-", "_")})
def cli() -> None:
    pass


@cli.command("launch", params=[*_PARAMETERS, *_OPTIONS])
@click.option("--show", is_flag=True, help="print the request and what it will do; needs no account and no network")
def launch_job(show: bool, **given: Any) -> None:
    """Submit a training as a job. train.ipynb explains its parameters; options come from AUTOAUG_<NAME> too."""
    options = from_given({name: given.pop(name) for name in _FIELDS})
    training = job.training({name: value for name, value in given.items() if value is not None})
    if show:
        request = job.describe(training, dataclasses.replace(options, bucket=options.bucket or "your-bucket"))
        print(yaml.safe_dump(request, sort_keys=False), launch.effects(request), sep="\n")
    else:
        print(launch.launch(training, options))


@cli.command(params=[option for option in _OPTIONS if option.name != "wait"])
@click.argument("file", type=click.Path(path_type=pathlib.Path))
@click.option("--at-once", type=click.IntRange(1), default=4, show_default=True, help="most jobs in training at once")
@click.option("--show", is_flag=True, help="print the trainings; needs no account and no network")
def study(file: pathlib.Path, at_once: int, show: bool, **given: Any) -> None:
    """Submit the trainings of a study, such as notebooks/cifar10.2.yml, that are due. Given again, it goes on."""
    options = from_given(given)
    requests = launch.read_study(file, options)
    if show:
        for request in requests:
            told = request["hyperparameters"]
            print(request["base_job_name"], "seed", told["seed"], told["preset"], launch.effects(request))
    else:
        launch.require_account(options)
        launch.launch_study(requests, at_once)


@cli.command()
@click.argument("url", default="")
@click.option("--results-dir", type=click.Path(path_type=pathlib.Path), default=ROOT / "results")
def collect(url: str, results_dir: pathlib.Path) -> int:
    """Bring the finished runs below URL (s3://AUTOAUG_BUCKET/jobs) into a folder's runs/, for the report."""
    said = launch.collect(url or f"s3://{from_given({}).bucket}/jobs", results_dir)
    print(*(f"{name}: {words}" for name, words in said.items()), f"{len(said)} found", sep="\n")
    return 1 if any(words.startswith("damaged") for words in said.values()) else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0; 1 if some results are damaged; 2 if something was not as it should be."""
    try:
        return cli.main(arguments, prog_name="python -m autoaug.sagemaker", standalone_mode=False) or 0
    except click.ClickException as error:
        error.show()
    except click.Abort:  # Ctrl-C
        return 130
    except (ValueError, *launch.ERRORS) as error:
        print(error, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
