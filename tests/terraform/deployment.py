"""A deployment's whole life against moto, and the record of what was seen in it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from tests.terraform.terraform_cli import Terraform
from tools.package_zip import Package

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
    refusal: str = ""
    left_over: list[str] = field(default_factory=list)


@contextmanager
def client(service: str, aws: Mapping[str, str], region: str = REGION) -> Iterator[Any]:
    """A boto3 client of the stand-in."""
    session = boto3.session.Session("unused", "unused", region_name=region)
    with closing(session.client(service, endpoint_url=aws["AWS_ENDPOINT_URL"])) as made:
        yield made


def items_table(name: str, index: str = "by_sentiment", time: str = "N") -> dict[str, Any]:
    """An items table of the sentiment feed, as create_table takes it."""
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "item_id", "KeyType": "HASH"}],
        "AttributeDefinitions": [
            {"AttributeName": "item_id", "AttributeType": "S"},
            {"AttributeName": "sentiment_type", "AttributeType": "S"},
            {"AttributeName": "published_at", "AttributeType": time},
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": index,
                "KeySchema": [
                    {"AttributeName": "sentiment_type", "KeyType": "HASH"},
                    {"AttributeName": "published_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    }


def lived(minimal: Terraform, aws: Mapping[str, str], package: Package) -> Life:
    """Live the whole life once and say what was seen."""
    services = ("lambda", "dynamodb", "logs", "cloudwatch", "iam")
    with ExitStack() as opened:
        made = {service: opened.enter_context(client(service, aws)) for service in services}
        seen = Life()
        functions = made["lambda"]

        apply(minimal, "create")
        seen.plans["after create"] = plan_again(minimal)
        seen.function = functions.get_function(FunctionName=NAME, Qualifier="live")["Configuration"]
        seen.alias = functions.get_alias(FunctionName=NAME, Name="live")
        seen.url = functions.get_function_url_config(FunctionName=NAME, Qualifier="live")
        seen.outputs = {
            name: output["value"]
            for name, output in json.loads(minimal("output", "-json").stdout).items()
        }
        seen.tables = {
            table: made["dynamodb"].describe_table(TableName=name)["Table"]
            for table, name in seen.outputs["table_names"].items()
        }
        groups = made["logs"].describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{NAME}")
        seen.retention_days = groups["logGroups"][0]["retentionInDays"]
        alarms = made["cloudwatch"].describe_alarms()["MetricAlarms"]
        seen.alarms = {alarm["AlarmName"] for alarm in alarms}
        seen.live_versions["created"] = seen.alias["FunctionVersion"]

        changed = ("-var", f"package_path={_another(package.path)}")
        apply(minimal, "update", *changed)
        seen.plans["after update"] = plan_again(minimal, *changed)
        seen.live_versions["updated"] = _live_version(functions)

        apply(
            minimal, "roll back", *changed, "-var", f"live_version={seen.live_versions['created']}"
        )
        seen.live_versions["rolled back"] = _live_version(functions)

        unprotected = ("-var", "deletion_protection=false")
        refused = minimal("destroy", "-auto-approve", "-input=false", expect=(1,), label="destroy")
        seen.refusal = refused.text
        apply(minimal, "unprotect", *unprotected)
        minimal("destroy", "-auto-approve", "-input=false", *unprotected, label="destroy")
        seen.left_over = [
            *(one["FunctionName"] for one in functions.list_functions()["Functions"]),
            *made["dynamodb"].list_tables()["TableNames"],
            *(one["RoleName"] for one in made["iam"].list_roles()["Roles"]),
            *(one["logGroupName"] for one in made["logs"].describe_log_groups()["logGroups"]),
            *minimal("state", "list").stdout.split(),
        ]
        return seen


def apply(terraform: Terraform, label: str, *variables: str) -> None:
    """With many at once: most of the time the provider waits."""
    parallel = "-parallelism=30"
    terraform("apply", "-auto-approve", "-input=false", parallel, *variables, label=label)


def plan_again(terraform: Terraform, *variables: str) -> int:
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
