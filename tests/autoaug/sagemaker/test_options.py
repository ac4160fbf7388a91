"""Options of a job are read alike from the command line, the environment and notebooks, or refused by name."""

import dataclasses
import re

import pytest

from autoaug.sagemaker import __main__ as command
from autoaug.sagemaker import options

NAMES = [field.name for field in dataclasses.fields(options.Options)]
VPC = {"subnets": "subnet-1, subnet-2", "security_groups": "sg-1"}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(f"AUTOAUG_{name.upper()}", raising=False)


@pytest.fixture
def asked(monkeypatch):
    """A function: the options of a `launch` with these arguments, which is not carried out."""
    seen = []
    monkeypatch.setattr(command.launch, "launch", lambda _, options: seen.append(options))
    return lambda *arguments: seen[-1] if command.main(["launch", *arguments]) == 0 else None


@pytest.mark.parametrize(
    ("name", "text", "in_notebook", "value"),
    [
        ("bucket", "s3://my-bucket/", "my-bucket", "my-bucket"), ("volume_gb", "99", 99.0, 99),
        ("max_run_hours", "1.5", 1.5, 1.5), ("spot", "no", False, "no"), ("spot", "true", True, "yes"),
        ("wait", "True", "yes", True),
        ("encrypt_traffic", "off", "no", False), ("test_sets", "cifar10.2", ["cifar10.2"], ("cifar10.2",)),
        ("subnets", "subnet-1,subnet-2", ["subnet-1", "subnet-2"], ("subnet-1", "subnet-2")),
        ("subnets", '["subnet-1"]', "subnet-1", ("subnet-1",)),
        ("tags", "project=shift,number=010", {"project": "shift", "number": "010"},
         {"project": "shift", "number": "010"}),
        ("tags", '{"team": "a,b"}', {"team": "a,b"}, {"team": "a,b"}), ("tags", "n=1234", {"n": 1234}, {"n": "1234"}),
    ],
)  # fmt: skip
def test_an_option_is_the_same_from_everywhere(name, text, in_notebook, value, asked, monkeypatch):
    others = {key: other for key, other in VPC.items() if name == "subnets" and key != name}
    from_notebook = options.from_given(others | {name: in_notebook})
    assert getattr(from_notebook, name) == value
    for key, other in others.items():
        monkeypatch.setenv(f"AUTOAUG_{key.upper()}", other)
    assert asked(f"--{name}", text) == from_notebook
    assert asked(f"--{name.replace('_', '-')}={text}") == from_notebook
    monkeypatch.setenv(f"AUTOAUG_{name.upper()}", text)
    assert options.from_given({}) == asked() == from_notebook


def test_a_switch_is_given_by_its_name_alone_and_overrules_the_environment(asked, monkeypatch):
    assert asked("--wait").wait and not asked().wait
    monkeypatch.setenv("AUTOAUG_WAIT", "True")
    assert asked().wait and not asked("--wait", "no").wait


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("wait", "maybe", "wait: Expected `bool`, got `str`. Received: 'maybe'"),
        ("encrypt_traffic", 7, "encrypt_traffic: Expected `bool`, got `int`. Received: 7"),
        ("volume_gb", "1.5", "volume_gb: Expected `int`"), ("volume_gb", True, "volume_gb: Expected `int`"),
        ("volume_gb", 0, "volume_gb: Expected `int` >= 1"),
        ("max_run_hours", "nan", "max_run_hours: Expected `float`"),
        ("max_run_hours", 1000, "max_run_hours: Expected `float` <= 672"), ("tags", 1234, "tags: Expected `object`"),
        ("tags", "project", "tags: Expected values such as a,b or k=v. Received: 'project'"),
        ("tags", {"a": None}, "tags: Expected"), ("tags", "=v", "Expected NAME=TEXT, with a name. Received: '=v'"),
        ("subnets", 7, "subnets: Expected `array`, got `int`"),
        ("subnets", "[" * 10**5, "subnets: Expected"), ("subnets", "vpc-1", "subnets: Expected subnet-….*'vpc-1'"),
        ("security_groups", ["sg 1"], "security_groups: Expected sg-…"),
        ("bucket", "My Bucket", "bucket: Expected a name such as my-bucket. Received: 'My Bucket'"),
        ("bucket", "s3://b/folder", "bucket: Expected"), ("bucket", 2026, "bucket: Expected `str`"),
        ("role", "training", "role: Expected arn:aws:iam::.*Received: 'training'"),
        ("instance_type", "p3", "instance_type: Expected"), ("spot", "perhaps", "spot: Expected auto, yes or no"),
        ("buket", "x", "Expected option, one of bucket, role.*'buket'. Did you mean bucket"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_by_name(name, value, message, monkeypatch):
    with pytest.raises(ValueError, match=message):
        options.from_given({name: value})
    if isinstance(value, str) and len(value) < 1000:
        monkeypatch.setenv(f"AUTOAUG_{name.upper()}", value)
        with pytest.raises(ValueError, match=rf"AUTOAUG_{name.upper()}(: |'\. Did you mean AUTOAUG_BUCKET)"):
            options.from_given({})


@pytest.mark.parametrize(
    "arguments", [["--subnets", "vpc-1"], ["--tags", "project"], ["--volume_gb", "many"], ["--xla", "perhaps"]]
)
def test_the_command_refuses_too(arguments, capsys):
    assert command.main(["launch", "--show", *arguments]) == 2
    assert re.search(r"Expected .*Received: ", capsys.readouterr().err)


def test_every_option_has_its_help_and_the_notebooks_parameters_have_theirs(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert command.main(["launch", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert [name for name in NAMES if f"--{name.replace('_', '-')}" not in shown] == []
    told = "name of the S3 bucket that holds data", "(default: 'ml.g5.2xlarge')", "(default: 50)", "(default: 'quick')"
    assert [text for text in told if text not in shown] == []
    assert command.main(["study", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "[default: 4;" in shown and "--wait" not in shown
