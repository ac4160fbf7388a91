"""A training as a SageMaker job, on paper: pure functions from a recipe and options to what the job is told.

The dictionary that `describe` returns has the names and the nesting of the SDK's `ModelTrainer` and its configurations;
`launch` checks and submits it. In S3 a study is one bucket:

    data/<name>/training/               the data sets, as on disk
    checkpoints/<job>-<preset>-<hash>/  what SageMaker keeps in step with /opt/ml/checkpoints: the run in the making
    jobs/<job>-<timestamp>/             input/code: the source that was sent; output/: model.tar.gz (record and last
                                        checkpoint), output.tar.gz (record, history, predictions, executed notebook)
"""

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Collection
from typing import Any

from autoaug import duration, recipes
from autoaug.datasets import DATASETS, DESIGNS, EMBEDDED
from autoaug.datasets.catalogue import TEST_PARTS, partners
from autoaug.sagemaker import instances
from autoaug.sagemaker.options import LIMIT_HOURS, LaunchError, Options, expect

CHECKPOINTS = "/opt/ml/checkpoints"
SOURCE = ("autoaug", "data_prep", "notebooks/train.ipynb", "requirements.lock", "requirements-container.txt")
ENTRY_SCRIPT = "autoaug/sagemaker/container.py"
LONG_HOURS = 48  # what the original allowed

# What `train` prints (see `progress` and `container`), as CloudWatch metrics.
_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_METRICS = {"train:loss": rf"  loss {_NUMBER}", "train:accuracy": rf"  accuracy {_NUMBER}"}


@dataclasses.dataclass(frozen=True)
class Training:
    """What a job trains.

    Args:
        recipe: `recipes.Recipe`.
        train_data: name of the data set.
        seed: of all random choices, of `recipes.SEEDS`.
        workers: how many train: one on each host, or, of an instance with several GPUs, one on each of them.
        update: one of `recipes.UPDATES`, how several workers update the model.
        evaluate_every: epochs from one evaluation of the test sets to the next, as in train.ipynb.
        device: one of `recipes.DEVICES`.

    Raises:
        LaunchError: an argument is not what it should be.
        ValueError: the seed is out of range, or the training set is smaller than a batch for each worker.
    """

    recipe: recipes.Recipe
    train_data: str
    seed: int = 0
    workers: int = 1
    update: str = "async"
    evaluate_every: int = -1
    device: str = "auto"

    def __post_init__(self) -> None:
        known = [name for name, spec in DATASETS.items() if spec.training_files]
        expect(self.train_data in known, f"train_data, one of {', '.join(known)}", self.train_data)
        recipes.check_seed(self.seed)
        expect(isinstance(self.workers, int) and self.workers >= 1, "workers of at least 1", self.workers)
        expect(self.update in recipes.UPDATES, f"update, one of {', '.join(recipes.UPDATES)}", self.update)
        expect(self.device in recipes.DEVICES, f"device, one of {', '.join(recipes.DEVICES)}", self.device)
        if self.update == "sync":
            shared = f"workers that can share a batch of {self.recipe.batch_size} equally"
            expect(self.recipe.batch_size % self.workers == 0, shared, self.workers)
        self.recipe.steps_per_epoch(self.train_size, self.workers)

    @property
    def train_size(self) -> int:
        """Images that are trained on."""
        return DATASETS[self.train_data].train_size - self.recipe.validation_size

    @property
    def name(self) -> str:
        """`<short model>-<data set>-<workers>`, as the original named its jobs."""
        return f"{recipes.SHORT_NAMES[self.recipe.model]}-{self.train_data.replace('_', '-')}-{self.workers}"

    def parameters(self) -> dict[str, Any]:
        """The parameters of the training notebook: the main ones, and those in which the recipe is not the preset's.

        Raises:
            LaunchError: the notebook cannot be told this recipe.
        """
        recipe = self.recipe
        try:
            changed = recipes.changes(recipe)
        except ValueError as error:
            raise LaunchError(str(error)) from error
        parameters: dict[str, Any] = {"model": recipe.model, "train_data": self.train_data, "preset": recipe.preset}
        parameters |= {"epochs": recipe.epochs, "seed": self.seed, "workers": self.workers}
        if self.workers > 1:
            parameters["update"] = self.update
        if self.evaluate_every != -1:
            parameters["evaluate_every"] = self.evaluate_every
        if self.device != "auto":
            parameters["device"] = self.device
        return parameters | {"checkpoint_epochs": recipe.epochs} | changed  # inside epochs, every checkpoint_minutes

    def hours(self, instance_type: str) -> float | None:
        """Estimated hours on hosts of a type, all workers at once; None for an unknown size or device.

        A guess from published rates (see `estimate`), not a measurement.
        """
        recipe = self.recipe
        if recipe.size != recipes.get(recipe.model, recipe.preset).size:
            return None
        device = instances.device(instance_type)
        flops = recipes.TRAINING_FLOPS[recipe.preset][recipe.model] * self.train_size * recipe.epochs / self.workers
        return duration.durations(flops)[device].total_seconds() / 3600 if device else None

    def digest(self) -> str:
        """Hash of all that defines the run, its data's content aside."""
        identity = [dataclasses.asdict(self.recipe), self.train_data, self.seed, self.workers, self.update]
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]


def is_here(launch: str) -> bool:
    """Whether the notebook's parameter `launch` says to train here.

    Raises:
        LaunchError: it is neither "here" nor "sagemaker".
    """
    expect(launch in ("here", "sagemaker"), "launch, here or sagemaker", launch)
    return launch == "here"


def default_test_sets(train_data: str, studied: Collection[str] = ()) -> tuple[str, ...]:
    """What a model is tested on beside its own test set, so that the four accuracies of each comparison exist.

    These are the original or the reproductions of its training set, and the sets of the same kind that are for testing
    only, unless they are the test part of one that is there. Of the reproductions of a known truth, only those of the
    same study.

    Args:
        train_data: name of the training set.
        studied: names of all training sets of the study.
    """
    compared = [name for name in partners(train_data) if name not in DESIGNS or name in studied]
    family, tested = DATASETS[train_data].family, {train_data, *compared}
    only_tests = [name for name, spec in DATASETS.items() if spec.family == family and not spec.training_files]
    return (*compared, *(name for name in only_tests if TEST_PARTS.get(name) not in tested))


def test_sets(training: Training, options: Options) -> list[str]:
    """Names of all sets that a job's model is tested on."""
    others = options.test_sets or default_test_sets(training.train_data)
    return list(dict.fromkeys([training.train_data, *others]))


def channels(training: Training, options: Options) -> dict[str, str]:
    """Data set → S3 path of its channel; the drawn sets have none, they are built in the container."""
    names = [name for name in test_sets(training, options) if not is_built(name)]
    return {name: f"s3://{options.bucket}/data/{name}/training" for name in names}


def is_built(name: str) -> bool:
    """Whether a data set is built on the spot by the training notebook."""
    return name in EMBEDDED


def channel_name(data_name: str) -> str:
    """The channel of a data set; SM_CHANNEL_<name> must be a name that a shell takes."""
    return re.sub(r"\W", "_", data_name)


def describe(training: Training, options: Options) -> dict[str, Any]:
    """The configuration of a job: a dictionary of `ModelTrainer`'s arguments, `source_code.source_dir` left out.

    Raises:
        LaunchError: the notebook cannot be told this recipe; a value holds an apostrophe, on which the drivers of the
            container break; or the instance is not one for this training (`instances.hosts`, `check_device`).
    """
    instances.check_device(options.instance_type, training.device, training.recipe.preset)
    hyperparameters = training.parameters()
    for name, value in hyperparameters.items():
        expect("'" not in json.dumps(value), f"{name} without an apostrophe", value)
    seconds, spot = _run_time(training, options)
    stopping = {"max_runtime_in_seconds": seconds}
    if spot:
        stopping["max_wait_time_in_seconds"] = min(2 * seconds, LIMIT_HOURS * 3600)
    configuration: dict[str, Any] = {
        "base_job_name": training.name,
        "role": options.role,
        "training_image": options.image or None,
        "source_code": {"entry_script": ENTRY_SCRIPT, "requirements": "requirements-container.txt"},
        "compute": {
            "instance_type": options.instance_type,
            "instance_count": instances.hosts(options.instance_type, training.workers, training.update),
            "volume_size_in_gb": options.volume_gb,
            "enable_managed_spot_training": spot,
        },
        "stopping_condition": stopping,
        "input_data_config": [
            {"channel_name": channel_name(name), "data_source": path}
            for name, path in channels(training, options).items()
        ],
        "output_data_config": {"s3_output_path": options.output_path},
        "checkpoint_config": {"s3_uri": checkpoint_path(training, options), "local_path": CHECKPOINTS},
        "hyperparameters": hyperparameters,
        "metric_definitions": [{"name": name, "regex": regex} for name, regex in _metrics(training, options).items()],
        "tags": [{"key": key, "value": value} for key, value in options.tags.items()],
    }
    if options.volume_kms_key:
        configuration["compute"]["volume_kms_key_id"] = options.volume_kms_key
    if options.kms_key:
        configuration["output_data_config"]["kms_key_id"] = options.kms_key
    if options.subnets or options.encrypt_traffic:
        configuration["networking"] = {
            "subnets": list(options.subnets) or None,
            "security_group_ids": list(options.security_groups) or None,
            "enable_inter_container_traffic_encryption": options.encrypt_traffic,
        }
    return configuration


def checkpoint_path(training: Training, options: Options) -> str:
    """S3 path of the run in the making."""
    default = f"s3://{options.bucket}/checkpoints/{training.name}-{training.recipe.preset}-{training.digest()}"
    return options.checkpoints or default


def _run_time(training: Training, options: Options) -> tuple[int, bool]:
    """Longest time of the job in seconds, and whether it runs on spot instances."""
    hours, paper = training.hours(options.instance_type), training.recipe.preset == "paper"
    if hours is None:
        hours = LONG_HOURS if paper else 0
    longest = options.max_run_hours or min(LIMIT_HOURS, max(math.ceil(2 * hours), LONG_HOURS if paper else 2))
    return round(3600 * longest), hours > 1 if options.spot == "auto" else options.spot == "yes"


def _metrics(training: Training, options: Options) -> dict[str, str]:
    names = test_sets(training, options)
    return _METRICS | {f"test:accuracy:{name}": rf"test accuracy {re.escape(name)} {_NUMBER}" for name in names}
