"""The one door to SageMaker: `python -m autoaug.sagemaker launch | study | collect`; `--help` lists the options."""

import dataclasses
import functools
import pathlib
import sys
from collections.abc import Sequence
from typing import Annotated, Any, get_origin

import tyro
import yaml
from tyro.conf import FlagConversionOff, OmitArgPrefixes, Positional
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from autoaug.files import ROOT
from autoaug.sagemaker import job, launch
from autoaug.sagemaker.options import Options, convert, from_given

_REGISTRY = ConstructorRegistry()
_METAVARS = {bool: "[YES|NO]", int: "N", float: "N", tuple: "A,B", dict: "NAME=TEXT,…"}


@_REGISTRY.primitive_rule
def _converted(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """Values on the command line are read by `convert`, as everywhere else."""
    kind: Any = info.type
    if not (metavar := _METAVARS.get(get_origin(kind) or kind)):
        return None
    return PrimitiveConstructorSpec(
        nargs=(0, 1) if kind is bool else 1,  # --wait is --wait yes
        metavar=metavar,
        instance_from_str=lambda words: convert(kind, *words) if words else True,
        is_instance=lambda value: True,
        str_from_instance=lambda value: [str(value) if value else ""],
    )


def _training_type() -> type:
    """A dataclass of train.ipynb's parameters as text; None for those that are not given."""
    fields: list[Any] = []
    for name, default in job.parameters().items():
        aliases = ["--model-name"] if name == "model" else []
        told = tyro.conf.arg(help_behavior_hint=f"(default: {default!r})", metavar="VALUE", aliases=aliases)
        fields.append((name, Annotated[str | None, told], None))
    return dataclasses.make_dataclass("Training", fields)


@dataclasses.dataclass
class Launch:
    """Submit a training as a job. train.ipynb explains its parameters; options come from AUTOAUG_<NAME> too. Names may
    be written with - or _: --train-data or --train_data."""

    training: OmitArgPrefixes[Annotated[Any, tyro.conf.arg(constructor_factory=_training_type)]]
    options: OmitArgPrefixes[Options] = dataclasses.field(default_factory=functools.partial(from_given, {}))
    show: bool = False  # print the request and what it will do; needs no account and no network

    def __call__(self) -> None:
        training = job.training({name: value for name, value in vars(self.training).items() if value is not None})
        options = from_given(vars(self.options))
        if self.show:
            request = job.describe(training, dataclasses.replace(options, bucket=options.bucket or "your-bucket"))
            print(yaml.safe_dump(request, sort_keys=False), launch.effects(request), sep="\n")
        else:
            print(launch.launch(training, options))


@dataclasses.dataclass
class Study:
    """Submit the trainings of a study that are due. The same command goes on with what is left."""

    file: Positional[pathlib.Path]  # the study, in YAML, such as notebooks/cifar10.2.yml
    options: OmitArgPrefixes[Options] = dataclasses.field(default_factory=functools.partial(from_given, {}))
    at_once: int = 4  # at most so many jobs in training
    show: bool = False  # print the trainings; needs no account and no network

    def __call__(self) -> None:
        options = from_given(vars(self.options))
        requests = launch.read_study(self.file, options)
        if self.show:
            for request in requests:
                told = request["hyperparameters"]
                print(request["base_job_name"], "seed", told["seed"], told["preset"], launch.effects(request))
        else:
            launch.require_account(options)
            launch.launch_study(requests, self.at_once)


@dataclasses.dataclass
class Collect:
    """Bring the finished runs of jobs into a folder, for the report."""

    url: Positional[str] = ""  # the jobs' results; empty: s3://AUTOAUG_BUCKET/jobs
    results_dir: pathlib.Path = ROOT / "results"  # the runs go to its folder runs/

    def __call__(self) -> int:
        said = launch.collect(self.url or f"s3://{from_given({}).bucket}/jobs", self.results_dir)
        print(*(f"{name}: {words}" for name, words in said.items()), f"{len(said)} found", sep="\n")
        return 1 if any(words.startswith("damaged") for words in said.values()) else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0; 1 if some results are damaged; 2 if something was not as it should be."""
    commands: Any = {"launch": Launch, "study": Study, "collect": Collect}
    try:
        command = tyro.extras.subcommand_cli_from_dict(
            commands, prog="python -m autoaug.sagemaker", description=__doc__, args=arguments, registry=_REGISTRY,
            config=[FlagConversionOff],
        )  # fmt: skip
        return command() or 0
    except (ValueError, *launch.ERRORS) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
