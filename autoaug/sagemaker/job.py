"""The configuration of a SageMaker job: pure functions from a training and options.

The dictionary that `describe` returns has the names and the nesting of the SDK's `ModelTrainer` and its configurations;
`launch` checks and submits it. docs/sagemaker.md says what is where in the bucket.
"""

import pathlib
import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import yaml

from autoaug import recipes
from autoaug.datasets import DATASETS, DESIGNS, EMBEDDED
from autoaug.files import ROOT, parameters_of
from autoaug.runs import record
from autoaug.sagemaker.options import LIMIT_HOURS, Options, convert, expect

CHECKPOINTS = "/opt/ml/checkpoints"
SOURCE = ("autoaug", "data_prep", "notebooks/train.ipynb", "requirements-container.txt")
ENTRY_SCRIPT = "autoaug/sagemaker/container.py"

_IF_STUDIED = (*DESIGNS, "cinic10")  # partners that a bucket need not hold for a training alone
_LONG_HOURS, _SHORT_HOURS = 48, 2  # at least; the first is the original's limit
_MILLISECONDS = 5  # for an image of an epoch, twice what the largest model should take on an NVIDIA A10 (not measured)

# CloudWatch metrics, found in the output of `train` (see `progress` and `container`).
_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_METRICS = {"train:loss": rf"  loss {_NUMBER}", "train:accuracy": rf"  accuracy {_NUMBER}"}

_SEVERAL = yaml.safe_load(pathlib.Path(__file__).with_name("gpus.yml").read_text("utf-8"))


def gpus(instance_type: str) -> int:
    """Number of GPUs of an instance type; one is assumed for a type of GPUs that is not in gpus.yml."""
    return _SEVERAL.get(instance_type, int(instance_type[3] in "gp"))


def hosts(training: "Training", instance_type: str) -> int:
    """Number of hosts: one for each worker, or one for all of them if it has a GPU for each.

    LaunchError if a GPU would be paid for in vain, or the published recipe would run on a CPU unasked.
    """
    count, workers, device = gpus(instance_type), training.workers, training.device
    received = f"{instance_type}, workers {workers}, device {device}"
    expect(not count or device != "cpu", "an instance type without GPU, as ml.m5.4xlarge, for device cpu", received)
    expect(count <= 1 or workers == count, f"workers {count}, one for each GPU, or a type with one GPU", received)
    shared = count <= 1 or training.recipe.batch_size % workers == 0
    expect(shared, "a batch_size that the workers can share equally", f"{received}, {training.recipe.batch_size}")
    asked = count or device == "cpu" or training.recipe.preset != "paper"
    expect(asked, "a type with a GPU for the preset paper, as ml.g5.2xlarge, or device cpu", received)
    return workers if count <= 1 else 1


def parameters() -> dict[str, Any]:
    """The parameters of train.ipynb that a job can be told, with their defaults (there and nowhere else)."""
    every = parameters_of(ROOT / "notebooks" / "train.ipynb")
    return {name: default for name, default in every.items() if name not in ("data_dir", "results_dir")}


def changed(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Of a notebook with the parameters of train.ipynb, those whose values differ from the defaults."""
    return {name: namespace[name] for name, default in parameters().items() if namespace[name] != default}


class Training(NamedTuple):
    """What a job trains, from `training`; `given` has the parameters that were given for it."""

    recipe: recipes.Recipe
    train_data: str
    seed: int
    workers: int
    device: str
    given: dict[str, Any]

    @property
    def name(self) -> str:
        """`<short model>-<data set>-<workers>`, as in the original."""
        return f"{recipes.SHORT_NAMES[self.recipe.model]}-{self.train_data}-{self.workers}".replace("_", "-")

    def hyperparameters(self) -> dict[str, Any]:
        """What the notebook is told: what defines the run, and what else was given."""
        recipe = self.recipe
        run: dict[str, Any] = {"model": recipe.model, "train_data": self.train_data, "preset": recipe.preset}
        run |= {"epochs": recipe.epochs, "seed": self.seed, "workers": self.workers}
        run |= {"checkpoint_epochs": recipe.epochs}  # inside epochs, every checkpoint_minutes
        others = {name: value for name, value in self.given.items() if name not in ("model", "epochs")}
        return run | {name: value for name, value in others.items() if value != ""}  # the SDK cannot send empty texts


def training(given: Mapping[str, Any]) -> Training:
    """The training of train.ipynb with these parameters, and its defaults for the others; or a ValueError."""
    known, told = parameters(), {}
    for name, value in given.items():
        recipes.require_known("parameter", name, known)
        kind = type(known[name])
        told[name] = convert(dict[str, int] if kind is dict else kind, value, name)
    every = known | told
    recipe = recipes.variant(every["model"], every["preset"], **{name: every[name] for name in recipes.CHANGES})
    data = every["train_data"]
    recipes.require_known("train_data", data, [name for name, spec in DATASETS.items() if spec.training_files])
    recipes.check_options(every)
    expect(not recipe.xla or every["workers"] == 1, "xla=False with several workers", "xla=True")
    recipe.steps_per_epoch(DATASETS[data].train_size - recipe.validation_size, every["workers"])
    return Training(recipe, data, every["seed"], every["workers"], every["device"], told)


def default_test_sets(train_data: str, studied: Collection[str] = ()) -> list[str]:
    """The test sets of a model besides its own, so that the four accuracies of each comparison exist.

    These are the test parts of its original or its reproductions, and older test sets of the same kind, unless they are
    part of those. Judges are tested on all that their study compares; some partners count only if it trains them.
    """
    own, tests = DATASETS[train_data], {spec.original_test for spec in DATASETS.values()}
    partners = [name for name, spec in DATASETS.items() if train_data == spec.original or name == own.original]
    compared = [name for name in partners if name not in _IF_STUDIED or name in studied]
    compared += [name for name in studied if not own.test_size and DATASETS[name].test_size]
    originals = [DATASETS[name].original_test for name in (train_data, *compared)]
    older = [
        name
        for name, spec in DATASETS.items()
        if spec.family == own.family and not spec.training_files and name not in tests
        if spec.part_of not in (train_data, *compared)
    ]
    return [name for name in dict.fromkeys((*compared, *originals, *older)) if name not in ("", train_data)]


def _test_sets(training: Training, options: Options, studied: Collection[str]) -> list[str]:
    family = DATASETS[training.train_data].family
    known = [name for name, spec in DATASETS.items() if spec.test_file and spec.family == family]
    own = [name for name in known if name == training.train_data]
    for name in options.test_sets:
        recipes.require_known("test_sets", name, known)
    return [*own, *(options.test_sets or default_test_sets(training.train_data, studied))]


def channel_name(data_name: str) -> str:
    """The channel of a data set; SM_CHANNEL_<name> must be a valid name in a shell."""
    return re.sub(r"\W", "_", data_name)


def checkpoint_path(training: Training, options: Options) -> str:
    """S3 path of the run while it trains; its last eight letters are a hash of all that defines the run."""
    run_id = record.name(training.recipe, training.train_data, training.seed, training.workers)
    return f"s3://{options.bucket}/checkpoints/{training.name}-{training.recipe.preset}-{run_id[-8:]}"


def describe(training: Training, options: Options, studied: Collection[str] = ()) -> dict[str, Any]:
    """The configuration of a job: a dictionary of `ModelTrainer`'s arguments, `source_code.source_dir` left out.

    `studied` are the training sets of its study, whose test sets it compares.
    """
    is_spot, stopping = _limits(training, options)
    tests = _test_sets(training, options, studied)
    channels = [name for name in dict.fromkeys([training.train_data, *tests]) if name not in EMBEDDED]  # drawn there
    metrics = _METRICS | {f"test:accuracy:{name}": rf"test accuracy {re.escape(name)} {_NUMBER}" for name in tests}
    configuration: dict[str, Any] = {
        "base_job_name": training.name,
        "role": options.role or None,
        "training_image": options.image or None,
        "source_code": {"entry_script": ENTRY_SCRIPT, "requirements": "requirements-container.txt"},
        "compute": {
            "instance_type": options.instance_type,
            "instance_count": hosts(training, options.instance_type),
            "volume_size_in_gb": options.volume_gb,
            "volume_kms_key_id": options.volume_kms_key or None,
            "enable_managed_spot_training": is_spot,
        },
        "stopping_condition": stopping,
        "input_data_config": [
            {"channel_name": channel_name(name), "data_source": f"s3://{options.bucket}/data/{name}/training"}
            for name in channels
        ],
        "output_data_config": {"s3_output_path": f"s3://{options.bucket}/jobs", "kms_key_id": options.kms_key or None},
        "checkpoint_config": {"s3_uri": checkpoint_path(training, options), "local_path": CHECKPOINTS},
        "hyperparameters": training.hyperparameters(),
        "metric_definitions": [{"name": name, "regex": regex} for name, regex in metrics.items()],
        "tags": [{"key": key, "value": value} for key, value in options.tags.items()],
    }
    return configuration | _networking(options)


def _networking(options: Options) -> dict[str, Any]:
    both = [*options.subnets, *options.security_groups]
    expect(bool(options.subnets) == bool(options.security_groups), "subnets and security_groups, or neither", both)
    own = "with network_isolation an image of your own, since SageMaker's installs packages from the network"
    expect(options.image or not options.network_isolation, own, options.image)
    networking = {
        "subnets": list(options.subnets) or None,
        "security_group_ids": list(options.security_groups) or None,
        "enable_inter_container_traffic_encryption": options.encrypt_traffic,
        "enable_network_isolation": options.network_isolation or None,
    }
    return {"networking": networking} if any(networking.values()) else {}


def _limits(training: Training, options: Options) -> tuple[bool, dict[str, int]]:
    """Whether on spot instances, and the longest time of the job, there also with the wait for an instance."""
    is_paper = training.recipe.preset == "paper"
    images = training.recipe.epochs * DATASETS[training.train_data].train_size
    hours = max(_LONG_HOURS if is_paper else _SHORT_HOURS, -(-images * _MILLISECONDS // training.workers // 3_600_000))
    expect(not 0 < options.max_run_hours < 0.1, "max_run_hours of at least 0.1, or 0", options.max_run_hours)
    seconds = round(3600 * (options.max_run_hours or min(LIMIT_HOURS, hours)))
    is_spot = is_paper if options.spot == "auto" else options.spot == "yes"
    waiting = {"max_wait_time_in_seconds": min(2 * seconds, LIMIT_HOURS * 3600)} if is_spot else {}
    return is_spot, {"max_runtime_in_seconds": seconds} | waiting
