"""A deployment's whole life by the real provider: made, unchanged, updated, rolled back, removed.

moto keeps what it is given and checks few rights, so what the policies say is read from a plan
instead (test_module_plan.py).
"""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.terraform.terraform_cli import Terraform, copy_of_module
from tools.interpreters import host_architecture
from tools.package_zip import Package

pytestmark = [pytest.mark.ci, pytest.mark.timeout(300)]

NAME = "sse-streaming"
REGION = "us-east-1"
NO_CHANGES = 0


@dataclass(slots=True)
class Life:
    """What was seen at each stage. `plans` are statuses of `plan -detailed-exitcode`."""

    function: dict[str, Any] = field(default_factory=dict)
    alias: dict[str, Any] = field(default_factory=dict)
    url: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    retention_days: int = 0
    alarms: set[str] = field(default_factory=set)
    outputs: dict[str, Any] = field(default_factory=dict)
    plans: dict[str, int] = field(default_factory=dict)
    live_versions: dict[str, str] = field(default_factory=dict)
    left_over: list[str] = field(default_factory=list)


def client(service: str, aws: Mapping[str, str]) -> Any:
    return boto3.session.Session("unused", "unused", region_name=REGION).client(
        service, endpoint_url=aws["AWS_ENDPOINT_URL"]
    )


@pytest.fixture(scope="module")
def layer(aws: dict[str, str]) -> str:
    """A layer with the collector's name: moto knows no layers of other accounts."""
    cpu = {"arm64": "arm64", "x86_64": "amd64"}[host_architecture()]
    published = client("lambda", aws).publish_layer_version(
        LayerName=f"aws-otel-collector-{cpu}-ver-0-117-0", Content={"ZipFile": b"not a collector"}
    )
    arn: str = published["LayerVersionArn"]
    return arn


@pytest.fixture(scope="module")
def minimal(
    module: Terraform,
    aws: dict[str, str],
    layer: str,
    package: Package,
    tmp_path_factory: pytest.TempPathFactory,
    seconds: dict[str, float],
) -> Iterator[Terraform]:
    """examples/minimal, ready to be applied with the zip of this machine's CPU."""
    place = copy_of_module(tmp_path_factory.mktemp("apply")) / "examples" / "minimal"
    variables = {
        "TF_VAR_architecture": host_architecture(),
        "TF_VAR_package_path": str(package.path),
        "TF_VAR_collector_layer_arn": layer,
    }
    terraform = Terraform(place, {**aws, **variables})
    terraform.init()
    yield terraform
    seconds.update({f"apply: {name}": spent for name, spent in terraform.seconds.items()})


@pytest.fixture(scope="module")
def life(minimal: Terraform, aws: dict[str, str], package: Package) -> Life:
    """The whole life, once; the tests read what it left in the record."""
    seen = Life()
    functions = client("lambda", aws)

    _apply(minimal, "create")
    seen.plans["after create"] = _plan(minimal)
    seen.function = functions.get_function(FunctionName=NAME, Qualifier="live")["Configuration"]
    seen.alias = functions.get_alias(FunctionName=NAME, Name="live")
    seen.url = functions.get_function_url_config(FunctionName=NAME, Qualifier="live")
    seen.outputs = {
        name: output["value"]
        for name, output in json.loads(minimal("output", "-json").stdout).items()
    }
    seen.tables = {
        table: client("dynamodb", aws).describe_table(TableName=name)["Table"]
        for table, name in seen.outputs["table_names"].items()
    }
    groups = client("logs", aws).describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{NAME}")
    seen.retention_days = groups["logGroups"][0]["retentionInDays"]
    alarms = client("cloudwatch", aws).describe_alarms()["MetricAlarms"]
    seen.alarms = {alarm["AlarmName"] for alarm in alarms}
    seen.live_versions["created"] = seen.alias["FunctionVersion"]

    changed = ("-var", f"package_path={_another(package.path)}")
    _apply(minimal, "update", *changed)
    seen.plans["after update"] = _plan(minimal, *changed)
    seen.live_versions["updated"] = _live_version(functions)

    _apply(minimal, "roll back", *changed, "-var", f"live_version={seen.live_versions['created']}")
    seen.live_versions["rolled back"] = _live_version(functions)

    minimal("destroy", "-auto-approve", "-input=false", label="destroy")
    seen.left_over = [
        *(one["FunctionName"] for one in functions.list_functions()["Functions"]),
        *client("dynamodb", aws).list_tables()["TableNames"],
        *(one["RoleName"] for one in client("iam", aws).list_roles()["Roles"]),
        *(one["logGroupName"] for one in client("logs", aws).describe_log_groups()["logGroups"]),
        *minimal("state", "list").stdout.split(),
    ]
    return seen


def test_a_second_plan_changes_nothing(life: Life) -> None:
    assert life.plans["after create"] == NO_CHANGES


def test_the_url_streams_from_the_alias(life: Life) -> None:
    assert life.url["InvokeMode"] == "RESPONSE_STREAM"
    assert life.url["AuthType"] == "AWS_IAM"
    assert life.outputs["function_url"] == life.url["FunctionUrl"]
    assert life.alias["FunctionVersion"] == "1"


def test_the_deployed_code_is_the_package(life: Life, package: Package) -> None:
    digest = hashlib.sha256(package.path.read_bytes()).digest()
    assert life.function["CodeSha256"] == base64.b64encode(digest).decode()
    assert life.function["Architectures"] == [host_architecture()]
    assert life.function["Runtime"] == "python3.13"


def test_the_collector_is_a_sidecar_only(life: Life, layer: str) -> None:
    assert [one["Arn"] for one in life.function["Layers"]] == [layer]
    variables = life.function["Environment"]["Variables"]
    assert "AWS_LAMBDA_EXEC_WRAPPER" not in variables
    assert variables["OTEL_SERVICE_NAME"] == variables["POWERTOOLS_SERVICE_NAME"] == NAME
    assert life.function["TracingConfig"] == {"Mode": "Active"}


def test_the_tables_have_the_contracts_keys(life: Life) -> None:
    keys = {
        table: [key["AttributeName"] for key in description["KeySchema"]]
        for table, description in life.tables.items()
    }
    assert keys == {
        "items": ["item_id"],
        "connections": ["pk", "sk"],
        "configurations": ["config_id"],
    }
    index = life.tables["items"]["GlobalSecondaryIndexes"][0]
    assert index["IndexName"] == "by_sentiment"
    assert [key["AttributeName"] for key in index["KeySchema"]] == [
        "sentiment_type",
        "published_at",
    ]
    assert index["Projection"]["ProjectionType"] == "ALL"


def test_logs_are_kept_for_a_while_only(life: Life) -> None:
    assert life.retention_days == 30


def test_alarms_exist(life: Life) -> None:
    assert {f"{NAME}-errors", f"{NAME}-throttles", f"{NAME}-spans-lost"} <= life.alarms


def test_a_new_package_becomes_a_new_live_version(life: Life) -> None:
    assert (life.live_versions["created"], life.live_versions["updated"]) == ("1", "2")
    assert life.plans["after update"] == NO_CHANGES


def test_an_older_version_can_be_made_live_again(life: Life) -> None:
    assert life.live_versions["rolled back"] == "1"


def test_nothing_is_left_after_destroy(life: Life) -> None:
    assert life.left_over == []


def test_a_layer_that_does_not_exist_fails_the_apply(
    life: Life, minimal: Terraform, layer: str
) -> None:
    """After the life of the other tests: it leaves resources behind that moto forgets with it."""
    wrong = layer.removesuffix(":1") + ":7"
    outcome = minimal(
        *("apply", "-auto-approve", "-input=false", "-var", f"collector_layer_arn={wrong}"),
        *("-target=module.sse_streaming.aws_lambda_function.sse_streaming",),
        expect=(1,),
        label="apply with a wrong layer",
    )
    assert "LayerVersion does not exist" in outcome.text


def test_the_production_example_can_be_planned(
    life: Life, minimal: Terraform, aws: dict[str, str], seconds: dict[str, float]
) -> None:
    client("ssm", aws).put_parameter(
        Name="/sse-streaming/id-key", Type="SecureString", Value="0123456789abcdef0123456789abcdef"
    )
    production = Terraform(minimal.directory.parent / "production", aws)
    production.init()
    any_zip = production.directory / "any.zip"
    any_zip.write_bytes(b"planned, not deployed")
    outcome = production(
        "plan", "-input=false", "-var", f"package_path={any_zip}", label="plan production"
    )
    seconds.update({f"apply: {name}": spent for name, spent in production.seconds.items()})
    assert "Plan: " in outcome.text
    assert "0 to change, 0 to destroy" in outcome.text


def test_an_open_url_is_bound_to_the_url_in_both_grants(
    aws: dict[str, str],
    package: Package,
    module: Terraform,
    tmp_path: Path,
    seconds: dict[str, float],
) -> None:
    name = "open-to-all"
    variables = {
        "TF_VAR_service_name": name,
        "TF_VAR_architecture": host_architecture(),
        "TF_VAR_package_path": str(package.path),
        "TF_VAR_url_authorization": "NONE",
        "TF_VAR_collector_enabled": "false",
    }
    terraform = Terraform(copy_of_module(tmp_path), {**aws, **variables})
    terraform.init()
    _apply(terraform, "create, open to all")
    again = _plan(terraform)
    policy = client("lambda", aws).get_policy(FunctionName=name, Qualifier="live")["Policy"]
    terraform("destroy", "-auto-approve", "-input=false", label="destroy, open to all")
    seconds.update({f"apply: {label}": spent for label, spent in terraform.seconds.items()})

    assert again == NO_CHANGES
    grants = {
        (
            statement["Action"],
            statement.get("FunctionUrlAuthType"),
            statement.get("InvokedViaFunctionUrl"),
        )
        for statement in json.loads(policy)["Statement"]
    }
    assert grants == {
        ("lambda:InvokeFunctionUrl", "NONE", None),
        ("lambda:InvokeFunction", None, True),
    }


def _apply(terraform: Terraform, label: str, *variables: str) -> None:
    terraform("apply", "-auto-approve", "-input=false", *variables, label=label)


def _plan(terraform: Terraform, *variables: str) -> int:
    """0: nothing to change; 2: something."""
    return terraform(
        *("plan", "-detailed-exitcode", "-input=false", *variables),
        expect=(0, 2),
        label="plan again",
    ).status


def _live_version(functions: Any) -> str:
    version: str = functions.get_alias(FunctionName=NAME, Name="live")["FunctionVersion"]
    return version


def _another(package: Path) -> Path:
    """A zip of the same name with one more file, as after a change of the source."""
    changed = package.parent / "changed" / package.name
    changed.parent.mkdir(exist_ok=True)
    changed.write_bytes(package.read_bytes())
    with zipfile.ZipFile(changed, "a") as archive:
        archive.writestr("lambdas/changed.txt", "changed")
    return changed
