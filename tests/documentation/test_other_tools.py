"""docs/other-tools.md: each template, made into CloudFormation by its own tool, streams."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.documentation.blocks import blocks_of
from tests.documentation.deployment import (
    PAGE,
    Template,
    by_cdk,
    by_sam,
    by_serverless,
    code_of,
    complaints,
)
from tests.documentation.moving import PROJECT_OF, copy_of, diff_of
from tests.documentation.shell import PagesShell
from tests.unit.documentation.pages import text_of

TOOLS: dict[str, Callable[[str, Path], Template]] = {
    "SAM": by_sam,
    "CDK": by_cdk,
    "Serverless": by_serverless,
}
STREAMING_URI = "/response-streaming-invocations"
pytestmark = pytest.mark.timeout(300)  # the first test installs


@dataclass(frozen=True, slots=True)
class Made:
    template: Template
    folder: Path

    def all(self, kind: str) -> list[dict[str, Any]]:
        resources = self.template["Resources"].values()
        return [one["Properties"] for one in resources if one["Type"] == kind]

    def one(self, kind: str) -> dict[str, Any]:
        (properties,) = self.all(kind)
        return properties


@pytest.fixture(scope="module", params=TOOLS)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp(request.param)
    return Made(TOOLS[request.param](code_of(request.param), folder), folder)


@pytest.mark.ci
def test_cloudformation_takes_it(made: Made) -> None:
    assert complaints([made.template], made.folder) == ""


@pytest.mark.ci
def test_the_function_is_the_zips_with_the_collector_and_active_tracing(made: Made) -> None:
    function = made.one("AWS::Lambda::Function")
    assert (function["Handler"], function["Runtime"]) == ("main.handler", "python3.13")
    assert function["Architectures"] == ["arm64"]
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert collector_of(text_of("modules/lambda/main.tf")) in json.dumps(function["Layers"])
    assert function["Environment"]["Variables"] == {"STREAMING_INVOKE_MODE": "stream"}


@pytest.mark.ci
def test_the_function_may_write_traces(made: Made) -> None:
    roles = json.dumps([made.all("AWS::IAM::Role"), made.all("AWS::IAM::Policy")])
    assert "xray:PutTraceSegments" in roles or "AWSXrayWriteOnlyAccess" in roles


@pytest.mark.ci
def test_the_function_url_streams_to_callers_that_sign(made: Made) -> None:
    url = made.one("AWS::Lambda::Url")
    assert (url["AuthType"], url["InvokeMode"]) == ("AWS_IAM", "RESPONSE_STREAM")


@pytest.mark.ci
def test_callers_have_both_grants_the_second_bound_to_the_url(made: Made) -> None:
    policies = [*made.all("AWS::IAM::ManagedPolicy"), *made.all("AWS::IAM::Policy")]
    grants = {
        statement["Action"]: statement["Condition"]
        for policy in policies
        for statement in policy["PolicyDocument"]["Statement"]
        if "Condition" in statement
    }
    assert grants == {
        "lambda:InvokeFunctionUrl": {"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}},
        "lambda:InvokeFunction": {"Bool": {"lambda:InvokedViaFunctionUrl": True}},
    }


@pytest.mark.ci
def test_the_rest_api_streams_every_path(made: Made) -> None:
    """SAM writes its methods into the API's body."""
    integrations = [method["Integration"] for method in made.all("AWS::ApiGateway::Method")]
    (api,) = made.all("AWS::ApiGateway::RestApi")
    for methods in api.get("Body", {"paths": {}})["paths"].values():
        integrations += [one["x-amazon-apigateway-integration"] for one in methods.values()]
    assert len(integrations) == 2
    for one in integrations:
        assert "STREAM" in (one.get("ResponseTransferMode"), one.get("responseTransferMode"))
        assert STREAMING_URI in json.dumps(one)
    assert "REGIONAL" in json.dumps(api)


@pytest.mark.ci
@pytest.mark.parametrize("tool", TOOLS)
def test_a_public_url_gets_both_grants_of_the_tool(tool: str, tmp_path: Path) -> None:
    text = code_of(tool)
    for signed, public in (
        ("AuthType: AWS_IAM", "AuthType: NONE"),
        ("FunctionUrlAuthType.AWS_IAM", "FunctionUrlAuthType.NONE"),
        ("url.grantInvokeUrl(caller); // both grants", ""),
        ("      authorizer: aws_iam\n", ""),
    ):
        text = text.replace(signed, public)
    public_grants = {
        grant["Action"]: grant.get("InvokedViaFunctionUrl")
        for grant in Made(TOOLS[tool](text, tmp_path), tmp_path).all("AWS::Lambda::Permission")
        if grant["Principal"] == "*"
    }
    assert public_grants == {"lambda:InvokeFunctionUrl": None, "lambda:InvokeFunction": True}


@pytest.mark.ci
def test_sam_buffers_where_it_is_told_api_gateways_word(tmp_path: Path) -> None:
    text = code_of("SAM").replace(
        "ResponseTransferMode: RESPONSE_STREAM", "ResponseTransferMode: STREAM"
    )
    assert STREAMING_URI not in json.dumps(by_sam(text, tmp_path))


@pytest.mark.ci
def test_cloudformation_takes_what_the_moves_make_of_their_templates(tmp_path: Path) -> None:
    templates = []
    for page, project in PROJECT_OF.items():
        folder = tmp_path / project
        folder.mkdir()
        shop = copy_of(project, folder)
        subprocess.run(["git", "apply", "-"], cwd=shop, input=diff_of(page), text=True, check=True)
        templates.append(by_sam((shop / "template.yaml").read_text(encoding="utf-8"), folder))
    assert complaints(templates, tmp_path) == ""


def test_every_template_names_the_collector_that_the_module_has() -> None:
    collector = collector_of(text_of("modules/lambda/main.tf"))
    for page in (PAGE, *PROJECT_OF):
        named = {word for word in text_of(page).split() if "aws-otel-collector-" in word}
        assert named, page
        assert all(collector in word for word in named), page


def collector_of(terraform: str) -> str:
    (line,) = (line for line in terraform.splitlines() if "aws-otel-collector-$" in line)
    version = line.partition("-ver-")[2].rstrip('"')
    return f"901920570463:layer:aws-otel-collector-arm64-ver-{version}"


def test_the_commands_deploy_with_each_tool(tmp_path: Path) -> None:
    shell = PagesShell(tmp_path)
    (tmp_path / "shop").mkdir()
    printed = shell.run([block.code for block in blocks_of(PAGE, "sh")])
    assert "tools.app_package" in printed
    assert shell.noted() == ["sam deploy --guided", "npx cdk deploy", "npx osls deploy"]


def test_the_versions_that_were_tried_are_those_that_are_installed() -> None:
    tools = Path(__file__).parent / "deployment_tools"
    npm = json.loads((tools / "package.json").read_text(encoding="utf-8"))["dependencies"]
    sam = (tools / "requirements.txt").read_text(encoding="utf-8").strip()
    text = " ".join(text_of(PAGE).split())
    tried = f"{sam.replace('==', ' ')}, aws-cdk-lib {npm['aws-cdk-lib']} and osls {npm['osls']}"
    assert tried in text
