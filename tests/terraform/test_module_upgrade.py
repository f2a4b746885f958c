"""A deployment of the module before it was composed of parts is upgraded in place."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.absence import missing
from tests.terraform.deployment import NO_CHANGES, apply, client, plan_again
from tests.terraform.roots import PROVIDER, call, planned, removed
from tests.terraform.terraform_cli import ROOT, Terraform, copy_of_module

pytestmark = [pytest.mark.ci, pytest.mark.timeout(600)]

# The last commit with the module in one piece.
BEFORE = "2b2c985e52ec82168bc7922ebc39dc18791d2376"
CALLS = {
    "signed": """
        service_name = "signed"
        existing_tables = { configurations = "kept" }
    """,
    "open": """
        service_name         = "open"
        url_authorization    = "NONE"
        reserved_concurrency = 125
        id_key_parameter     = "/before/id-key"
    """,
    "site": """
        service_name         = "site"
        reserved_concurrency = 125
        id_key_parameter     = "/before/id-key"
        sampling_rule        = { fixed_rate = 0.1 }
        cors                 = { allow_origins = ["https://www.example.com"] }
        cdn                  = { enabled = true }
        settings             = { max_stream_seconds = 200 }
    """,
}


def _module_before(place: Path) -> None:
    done = subprocess.run(
        ["git", "archive", BEFORE, "modules/lambda"], cwd=ROOT, capture_output=True, check=False
    )
    if done.returncode:
        missing(f"the history lacks {BEFORE}: a clone with depth cannot try the upgrade")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(place, filter="data")


@pytest.fixture(scope="module")
def aws(own_aws: dict[str, str]) -> dict[str, str]:
    return own_aws


@pytest.fixture(scope="module")
def upgrade(
    module: Terraform,
    aws: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    seconds: dict[str, float],
) -> dict[str, Any]:
    """What the plan of the upgrade would do, and what is left to do after it. Nothing is destroyed:
    moto forgets it, and the provider would wait for CloudFront."""
    with client("ssm", aws) as parameters:
        parameters.put_parameter(Name="/before/id-key", Type="SecureString", Value="k" * 32)
    with client("dynamodb", aws) as tables:
        tables.create_table(
            TableName="kept",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "config_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "config_id", "AttributeType": "S"}],
        )
    place = tmp_path_factory.mktemp("upgrade")
    _module_before(place)
    common = 'package_path = "any.zip"\ncollector_enabled = false\n'
    text = PROVIDER + "".join(call(name, common + given) for name, given in CALLS.items())
    (place / "main.tf").write_text(text, encoding="utf-8")
    (place / "any.zip").write_bytes(b"stands for a zip")
    terraform = Terraform(place, aws)
    terraform.init()
    apply(terraform, "apply the module before")
    urls = _urls(terraform)

    shutil.rmtree(place / "modules")
    copy_of_module(place)
    terraform.init()
    plan = planned(terraform, label="plan the upgrade")
    terraform("apply", "-input=false", "planned", label="apply the upgrade")
    again = plan_again(terraform)
    same_urls = _urls(terraform) == urls
    seconds.update({f"upgrade: {label}": spent for label, spent in terraform.seconds.items()})
    return {"plan": plan, "again": again, "same_urls": same_urls}


def _urls(terraform: Terraform) -> dict[str, str]:
    state = json.loads(terraform("show", "-json").stdout)
    modules = state["values"]["root_module"]["child_modules"]
    resources = [
        (module["address"].split(".")[1], one)
        for outer in modules
        for module in [outer, *outer.get("child_modules", [])]
        for one in module.get("resources", [])
    ]
    return {
        name: one["values"]["function_url"]
        for name, one in resources
        if one["type"] == "aws_lambda_function_url"
    }


def test_an_upgrade_destroys_nothing(upgrade: dict[str, Any]) -> None:
    assert removed(upgrade["plan"]) == set()
    assert upgrade["same_urls"]


def test_an_upgrade_makes_and_changes_what_the_changelog_says(upgrade: dict[str, Any]) -> None:
    changes = {
        (change["type"], action)
        for change in upgrade["plan"]["resource_changes"]
        for action in change["change"]["actions"]
    } - {(change["type"], "no-op") for change in upgrade["plan"]["resource_changes"]}
    assert {kind for kind, action in changes if action == "create"} == {
        "terraform_data",
        "aws_cloudfront_origin_request_policy",
        "aws_cloudfront_cache_policy",
    }
    assert {kind for kind, action in changes if action == "update"} == {
        "aws_dynamodb_table",  # deletion protection
        "aws_cloudfront_distribution",
        "aws_cloudwatch_dashboard",
        "aws_cloudwatch_metric_alarm",  # a description
        "aws_lambda_function_url",  # the CORS default
    }


def test_an_upgrade_is_done_at_once(upgrade: dict[str, Any]) -> None:
    assert upgrade["again"] == NO_CHANGES
