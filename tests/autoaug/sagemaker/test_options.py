"""Options of a job have the same names everywhere; what is missing is said at once."""

import argparse
import dataclasses
import re

import pytest

from autoaug import study
from autoaug.files import ROOT
from autoaug.sagemaker import launch, options, sweep

NAMES = [field.name for field in dataclasses.fields(options.Options)]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(f"AUTOAUG_{name.upper()}", raising=False)


def parse(*arguments):
    parser = argparse.ArgumentParser()
    options.add_to(parser)
    return options.from_arguments(parser.parse_args(arguments))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("bucket", "my-bucket", "my-bucket"), ("volume_gb", "99", 99), ("max_run_hours", "1.5", 1.5),
        ("spot", "no", "no"), ("test_sets", '["cifar10.2"]', ("cifar10.2",)),
        ("tags", '{"project": "shift"}', {"project": "shift"}),
    ],
)  # fmt: skip
def test_an_option_is_the_same_from_the_command_line_the_environment_and_the_notebook(name, text, value, monkeypatch):
    from_command = parse(f"--{name}", text)
    in_notebook = list(value) if isinstance(value, tuple) else value
    assert from_command == options.from_given({name: in_notebook}) != options.Options()
    assert getattr(from_command, name) == value
    monkeypatch.setenv(f"AUTOAUG_{name.upper()}", text)
    assert options.from_given({}) == parse() == from_command


def test_a_switch_is_given_by_its_name_alone(monkeypatch):
    assert parse("--wait").wait and not parse().wait
    monkeypatch.setenv("AUTOAUG_WAIT", "true")
    assert parse().wait and not parse("--no-wait").wait


def test_the_notebook_has_the_most_used_options_as_parameters_and_no_others():
    known = set(study.parameters_of(ROOT / "notebooks" / "train.ipynb"))
    assert known & set(NAMES) == {"bucket", "role", "instance_type"} and "job_options" in known


def test_every_option_has_its_help_from_the_docstring_with_its_default(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    for command in (launch, sweep):
        with pytest.raises(SystemExit):
            command.main(["--help"])
        shown = " ".join(capsys.readouterr().out.split())
        for name in NAMES:
            assert re.search(rf"--{name}(, --no-{name}| {name.upper()}) [^-]", shown), name
        assert "--bucket BUCKET" in shown and "name of the S3 bucket that holds data, checkpoints and results" in shown
        assert "(default: ml.g5.2xlarge)" in shown and "(default: 50)" in shown and shown.count("Example: ") == 1


def test_what_is_missing_is_named_together_with_all_ways_to_give_it():
    assert options.Options("my-bucket", "arn:aws:iam::123456789012:role/training").missing() == []
    bucket, role = options.Options().missing()
    for name, line in (("bucket", bucket), ("role", role)):
        assert f"--{name} " in line and f"AUTOAUG_{name.upper()}=" in line and f"-p {name} " in line


def test_an_unknown_option_and_a_wrong_variable_are_refused(monkeypatch):
    with pytest.raises(options.LaunchError, match=r"Expected options of bucket, role.* Received: buket"):
        options.from_given({"buket": "x"})
    monkeypatch.setenv("AUTOAUG_TAGS", "project")
    with pytest.raises(options.LaunchError, match=r"Expected AUTOAUG_TAGS, a value in JSON\. Received: 'project'"):
        options.from_given({})
