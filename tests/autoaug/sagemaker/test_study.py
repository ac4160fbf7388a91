"""A whole study as jobs, and the results of jobs brought here."""

import gzip
import io
import json
import tarfile

import boto3
import pytest
import yaml

from autoaug.files import ROOT
from autoaug.sagemaker import __main__ as command
from autoaug.sagemaker import launch, options

PAIR = ("cifar10_12k", "cifar105")
OPTIONS = options.Options("my-bucket")


def test_of_any_study_the_trainings_become_jobs_that_are_tested_on_what_it_compares():
    for path in (ROOT / "notebooks").glob("[cfks]*.yml"):
        channels = [request["input_data_config"] for request in launch.read_study(path, OPTIONS)]
        assert max(map(len, channels)) <= 18  # and two of the SDK: SageMaker takes 20
    tests = {f"test:accuracy:{name}" for name in (*PAIR, "cifar10", "cifar10.1-v4", "cifar10.1-v6")}
    for request in launch.read_study(ROOT / "notebooks" / "cifar10.2.yml", OPTIONS):
        assert tests == {metric["name"] for metric in request["metric_definitions"]} - {"train:loss", "train:accuracy"}
    with pytest.raises(options.LaunchError, match=r"report\.yml: Expected runs of train\. Received: 'none'"):
        launch.read_study(ROOT / "notebooks" / "report.yml", OPTIONS)
    with pytest.raises(options.LaunchError, match=r"cifar10\.2\.yml: Expected workers 4, one for each GPU"):
        launch.read_study(ROOT / "notebooks" / "cifar10.2.yml", options.Options(instance_type="ml.g5.12xlarge"))


def create_job(request, status, reason=""):
    """Create a job as requested, in the state that is given."""
    from moto.core import DEFAULT_ACCOUNT_ID  # slow
    from moto.sagemaker.models import sagemaker_backends

    name = f"{request['base_job_name']}-{status}"
    boto3.client("sagemaker").create_training_job(
        TrainingJobName=name, RoleArn=request["role"],
        CheckpointConfig={"S3Uri": request["checkpoint_config"]["s3_uri"]},
        AlgorithmSpecification={"TrainingImage": "image", "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": "s3://study/jobs"}, StoppingCondition={"MaxRuntimeInSeconds": 60},
        ResourceConfig={"InstanceType": "ml.g5.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 5},
    )  # fmt: skip
    made = sagemaker_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"].training_jobs[name]
    made.training_job_status, made.failure_reason = status, reason


@pytest.mark.filterwarnings("ignore")  # of the SDK
def test_a_study_goes_on_with_what_is_due(job_requests, capsys, tmp_path, monkeypatch):
    given = {"parameters": {"preset": "paper", "train_data": "cifar102_30k"}}
    given["each"] = {"model": ["ss112", "ss96", "ss32", "wrn", "shake_shake_32", "pyramid"]}  # one of them twice
    file = tmp_path / "study.yml"
    file.write_text(yaml.safe_dump([{"stage": "a", "runs": [{"notebook": "train"} | given]}]))
    completed, running, failed, *_ = launch.read_study(file, options.from_given({}))
    create_job(completed, "Completed")
    create_job(running, "InProgress")
    create_job(failed, "Failed", reason="AlgorithmError: disk")
    monkeypatch.chdir(tmp_path)
    assert command.main(["study", str(file), "--at_once", "3"]) == 0
    said = capsys.readouterr().out
    requests = job_requests()[3:]
    again, new = [request["TrainingJobName"] for request in requests]
    assert said.splitlines() == [
        "ss112-cifar102-30k-1 seed 0: Completed ss112-cifar102-30k-1-Completed",
        "ss96-cifar102-30k-1 seed 0: InProgress ss96-cifar102-30k-1-InProgress",
        "ss32-cifar102-30k-1 seed 0: Failed ss32-cifar102-30k-1-Failed AlgorithmError: disk", f"    submitted {again}",
        "wrn-cifar102-30k-1 seed 0: new", f"    submitted {new}",
        "pyramid-cifar102-30k-1 seed 0: new",
    ]  # fmt: skip
    assert [request["HyperParameters"]["model"] for request in requests] == ["shake_shake_32", "wrn"]
    assert requests[0]["CheckpointConfig"]["S3Uri"] == failed["checkpoint_config"]["s3_uri"]
    assert command.main(["launch", "--model", "ss96", "--train_data", "cifar102_30k", "--preset", "paper"]) == 2
    assert "Received: 'ss96-cifar102-30k-1-InProgress (InProgress)'" in capsys.readouterr().err
    assert launch.state_of(failed)[1] == again  # the newest of two jobs of one training counts


class TestCollecting:
    @pytest.fixture
    def put(self, aws):
        """A function that puts an archive of results, or other bytes, into the bucket as those of a job."""
        client = boto3.client("s3")
        client.create_bucket(Bucket="results", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

        def put(name, content):
            if isinstance(content, dict):
                buffer = io.BytesIO()
                with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
                    for path, text in content.items():
                        member = tarfile.TarInfo(path)
                        member.size = len(text)
                        tar.addfile(member, io.BytesIO(text.encode()))
                content = buffer.getvalue()
            client.put_object(Bucket="results", Key=f"jobs/{name}/output/output.tar.gz", Body=content)
            return content

        return put

    @staticmethod
    def run(name, status="finished", tests=1):
        kept = json.loads(next((ROOT / "results" / "measured" / "runs").glob("*/record.json")).read_text())
        kept |= {"run_id": name, "status": status, "tests": dict([*kept["tests"].items()][:tests])}
        return {f"runs/{name}/record.json": json.dumps(kept), f"runs/{name}/history.csv": "x"}

    def test_finished_runs_come_once_and_those_trained_here_stay(self, put, tmp_path, capsys):
        put("one", self.run("first") | self.run("begun", "unfinished") | {"train.ipynb": "{}"})
        put("two", self.run("mine"))
        (tmp_path / "runs" / "mine" / "checkpoints").mkdir(parents=True)
        said = launch.collect("s3://results/jobs", tmp_path)
        assert said["first"] == "collected" and said["begun"].startswith("not finished")
        assert said["mine"].startswith("left alone")
        assert (tmp_path / "runs" / "first" / "history.csv").read_text() == "x"
        kept = {"runs", "first", "record.json", "history.csv", "mine", "checkpoints"}
        assert {path.name for path in tmp_path.rglob("*")} == kept
        put("three", self.run("first", tests=2))
        assert command.main(["collect", "s3://results/jobs", "--results_dir", str(tmp_path)]) == 0
        assert "first: collected" in capsys.readouterr().out
        assert list(launch.collect("s3://results/jobs/three", tmp_path)) == ["first"]  # of one job

    def test_damaged_archives_are_named_and_stop_no_others(self, put, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(launch, "_MOST_BYTES", 10**6)
        whole = put("whole", {".": "a file of this name"} | self.run("good"))
        outside = {"../../outside": "x"} | self.run("evil")
        damaged = {
            "half": whole[: len(whole) // 2], "cut": whole[:-4], "other": b"no archive", "empty": b"",
            "headless": gzip.compress(gzip.decompress(whole)[:700]), "outside": outside,
            "large": {"runs/a/b": "0" * 10**7},
            "lists": {"runs/a/record.json": "[" * 10**5}, "recordless": {"runs/a/history.csv": ""},
        }  # fmt: skip
        for name, content in damaged.items():
            put(name, content)
        assert command.main(["collect", "s3://results/jobs", "--results_dir", str(tmp_path / "here")]) == 1
        said = capsys.readouterr().out
        for name in damaged:
            assert f"s3://results/jobs/{name}/output/output.tar.gz: damaged: " in said
        assert "good: collected" in said and [path.name for path in (tmp_path / "here" / "runs").iterdir()] == ["good"]
        assert not list(tmp_path.rglob("outside"))

    def test_a_bucket_that_is_not_there_is_named(self, aws, tmp_path, capsys):
        assert command.main(["collect", "s3://absent/jobs", "--results_dir", str(tmp_path)]) == 2
        assert "NoSuchBucket" in capsys.readouterr().err
        assert command.main(["collect", "jobs"]) == 2
        assert "Expected url, an address such as s3://my-bucket/jobs. Received: 'jobs'" in capsys.readouterr().err
