"""What the real provider makes, leaves alone, updates, rolls back and removes.

moto keeps what it is given and checks few rights, so what the policies say is read from a plan
instead (test_module_plan.py).
"""

from __future__ import annotations

import base64
import hashlib

import pytest

from tests.terraform.deployment import NAME, NO_CHANGES, Life
from tests.terraform.terraform_cli import Terraform
from tools.interpreters import host_architecture
from tools.package_zip import Package

pytestmark = [pytest.mark.ci, pytest.mark.timeout(300)]


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


def test_tables_refuse_to_be_deleted(life: Life) -> None:
    assert "DeletionProtectionEnabled" in life.refusal


def test_nothing_is_left_after_destroy(life: Life) -> None:
    assert life.left_over == []


def test_a_layer_that_does_not_exist_fails_the_apply(
    life: Life, minimal: Terraform, layer: str
) -> None:
    """After the life of the other tests: it leaves resources behind that moto forgets with it."""
    wrong = layer.removesuffix(":1") + ":7"
    outcome = minimal(
        *("apply", "-auto-approve", "-input=false", "-var", f"collector_layer_arn={wrong}"),
        *("-target=module.sse_streaming.module.function.aws_lambda_function.this",),
        expect=(1,),
        label="apply with a wrong layer",
    )
    assert "LayerVersion does not exist" in outcome.text
