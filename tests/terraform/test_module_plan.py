"""What the real provider plans, without AWS: rights, environment, alarms, grants."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from lambda_streaming.environ import EnvironReader
from lambda_streaming.tracing.export.buffer import SpanBuffer
from lambda_streaming.tracing.export.one_try import Outcome
from lambdas.sse_streaming.settings import Settings
from tests.fakes.spans import MemoryExporter
from tests.terraform.deployment import client, items_table
from tests.terraform.roots import PROVIDER, call, planned, root
from tests.terraform.terraform_cli import MODULE, ROOT, Terraform

ACCOUNT = "123456789012"
ANY_ZIP = b"stands for a zip where nothing is deployed"
REGION = "eu-west-1"
FUNCTION = "module.function.aws_lambda_function.this"
DIGEST = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
ROLE_POLICY = "module.function.aws_iam_role_policy.this[0]"
URL = "module.url.aws_lambda_function_url.live"
ALARM = "module.watch.aws_cloudwatch_metric_alarm"

pytestmark = pytest.mark.ci


KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000"
CALLS = {
    "defaults": "",
    "everything": f"""
        service_name         = "prices"
        architecture         = "x86_64"
        python_version       = "3.12"
        kms_key_arn          = "{KEY}"
        id_key_parameter     = "/prices/id-key"
        id_key_previous_parameter = "/prices/id-key-before"
        existing_tables      = {{ items = "news" }}
        items_index          = "by_mood"
        reserved_concurrency = 125
        sampling_rule        = {{ fixed_rate = 0.1 }}
        cors                 = {{ allow_origins = ["https://www.example.com"] }}
        cdn                  = {{ enabled = true }}
        alarm_actions        = ["arn:aws:sns:{REGION}:{ACCOUNT}:alarms"]
    """,
    "longest": """
        timeout_seconds = 900
        settings        = { max_stream_seconds = 800 }
    """,
    "public": """
        url_authorization    = "NONE"
        id_key_parameter     = "/prices/id-key"
        reserved_concurrency = 125
        collector_enabled    = false
    """,
    "app": """
        service_name  = "chat"
        app           = {
          handler           = "main.handler"
          environment       = { MODEL = "m" }
          policy_statements = [
            { sid = "Ask", actions = ["bedrock:InvokeModel"], resources = ["*"] }
          ]
          stream_seconds    = 120
        }
        rest          = { api_keys = ["anna"] }
        live_version  = "1"
        deployment    = { codedeploy = {}, provisioned = 2 }
        log           = { format = "JSON", application_level = "INFO" }
        allowed_principals = ["210987654321"]
    """,
    "feed": """
        service_name     = "quotes"
        app              = { handler = "main.handler" }
        feed             = {
          event = "price", partition = "symbol", time = "at", item_id = "id"
          index = "by_symbol", values = null
        }
        settings         = { replay_seconds = 5 }
        configurations_enabled = false
    """,
    "image": """
        service_name = "boxed"
        app          = { handler = "main.handler" }
        package      = { image_uri = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/boxed:1" }
    """,
    "elsewhere": f"""
        service_name = "elsewhere"
        package      = {{ path = "nowhere.zip", sha256 = "{DIGEST}" }}
        watch        = {{ alarms = false, dashboard = false, xray_group = false }}
        role_arn     = "arn:aws:iam::{ACCOUNT}:role/given"
    """,
}


class Plan:
    """The plan of one copy of the module; addresses begin inside it."""

    def __init__(self, plan: dict[str, Any], name: str) -> None:
        copy = f"module.{name}."
        self.resources: dict[str, dict[str, Any]] = {
            change["address"].removeprefix(copy): change["change"]["after"]
            | {"": change["change"]["after_unknown"]}
            for change in plan["resource_changes"]
            if change["address"].startswith(copy) and change["change"]["after"] is not None
        }

    def policy(self, address: str, attribute: str = "policy") -> dict[str, dict[str, Any]]:
        """The statements of a resource's policy by their Sid."""
        document = json.loads(self.resources[address][attribute])
        return {statement["Sid"]: statement for statement in document["Statement"]}

    @property
    def function(self) -> dict[str, Any]:
        return self.resources[FUNCTION]

    @property
    def environment(self) -> dict[str, str]:
        variables: dict[str, str] = self.function["environment"][0]["variables"]
        return variables


@pytest.fixture(scope="module")
def plans(
    module: Terraform,
    aws: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    seconds: dict[str, float],
) -> dict[str, Plan]:
    environ = {**aws, "AWS_REGION": REGION}
    with client("ssm", aws, REGION) as parameters:
        for name in ("/prices/id-key", "/prices/id-key-before"):
            parameters.put_parameter(Name=name, Type="SecureString", Value="0123456789abcdef")
    with client("dynamodb", aws, REGION) as tables:
        tables.create_table(**items_table("news", "by_mood"))
    text = PROVIDER + "".join(
        call(name, given if "package " in given else f'package_path = "any.zip"\n{given}')
        for name, given in CALLS.items()
    )
    many = root(tmp_path_factory.mktemp("plans"), text, environ)
    (many.directory / "any.zip").write_bytes(ANY_ZIP)
    plan = planned(many, label="plan: eight copies")
    seconds["terraform, plan: eight copies"] = many.seconds["plan: eight copies"]
    return {name: Plan(plan, name) for name in CALLS}


@pytest.fixture(params=["defaults", "everything", "public"])
def plan(request: pytest.FixtureRequest, plans: dict[str, Plan]) -> Plan:
    return plans[request.param]


# The role


def test_the_role_may_do_exactly_this(plans: dict[str, Plan]) -> None:
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/sse-streaming"
    assert plans["defaults"].policy(ROLE_POLICY) == {
        "WriteLogs": {
            "Sid": "WriteLogs",
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/sse-streaming:*",
        },
        "WriteTraces": {
            "Sid": "WriteTraces",
            "Effect": "Allow",
            "Action": ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
            "Resource": "*",
        },
        "WriteMetrics": {
            "Sid": "WriteMetrics",
            "Effect": "Allow",
            "Action": "cloudwatch:PutMetricData",
            "Resource": "*",
            "Condition": {"StringEquals": {"cloudwatch:namespace": "SSEStreaming/sse-streaming"}},
        },
        "PollItems": {
            "Sid": "PollItems",
            "Effect": "Allow",
            "Action": "dynamodb:Query",
            "Resource": f"{table}-items/index/by_sentiment",
        },
        "HoldConnectionLeases": {
            "Sid": "HoldConnectionLeases",
            "Effect": "Allow",
            "Action": [
                "dynamodb:DeleteItem",
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:Query",
                "dynamodb:UpdateItem",
            ],
            "Resource": f"{table}-connections",
        },
        "ReadConfigurations": {
            "Sid": "ReadConfigurations",
            "Effect": "Allow",
            "Action": "dynamodb:GetItem",
            "Resource": f"{table}-configurations",
        },
    }


def test_the_role_follows_existing_tables_and_the_key(plans: dict[str, Plan]) -> None:
    statements = plans["everything"].policy(ROLE_POLICY)
    items = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/news"
    assert statements["PollItems"]["Resource"] == f"{items}/index/by_mood"
    assert statements["UseTheKey"]["Action"] == "kms:Decrypt"
    assert statements["UseTheKey"]["Resource"].endswith("key/00000000-0000-0000-0000-000000000000")
    assert "module.feed[0].aws_dynamodb_table.items[0]" not in plans["everything"].resources


def test_the_role_allows_the_requests_that_the_function_makes(plans: dict[str, Plan]) -> None:
    """A request that the code makes and the policy forgets would fail in AWS only."""
    call = re.compile(r"""[."](query|(?:get|put|update|delete)_item)(?:\(|")""")
    made = set()
    for source in (ROOT / "src" / "lambdas").rglob("*.py"):
        made |= set(call.findall(source.read_text(encoding="utf-8")))
    statements = plans["defaults"].policy(ROLE_POLICY)
    allowed = {
        action.removeprefix("dynamodb:")
        for name in ("PollItems", "HoldConnectionLeases", "ReadConfigurations")
        for action in _listed(statements[name]["Action"])
    }
    assert {"".join(word.title() for word in call.split("_")) for call in made} == allowed


def test_nothing_but_lambda_takes_the_role(plan: Plan) -> None:
    statement = plan.policy("module.function.aws_iam_role.this[0]", "assume_role_policy")[
        "LambdaRunsTheFunction"
    ]
    assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}
    assert statement["Action"] == "sts:AssumeRole"


def test_only_the_place_is_left_as_it_is() -> None:
    """A lifecycle that ignores changes lets code and state drift apart; a move is refused."""
    ignoring = [
        block
        for file in MODULE.rglob("*.tf")
        for block in re.split(r"^(?=\w)", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
        if "ignore_changes" in block
    ]
    (place,) = ignoring
    assert place.startswith('resource "terraform_data" "place"')
    assert "self.input.region == data.aws_region.current.id" in place


# Who may connect


def test_callers_may_invoke_through_the_url_only(plans: dict[str, Plan]) -> None:
    alias = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:sse-streaming:live"
    assert plans["defaults"].policy("module.url.aws_iam_policy.callers[0]") == {
        "UseTheFunctionUrl": {
            "Sid": "UseTheFunctionUrl",
            "Effect": "Allow",
            "Action": "lambda:InvokeFunctionUrl",
            "Resource": alias,
            "Condition": {"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}},
        },
        "InvokeThroughTheUrlOnly": {
            "Sid": "InvokeThroughTheUrlOnly",
            "Effect": "Allow",
            "Action": "lambda:InvokeFunction",
            "Resource": alias,
            "Condition": {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}},
        },
    }


def test_nobody_is_granted_the_url_by_default(plans: dict[str, Plan]) -> None:
    planned = plans["defaults"].resources
    assert planned[URL]["authorization_type"] == "AWS_IAM"
    assert not [
        address for address in planned if address.startswith("module.url.aws_lambda_permission")
    ]
    assert "module.url.aws_cloudformation_stack.public_invoke[0]" not in planned


def test_an_open_url_has_both_grants(plans: dict[str, Plan]) -> None:
    planned = plans["public"].resources
    url = planned["module.url.aws_lambda_permission.public_url[0]"]
    assert (url["action"], url["principal"]) == ("lambda:InvokeFunctionUrl", "*")
    assert (url["function_url_auth_type"], url["qualifier"]) == ("NONE", "live")
    assert "module.url.aws_cloudformation_stack.public_invoke[0]" in planned
    assert "module.url.aws_iam_policy.callers[0]" not in planned


def test_the_cdn_has_both_grants_and_its_name(plans: dict[str, Plan]) -> None:
    planned = plans["everything"].resources
    grants = [
        planned[f'module.url.aws_lambda_permission.cdn["{action}"]']
        for action in ("InvokeFunctionUrl", "InvokeFunction")
    ]
    assert {grant["principal"] for grant in grants} == {"cloudfront.amazonaws.com"}
    assert {grant["action"] for grant in grants} == {
        "lambda:InvokeFunctionUrl",
        "lambda:InvokeFunction",
    }
    assert all(grant["qualifier"] == "live" for grant in grants)
    # Not known yet, so it is bound to something: the distribution of the same plan.
    assert all(grant[""]["source_arn"] for grant in grants)


def test_browsers_may_open_and_close_streams(plans: dict[str, Plan]) -> None:
    cors = plans["everything"].resources[URL]["cors"][0]
    assert cors["allow_methods"] == ["DELETE", "GET", "POST"]
    assert cors["allow_origins"] == ["https://www.example.com"]
    assert cors["allow_credentials"] is False


# The function


def test_the_function_streams_from_our_entrypoint(plan: Plan) -> None:
    assert plan.function["handler"] == "lambdas.sse_streaming.entrypoint.handler"
    assert plan.function["tracing_config"] == [{"mode": "Active"}]
    assert plan.function["publish"] is True
    url = plan.resources[URL]
    assert (url["invoke_mode"], url["qualifier"]) == ("RESPONSE_STREAM", "live")


def test_the_handler_exists_in_the_source(plan: Plan) -> None:
    module_name = plan.function["handler"].rpartition(".")[0].replace(".", "/")
    assert (ROOT / "src" / f"{module_name}.py").is_file()


def test_the_function_accepts_the_planned_environment(plan: Plan) -> None:
    environment = dict(plan.environment)
    settings = Settings.from_environ(environment)
    assert settings.service_name == plan.function["function_name"]
    assert settings.otlp_endpoint == "http://localhost:4318"
    assert "AWS_LAMBDA_EXEC_WRAPPER" not in environment


def test_every_setting_of_the_function_can_be_set(plans: dict[str, Plan]) -> None:
    """And none is set that the function does not read: a typo would go unnoticed."""
    source = (ROOT / "src/lambdas/sse_streaming/settings.py").read_text(encoding="utf-8")
    read = set(re.findall(r'"(SSE_[A-Z_]+)"', source))
    assert {name for name in plans["everything"].environment if name.startswith("SSE_")} == read


def test_defaults_are_the_functions_own(plans: dict[str, Plan]) -> None:
    environment = plans["defaults"].environment
    required = ("SERVICE_NAME", "_TABLE", "METRICS_NAMESPACE")
    bare = {name: value for name, value in environment.items() if name.endswith(required)}
    assert Settings.from_environ(environment) == Settings.from_environ(bare)


def test_the_ranges_are_the_functions_own(plans: dict[str, Plan]) -> None:
    """A value that the plan accepts and the function refuses would be found out by the clients."""
    accepted: dict[str, tuple[float, float, bool]] = {}

    class Recording(EnvironReader):
        def number(self, name: str, default: float, low: float, high: float) -> float:
            accepted.setdefault(name, (low, high, False))
            return super().number(name, default, low, high)

        def whole(self, name: str, default: int, low: int, high: int) -> int:
            accepted[name] = (low, high, True)
            return super().whole(name, default, low, high)

    Settings.read(Recording(plans["defaults"].environment))
    rows = re.findall(
        r"^ +(\w+) += \{ from = (\S+), to = (\S+), whole = (true|false) \}$",
        (MODULE / "modules" / "feed" / "setting_ranges.tf").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert {
        f"SSE_{name.upper()}": (float(low), float(high), whole == "true")
        for name, low, high, whole in rows
    } == accepted


def test_tracing_is_off_without_a_collector(plans: dict[str, Plan]) -> None:
    assert plans["public"].function["layers"] == []
    assert Settings.from_environ(plans["public"].environment).otel_disabled


@pytest.mark.parametrize(
    ("name", "layer", "runtime"),
    [("defaults", "arm64", "python3.13"), ("everything", "amd64", "python3.12")],
)
def test_layer_and_runtime_follow_the_architecture(
    plans: dict[str, Plan], name: str, layer: str, runtime: str
) -> None:
    function = plans[name].function
    account = "901920570463"
    assert function["layers"] == [
        f"arn:aws:lambda:{REGION}:{account}:layer:aws-otel-collector-{layer}-ver-0-117-0:1"
    ]
    assert function["runtime"] == runtime


# Watching it


def test_alarms_act_on_what_streams_do(plans: dict[str, Plan]) -> None:
    planned = plans["defaults"].resources
    late = planned[f'{ALARM}.threshold["near-timeout"]']
    assert 300_000 < late["threshold"] < 330_000
    assert late["dimensions"] == {"FunctionName": "sse-streaming", "Resource": "sse-streaming:live"}
    errors = {query["id"]: query for query in planned[f"{ALARM}.errors[0]"]["metric_query"]}
    assert errors["percent"]["expression"] == "IF(started >= 10, 100 * failed / started, 0)"
    assert errors["started"]["metric"][0]["metric_name"] == "Invocations"


@pytest.mark.parametrize(("name", "timeout_seconds"), [("defaults", 330), ("longest", 900)])
def test_a_killed_stream_falls_into_the_alarms_window(
    plans: dict[str, Plan], name: str, timeout_seconds: int
) -> None:
    """Its datapoints carry the time of the invocation, a whole timeout before they are sent; and
    one of them is enough."""
    planned = plans[name].resources
    assert plans[name].function["timeout"] == timeout_seconds
    late = planned[f'{ALARM}.threshold["near-timeout"]']
    errors = planned[f"{ALARM}.errors[0]"]
    started = next(query for query in errors["metric_query"] if query["id"] == "started")
    for alarm, period in ((late, late["period"]), (errors, started["metric"][0]["period"])):
        # The window begins with a whole period, so that much of it may be over already.
        assert (alarm["evaluation_periods"] - 1) * period >= timeout_seconds
        assert alarm["datapoints_to_alarm"] == 1
    throttles = planned[f'{ALARM}.threshold["throttles"]']
    assert throttles["evaluation_periods"] == 1


def test_the_concurrency_alarm_follows_the_functions_own_limit(plans: dict[str, Plan]) -> None:
    """It is always below what is reserved: measured by that, it would come after the refusals."""
    address = f'{ALARM}.threshold["concurrency"]'
    assert plans["everything"].function["reserved_concurrent_executions"] == 125
    assert plans["everything"].resources[address]["threshold"] == 80


def test_lost_spans_are_seen_in_the_log(
    plans: dict[str, Plan], caplog: pytest.LogCaptureFixture
) -> None:
    """The function's own metric of them leaves with the environment's next stream, if there is
    one. The filter is tried on the lines that the buffer writes."""
    address = 'module.watch.aws_cloudwatch_log_metric_filter.collector["SpanLosses"]'
    pattern = plans["defaults"].resources[address]["pattern"]
    conditions = re.findall(r'\(\$\.message (!?=) "([^"]+)"\)', pattern)
    joined = " && ".join(f'($.message {operator} "{text}")' for operator, text in conditions)
    assert pattern == f"{{ {joined} }}"

    def is_counted(line: str) -> bool:
        return all(fnmatchcase(line, text) == (operator == "=") for operator, text in conditions)

    def seen(*outcomes: Outcome, rejected_spans: int = 0) -> list[str]:
        """Those of the lines written by flushes of one span each that the filter counts."""
        caplog.clear()
        collector = MemoryExporter(list(outcomes), rejected_spans=rejected_spans)
        buffer = SpanBuffer(lambda: collector, 1.0)
        for _ in outcomes:
            buffer.add(ReadableSpan("any"))
            buffer.flush()
        return list(filter(is_counted, caplog.messages))

    def seen_otherwise(lose: Callable[[SpanBuffer], None]) -> int:
        caplog.clear()
        buffer = SpanBuffer(lambda: MemoryExporter([Outcome.FAILED]), 1.0)
        lose(buffer)
        return sum(map(is_counted, caplog.messages))

    def exit_with_spans(buffer: SpanBuffer) -> None:
        buffer.add(ReadableSpan("any"))
        buffer.flush()
        buffer.give_up()

    assert seen_otherwise(exit_with_spans) == 1
    assert seen_otherwise(lambda buffer: buffer.lose(2, trace_id=1)) == 1
    assert seen(Outcome.DELIVERED) == seen(Outcome.FAILED, Outcome.DELIVERED) == []
    assert len(seen(Outcome.FAILED, Outcome.FAILED, Outcome.FAILED)) == 2
    assert len(seen(Outcome.REJECTED)) == 1
    assert len(seen(Outcome.DELIVERED, rejected_spans=1)) == 1


def test_alarms_and_dashboard_name_metrics_that_exist(plan: Plan) -> None:
    """The function's by its source, the collector's by the filters, Lambda's by their list."""
    source = " ".join(path.read_text() for path in (ROOT / "src" / "lambdas").rglob("*.py"))
    filters = {
        resource["metric_transformation"][0]["name"]
        for address, resource in plan.resources.items()
        if address.startswith("module.watch.aws_cloudwatch_log_metric_filter")
    }
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    lambdas = {
        "ConcurrentExecutions",
        "Duration",
        "Errors",
        "Throttles",
        "Url4xxCount",
        "Url5xxCount",
    }
    named = {
        (resource["namespace"], resource["metric_name"])
        for address, resource in plan.resources.items()
        if address.startswith(f"{ALARM}.threshold")
    }
    board = json.loads(
        plan.resources["module.watch.aws_cloudwatch_dashboard.service[0]"]["dashboard_body"]
    )
    for widget in board["widgets"]:
        named |= {(metric[0], metric[1]) for metric in widget["properties"]["metrics"]}
    for namespace, metric in named:
        if namespace == "AWS/Lambda":
            assert metric in lambdas
        else:
            assert namespace == plan.environment["SSE_METRICS_NAMESPACE"]
            assert metric in filters or f'"{metric}"' in source, metric


def test_every_alarm_has_its_place_in_the_handbook(plan: Plan) -> None:
    handbook = (ROOT / "docs/operate.md").read_text(encoding="utf-8")
    alarms = [
        resource["alarm_name"].removeprefix(f"{plan.function['function_name']}-")
        for address, resource in plan.resources.items()
        if address.startswith(ALARM)
    ]
    assert len(alarms) == 11
    assert [name for name in alarms if f"| `{name}` |" not in handbook] == []


def test_the_package_is_what_is_deployed(plan: Plan) -> None:
    """The hash is the file's: another zip is another version, the same zip none."""
    expected = base64.b64encode(hashlib.sha256(ANY_ZIP).digest()).decode()
    assert plan.function["source_code_hash"] == expected


# Any app


def test_an_app_gets_its_handler_environment_and_rights_and_no_tables(
    plans: dict[str, Plan],
) -> None:
    app = plans["app"]
    assert app.function["handler"] == "main.handler"
    assert app.environment["MODEL"] == "m"
    assert app.environment["STREAMING_MAX_STREAM_SECONDS"] == "120"
    assert app.environment["STREAMING_INVOKE_MODE"] == "stream"
    assert not [name for name in app.environment if name.startswith("SSE_")]
    assert list(app.policy(ROLE_POLICY)) == ["WriteLogs", "WriteTraces", "Ask"]
    assert not [address for address in app.resources if "dynamodb" in address]
    assert app.resources[FUNCTION]["logging_config"][0]["application_log_level"] == "INFO"


def test_an_image_has_no_layer_and_no_runtime(plans: dict[str, Plan]) -> None:
    function = plans["image"].function
    assert (function["package_type"], function["layers"] or []) == ("Image", [])
    assert (function["runtime"], function["handler"], function["filename"]) == (None, None, None)
    assert function["image_config"][0]["command"] == ["main.handler"]


def test_a_digest_stands_for_a_file_that_is_elsewhere(plans: dict[str, Plan]) -> None:
    assert plans["elsewhere"].function["source_code_hash"] == DIGEST


def test_what_watches_and_the_role_can_be_left_out(plans: dict[str, Plan]) -> None:
    planned = plans["elsewhere"]
    assert not [address for address in planned.resources if address.startswith("module.watch")]
    assert not [address for address in planned.resources if "aws_iam_role" in address]
    assert planned.function["role"] == f"arn:aws:iam::{ACCOUNT}:role/given"


def test_the_rest_api_streams_to_the_alias(plans: dict[str, Plan]) -> None:
    api = plans["app"].resources["module.rest[0].aws_api_gateway_rest_api.this"]
    paths = json.loads(api["body"])["paths"]
    assert set(paths) == {"/", "/{proxy+}"}
    for path in paths.values():
        method = path["x-amazon-apigateway-any-method"]
        assert method["security"] == [{"api_key": [], "caller": []}]
        integration = method["x-amazon-apigateway-integration"]
        assert integration["responseTransferMode"] == "STREAM"
        assert integration["timeoutInMillis"] == 330_000
        assert integration["uri"] == (
            f"arn:aws:apigateway:{REGION}:lambda:path/2021-11-15/functions/"
            f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:chat:live/response-streaming-invocations"
        )


def test_alarms_take_a_deployment_back(plans: dict[str, Plan]) -> None:
    planned = plans["app"].resources
    group = planned["module.codedeploy[0].aws_codedeploy_deployment_group.live"]
    assert group["alarm_configuration"][0]["alarms"] == [
        "chat-errors",
        "chat-rest-5xx",
        "chat-url-5xx",
    ]
    assert group["auto_rollback_configuration"][0]["events"] == [
        "DEPLOYMENT_FAILURE",
        "DEPLOYMENT_STOP_ON_ALARM",
    ]
    warm = planned["module.function.aws_lambda_provisioned_concurrency_config.live[0]"]
    assert (warm["qualifier"], warm["provisioned_concurrent_executions"]) == ("live", 2)


def test_principals_may_invoke_through_the_url_only(plans: dict[str, Plan]) -> None:
    (grant,) = (
        resource
        for address, resource in plans["app"].resources.items()
        if address.startswith("module.url.aws_lambda_permission.principal_url")
    )
    assert (grant["action"], grant["principal"]) == ("lambda:InvokeFunctionUrl", "210987654321")
    assert grant["function_url_auth_type"] == "AWS_IAM"
    assert "module.url.aws_cloudformation_stack.principal_invoke[0]" in plans["app"].resources


def test_tables_and_rights_follow_the_feed(plans: dict[str, Plan]) -> None:
    quotes = plans["feed"]
    items = quotes.resources["module.feed[0].aws_dynamodb_table.items[0]"]
    (index,) = items["global_secondary_index"]
    assert (items["hash_key"], items["range_key"]) == ("id", None)
    assert (index["name"], index["hash_key"], index["range_key"]) == ("by_symbol", "symbol", "at")
    types = {one["name"]: one["type"] for one in items["attribute"]}
    assert types == {"id": "S", "symbol": "S", "at": "N"}
    assert quotes.environment["SSE_ITEMS_INDEX"] == "by_symbol"
    # As the function makes it of a replay window that is shorter than twice the overlap.
    assert quotes.environment["SSE_OVERLAP_SECONDS"] == "2.5"
    assert "ReadConfigurations" not in quotes.policy(ROLE_POLICY)
    assert "SSE_CONFIGURATIONS_TABLE" not in quotes.environment


def test_viewers_do_not_choose_the_trace(plans: dict[str, Plan]) -> None:
    planned = plans["everything"].resources
    policy = planned["module.url.aws_cloudfront_origin_request_policy.function[0]"]
    (headers,) = policy["headers_config"]
    assert headers["header_behavior"] == "allExcept"
    assert sorted(headers["headers"][0]["items"]) == ["host", "x-amzn-trace-id"]
    cdn = planned["module.url.aws_cloudfront_distribution.function[0]"]
    behaviors = [*cdn["default_cache_behavior"], *cdn["ordered_cache_behavior"]]
    assert {one["viewer_protocol_policy"] for one in behaviors} == {"https-only"}
    assert "x-amzn-trace-id" not in planned[URL]["cors"][0]["allow_headers"]


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
