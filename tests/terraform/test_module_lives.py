"""Many deployments at once, each through its whole life: made, changed, rolled back, removed."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.terraform.deployment import NO_CHANGES, apply, client, items_table, plan_again
from tests.terraform.roots import call, planned, removed, root
from tests.terraform.terraform_cli import Terraform

pytestmark = [pytest.mark.ci, pytest.mark.timeout(900)]

OLD, NEW = b"stands for a zip", b"stands for the next zip"
HEAD = """
variable "change" {
  type    = bool
  default = false
}
variable "live" {
  type    = string
  default = null
}
variable "protected" {
  type    = bool
  default = true
}
provider "aws" {}
provider "aws" {
  alias  = "europe"
  region = "eu-west-1"
}
resource "terraform_data" "before" {
  input = var.change
}
locals {
  zip    = var.change ? "new.zip" : "old.zip"
  digest = var.change ? "NEW_DIGEST" : "OLD_DIGEST"
}
output "doors" {
  value = {
    open = module.open.function_url, app = module.app.rest_url, cdn = module.production.cdn_url
  }
}
"""
COMMON = """
collector_enabled   = false
deletion_protection = var.protected
live_version        = var.live
"""
ZIP = "package_path = local.zip\n"
CALLS = {
    "existing": f"""{ZIP}{COMMON}
        service_name    = "existing"
        existing_tables = {{ items = "news", connections = "leases", configurations = "filters" }}
        kms_key_arn     = "KEY"
    """,
    "open": f"""{ZIP}{COMMON}
        service_name         = "open"
        url_authorization    = var.change ? "AWS_IAM" : "NONE"
        reserved_concurrency = 125
        id_key_parameter     = "/lives/id-key"
    """,
    "ordered": f"""{ZIP}{COMMON}
        service_name = "twice"
        depends_on   = [terraform_data.before]
    """,
    "europe": f"""{ZIP}{COMMON}
        service_name = "twice"
        providers    = {{ aws = aws.europe }}
    """,
    "app": """
        service_name      = "chat"
        app               = { handler = "main.handler", stream_seconds = 60 }
        package           = { s3 = { bucket = "zips", key = local.zip, sha256 = local.digest } }
        rest              = { api_keys = ["anna"], requests_per_day = 1000 }
        collector_enabled = false
        live_version      = var.live
    """,
}
PRODUCTION = """
package_path        = local.zip
live_version        = var.live
deletion_protection = var.protected
collector_enabled   = false
"""


@dataclass(slots=True)
class Lives:
    plans: dict[str, int] = field(default_factory=dict)
    change: dict[str, Any] = field(default_factory=dict)
    doors: list[dict[str, str]] = field(default_factory=list)
    grants: set[tuple[Any, ...]] = field(default_factory=set)
    live_versions: set[str] = field(default_factory=set)
    without_files: str = ""
    left_over: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def aws(own_aws: dict[str, str]) -> dict[str, str]:
    return own_aws


@pytest.fixture(scope="module")
def lives(
    module: Terraform,
    aws: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    seconds: dict[str, float],
) -> Lives:
    key = _what_they_name(aws)
    text = HEAD.replace("NEW_DIGEST", _digest(NEW)).replace("OLD_DIGEST", _digest(OLD))
    text += "".join(call(name, given.replace("KEY", key)) for name, given in CALLS.items())
    text += call("production", PRODUCTION, "./modules/lambda/examples/production")
    place = tmp_path_factory.mktemp("lives")
    _zips(place, aws)
    terraform = root(place, text, aws)
    seen = Lives()

    apply(terraform, "create")
    seen.plans["created"] = plan_again(terraform)
    seen.doors.append(_doors(terraform))
    seen.grants = _grants(aws)

    changed = ("-var", "change=true")
    seen.change = planned(terraform, *changed, label="plan the change")
    terraform("apply", "-input=false", "planned", label="change")
    seen.plans["changed"] = plan_again(terraform, *changed)
    seen.doors.append(_doors(terraform))

    rolled_back = (*changed, "-var", "live=1", "-var", "protected=false")
    for name in ("old.zip", "new.zip"):
        (place / name).unlink()
    apply(terraform, "roll back", *rolled_back)
    seen.plans["rolled back"] = plan_again(terraform, *rolled_back)
    with client("lambda", aws) as functions:
        seen.live_versions = {
            functions.get_alias(FunctionName=one["FunctionName"], Name="live")["FunctionVersion"]
            for one in functions.list_functions()["Functions"]
        }

    gone = terraform("destroy", "-auto-approve", "-input=false", *changed, label="destroy")
    seen.without_files = gone.text
    with client("lambda", aws) as functions, client("iam", aws) as iam:
        seen.left_over = [
            *(one["FunctionName"] for one in functions.list_functions()["Functions"]),
            *(one["RoleName"] for one in iam.list_roles()["Roles"]),
            *terraform("state", "list").stdout.split(),
        ]
    seconds.update({f"lives: {label}": spent for label, spent in terraform.seconds.items()})
    return seen


def _digest(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def _zips(place: Path, aws: dict[str, str]) -> None:
    with client("s3", aws) as bucket:
        bucket.create_bucket(Bucket="zips")
        for name, content in (("old.zip", OLD), ("new.zip", NEW)):
            (place / name).write_bytes(content)
            bucket.put_object(Bucket="zips", Key=name, Body=content)


def _what_they_name(aws: dict[str, str]) -> str:
    with client("ssm", aws) as parameters:
        for name in ("/lives/id-key", "/sse-streaming/id-key"):
            parameters.put_parameter(
                Name=name, Type="SecureString", Value="0123456789abcdef" * 2, Overwrite=True
            )
    with client("kms", aws) as keys:
        key: str = keys.create_key()["KeyMetadata"]["Arn"]
    with client("dynamodb", aws) as tables:
        tables.create_table(
            **items_table("news"),
            SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key},
        )
        for table, names in (("leases", ("pk", "sk")), ("filters", ("config_id",))):
            tables.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[
                    {"AttributeName": name, "KeyType": kind}
                    for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
                ],
                AttributeDefinitions=[
                    {"AttributeName": name, "AttributeType": "S"} for name in names
                ],
            )
    return key


def _doors(terraform: Terraform) -> dict[str, str]:
    doors: dict[str, str] = json.loads(terraform("output", "-json", "doors").stdout)
    return doors


def _grants(aws: dict[str, str]) -> set[tuple[Any, ...]]:
    with client("lambda", aws) as functions:
        policy = functions.get_policy(FunctionName="open", Qualifier="live")["Policy"]
    return {
        (
            statement["Action"],
            statement.get("FunctionUrlAuthType"),
            statement.get("InvokedViaFunctionUrl"),
        )
        for statement in json.loads(policy)["Statement"]
    }


@pytest.mark.parametrize("stage", ["created", "changed", "rolled back"])
def test_a_second_plan_changes_nothing(lives: Lives, stage: str) -> None:
    assert lives.plans[stage] == NO_CHANGES


def test_a_change_removes_the_public_grants_and_nothing_else(lives: Lives) -> None:
    """Neither what depends_on puts off nor the URL whose authorization changes."""
    assert removed(lives.change) == {
        "module.open.module.url.aws_lambda_permission.public_url[0]",
        "module.open.module.url.aws_cloudformation_stack.public_invoke[0]",
    }
    assert lives.doors[0] == lives.doors[1]


def test_an_open_url_is_bound_to_the_url_in_both_grants(lives: Lives) -> None:
    assert lives.grants == {
        ("lambda:InvokeFunctionUrl", "NONE", None),
        ("lambda:InvokeFunction", None, True),
    }


def test_all_are_rolled_back_and_removed_without_the_zips(lives: Lives) -> None:
    assert lives.live_versions == {"1"}
    assert lives.left_over == []
    assert "Destroy complete!" in lives.without_files
