"""The configuration of a SageMaker job: pure functions from a recipe and options.

The dictionary that `describe` returns has the names and the nesting of the SDK's `ModelTrainer` and its configurations;
`launch` checks and submits it. In S3 a study is one bucket:

    data/<name>/training/               the data sets, as on disk
    checkpoints/<job>-<preset>-<hash>/  SageMaker's copy of /opt/ml/checkpoints: the run while it trains
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
from autoaug.datasets import DATASETS, DESIGNS, EMBEDDED, TEST_PARTS, partners
from autoaug.sagemaker import instances
from autoaug.sagemaker.options import LIMIT_HOURS, LaunchError, Options, expect

CHECKPOINTS = "/opt/ml/checkpoints"
SOURCE = ("autoaug", "data_prep", "notebooks/train.ipynb", "requirements.lock", "requirements-container.txt")
ENTRY_SCRIPT = "autoaug/sagemaker/container.py"
LONG_HOURS = 48  # the original's limit

# CloudWatch metrics, found in the output of `train` (see `progress` and `container`).
_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_METRICS = {"train:loss": rf"  loss {_NUMBER}", "train:accuracy": rf"  accuracy {_NUMBER}"}


@dataclasses.dataclass(frozen=True)
class Training:
    """The training of a job.

    Args:
        recipe: `recipes.Recipe`.
        train_data: name of the data set.
        seed: of all random choices, in `recipes.SEEDS`.
        workers: number of workers: one on each host or, on an instance with several GPUs, one on each GPU.
        update: one of `recipes.UPDATES`, how several workers update the model.
        evaluate_every: epochs from one evaluation of the test sets to the next, as in train.ipynb.
        device: one of `recipes.DEVICES`.

    Raises:
        LaunchError: an argument is not as it should be.
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
        """Number of images that are trained on."""
        return DATASETS[self.train_data].train_size - self.recipe.validation_size

    @property
    def name(self) -> str:
        """`<short model>-<data set>-<workers>`, as in the original."""
        return f"{recipes.SHORT_NAMES[self.recipe.model]}-{self.train_data.replace('_', '-')}-{self.workers}"

    def parameters(self) -> dict[str, Any]:
        """The parameters of the training notebook: the main ones, and those in which the recipe differs from its
        preset.

        Raises:
            LaunchError: the notebook has no parameters for this recipe.
        """
        recipe = self.recipe
        try:
            changed = recipes.changes(recipe)
        except ValueError as error:
            raise LaunchError(str(error)) from error
        parameters: dict[str, Any] = {"model": recipe.model, "train_data": self.train_data, "preset": recipe.preset}
        parameters |= {"epochs": recipe.epochs, "seed": self.seed, "workers": self.workers}
        if self.evaluate_every != -1:
            parameters["evaluate_every"] = self.evaluate_every
        if self.device != "auto":
            parameters["device"] = self.device
        return parameters | {"checkpoint_epochs": recipe.epochs} | changed  # inside epochs, every checkpoint_minutes

    def hours(self, instance_type: str) -> float | None:
        """Estimated hours on hosts of a type, with all workers at once; None for an unknown size or device.

        This is a guess from published rates (see `duration`), not a measurement.
        """
        recipe = self.recipe
        if recipe.size != recipes.get(recipe.model, recipe.preset).size:
            return None
        device = instances.device(instance_type)
        flops = recipes.TRAINING_FLOPS[recipe.preset][recipe.model] * self.train_size * recipe.epochs / self.workers
        return duration.durations(flops)[device].total_seconds() / 3600 if device else None

    def digest(self) -> str:
        """Hash of everything that defines the run, except the content of its data."""
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
    """The test sets of a model besides its own, so that the four accuracies of each comparison exist.

    These are the original or the reproductions of its training set, and test-only sets of the same kind, unless they
    are the test part of a set that is already included. Reproductions of a known truth are included only if the same
    study trains on them.

    Args:
        train_data: name of the training set.
        studied: names of all training sets of the study.
    """
    compared = [name for name in partners(train_data) if name not in DESIGNS or name in studied]
    family, tested = DATASETS[train_data].family, {train_data, *compared}
    only_tests = [name for name, spec in DATASETS.items() if spec.family == family and not spec.training_files]
    return (*compared, *(name for name in only_tests if TEST_PARTS.get(name) not in tested))


def test_sets(training: Training, options: Options) -> list[str]:
    """Names of all test sets of a job's model."""
    others = options.test_sets or default_test_sets(training.train_data)
    return list(dict.fromkeys([training.train_data, *others]))


def channels(training: Training, options: Options) -> dict[str, str]:
    """Data set → S3 path of its channel; embedded sets have none, since they are built in the container."""
    names = [name for name in test_sets(training, options) if not is_built(name)]
    return {name: f"s3://{options.bucket}/data/{name}/training" for name in names}


def is_built(name: str) -> bool:
    """Whether the training notebook itself builds a data set."""
    return name in EMBEDDED


def channel_name(data_name: str) -> str:
    """The channel of a data set; SM_CHANNEL_<name> must be a valid name in a shell."""
    return re.sub(r"\W", "_", data_name)


def describe(training: Training, options: Options) -> dict[str, Any]:
    """The configuration of a job: a dictionary of `ModelTrainer`'s arguments, `source_code.source_dir` left out.

    Raises:
        LaunchError: the notebook has no parameters for this recipe; a value contains an apostrophe, which the drivers
            of the container cannot handle; or the instance does not fit (`instances.hosts`, `check_device`).
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
    """S3 path of the run while it trains."""
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
