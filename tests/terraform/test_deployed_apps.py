"""Example apps run as the plan says: the zip, handler and environment of `terraform show -json`."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.asgi import get
from tests.fakes.events import function_url_event
from tests.fakes.managed_runtime import managed_function
from tests.terraform.roots import PROVIDER, call, planned, root
from tests.terraform.terraform_cli import Terraform
from tests.terraform.test_app_package import ordered
from tools.app_package.build import build
from tools.interpreters import host_architecture

pytestmark = [pytest.mark.ci, pytest.mark.timeout(240)]


@dataclass(frozen=True, slots=True)
class Example:
    name: str
    path: str
    query: str
    first: bytes
    """Of the body."""
    chunks: int
    """As many at least."""


EXAMPLES = [
    Example("chat", "/answer", "prompt=Hello", b": open\n", 5),
    Example("flask", "/report.csv", "rows=4", b"number", 5),
]


@pytest.fixture(scope="module")
def deployed(
    module: Terraform,
    aws: dict[str, str],
    interpreter: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, dict[str, Any]]:
    """What would be deployed of each example, by its name."""
    place = tmp_path_factory.mktemp("apps")
    text = PROVIDER
    for example in EXAMPLES:
        order = ordered(None, f"examples.{example.name}.app:handler", "tracing", "wsgi")
        built = build(replace(order, interpreter=interpreter), place / f"{example.name}.zip")
        manifest = json.loads(built.manifest.read_text(encoding="utf-8"))
        app = json.dumps({name: manifest[name] for name in ("handler", "environment")})
        text += call(
            example.name,
            f'service_name = "{example.name}"\n'
            f'architecture = "{host_architecture()}"\n'
            f'package_path = "{built.package.path}"\n'
            f"app = jsondecode({json.dumps(app)})\n"
            "collector_enabled = false",
        )
    plan = planned(root(place, text, aws), label="plan the examples")
    return {
        change["change"]["after"]["function_name"]: change["change"]["after"]
        for change in plan["resource_changes"]
        if change["type"] == "aws_lambda_function"
    }


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_streams_as_it_is_deployed(
    example: Example, deployed: dict[str, dict[str, Any]], runtime: Path, tmp_path: Path
) -> None:
    function = deployed[example.name]
    assert "STREAMING_MAX_STREAM_SECONDS" not in function["environment"][0]["variables"]
    with zipfile.ZipFile(function["filename"]) as archive:
        archive.extractall(tmp_path)
    environ = {
        "PYTHONPATH": "",
        "AWS_LAMBDA_FUNCTION_NAME": function["function_name"],
        "LAMBDA_TASK_ROOT": str(tmp_path),
        **function["environment"][0]["variables"],
    }
    request = function_url_event("GET", example.path, example.query, {"accept": "*/*"})
    with managed_function(tmp_path, function["handler"], environ, python=runtime) as started:
        started.api.add(replace(get(), body=json.dumps(request).encode()))
        started.api.wait_until(lambda: len(started.api.polls()) == 2, 40)
        (answer,) = started.api.answers()
    assert answer.prelude["statusCode"] == 200
    body = [data for _, data in answer.chunks[2:]]
    assert b"".join(body).startswith(example.first)
    assert len(body) >= example.chunks
