"""The pure parts of the local Lambda: states, limits, trace headers, events, cross-origin rules."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from local_aws.guardian import watch
from local_aws.lambda_side.bandwidth import (
    BURST_BYTES,
    MAX_RESPONSE_BYTES,
    RATE_BYTES_PER_SECOND,
    Bandwidth,
)
from local_aws.lambda_side.environ import Wiring, function_environ
from local_aws.lambda_side.function_url import cors
from local_aws.lambda_side.function_url.http_events import HttpRequest, function_url_event
from local_aws.lambda_side.runtime_state import (
    Call,
    InvalidStateTransitionError,
    RuntimeStateMachine,
    State,
)
from local_aws.settings import REPOSITORY_ROOT, FunctionSettings
from local_aws.traces.trace_header import start_trace

ROOT = "1-6b012333-95837e9e5dc74574d39297f7"


class Clock:
    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class TestRuntimeStates:
    def test_one_invocation_after_another(self) -> None:
        machine = RuntimeStateMachine()
        for call in (Call.NEXT, Call.EVENT, Call.RESPONSE, Call.SENT, Call.NEXT, Call.EVENT):
            machine.apply(call)
        assert machine.state is State.RUNNING

    @pytest.mark.parametrize(
        ("before", "refused"),
        [
            ((), Call.RESPONSE),
            ((Call.NEXT,), Call.INIT_ERROR),
            ((Call.NEXT,), Call.RESPONSE),
            ((Call.NEXT, Call.EVENT, Call.RESPONSE), Call.NEXT),
            ((Call.NEXT, Call.EVENT, Call.RESPONSE, Call.SENT), Call.ERROR),
            ((Call.INIT_ERROR,), Call.NEXT),
            ((Call.RESTORE_NEXT,), Call.RESTORE_NEXT),
        ],
    )
    def test_other_orders_are_refused_and_change_nothing(
        self, before: tuple[Call, ...], refused: Call
    ) -> None:
        machine = RuntimeStateMachine()
        for call in before:
            machine.apply(call)
        state = machine.state
        with pytest.raises(InvalidStateTransitionError, match="is not allowed"):
            machine.apply(refused)
        assert machine.state is state

    def test_next_before_an_answer_is_a_repetition(self) -> None:
        machine = RuntimeStateMachine()
        for call in (Call.NEXT, Call.EVENT, Call.NEXT):
            machine.apply(call)
        assert machine.state is State.RUNNING


class TestBandwidth:
    def test_the_burst_is_free(self) -> None:
        assert Bandwidth(Clock()).take(BURST_BYTES) == 0.0

    def test_beyond_the_burst_bytes_wait_for_their_rate(self) -> None:
        clock = Clock()
        bandwidth = Bandwidth(clock)
        bandwidth.take(BURST_BYTES)
        assert bandwidth.take(RATE_BYTES_PER_SECOND) == pytest.approx(1.0)
        clock.now = 1.0
        assert bandwidth.take(RATE_BYTES_PER_SECOND // 2) == pytest.approx(0.5)

    def test_idle_time_refills_no_more_than_the_burst(self) -> None:
        clock = Clock()
        bandwidth = Bandwidth(clock)
        bandwidth.take(BURST_BYTES)
        clock.now = 3600.0
        assert bandwidth.take(BURST_BYTES) == 0.0
        assert bandwidth.take(1) > 0.0

    def test_the_total_is_200_mib(self) -> None:
        bandwidth = Bandwidth(Clock())
        bandwidth.take(MAX_RESPONSE_BYTES)
        assert bandwidth.exceeds_total(1)
        assert not bandwidth.exceeds_total(0)


class TestTraces:
    def test_a_trace_begins_now_without_a_header(self) -> None:
        trace = start_trace(None, sampled_by_default=True, clock=Clock(0x6B012333))
        assert trace.root.startswith("1-6b012333-")
        assert (trace.upstream_id, trace.sampled) == (None, True)
        assert trace.service_id != trace.function_id

    def test_the_clients_trace_parent_and_decision_are_kept(self) -> None:
        header = f"Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=0;Lineage=1:aa:0"
        trace = start_trace(header, sampled_by_default=True, clock=Clock())
        assert (trace.root, trace.upstream_id) == (ROOT, "53995c3f42cd8ad8")
        assert trace.sampled is False
        assert trace.function_header == (
            f"Root={ROOT};Parent={trace.function_id};Sampled=0;Lineage=1:aa:0"
        )

    @pytest.mark.parametrize("header", ["", "nonsense", "Root=1-x-y;Sampled=1", ";;=;"])
    def test_a_malformed_root_begins_a_new_trace(self, header: str) -> None:
        trace = start_trace(header, sampled_by_default=False, clock=Clock())
        assert trace.root.startswith("1-00000000-")
        assert trace.sampled is False

    @pytest.mark.parametrize("sampled", [True, False])
    def test_an_open_decision_is_ours(self, sampled: bool) -> None:
        header = f"Root={ROOT};Sampled=?"
        trace = start_trace(header, sampled_by_default=sampled, clock=Clock())
        assert trace.sampled is sampled


def event(**given: Any) -> dict[str, Any]:
    request = HttpRequest(
        **{
            "method": "GET",
            "target": "/stream",
            "headers": [("host", "local"), ("user-agent", "test")],
            "body": b"",
            "source_ip": "127.0.0.1",
            **given,
        }
    )
    made: dict[str, Any] = json.loads(
        function_url_event(
            request, request_id="id", trace_header=f"Root={ROOT}", received_at=1577836800.5
        )
    )
    return made


class TestEvents:
    def test_a_plain_request(self) -> None:
        made = event()
        assert {"version": "2.0", "routeKey": "$default", "rawPath": "/stream"}.items() <= (
            made.items()
        )
        assert made["headers"] == {
            "host": "local",
            "user-agent": "test",
            "x-amzn-trace-id": f"Root={ROOT}",
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        }
        context = made["requestContext"]
        assert context["http"] == {
            "method": "GET",
            "path": "/stream",
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": "test",
        }
        assert (context["accountId"], context["stage"]) == ("anonymous", "$default")
        assert (context["time"], context["timeEpoch"]) == (
            "01/Jan/2020:00:00:00 +0000",
            1577836800500,
        )
        assert made["isBase64Encoded"] is False
        assert not {"body", "cookies", "queryStringParameters"} & made.keys()

    def test_repeated_headers_and_parameters_are_joined(self) -> None:
        made = event(target="/?a=1&b=&a=%2C", headers=[("x", "1"), ("x", "2")])
        assert made["headers"]["x"] == "1,2"
        assert made["queryStringParameters"] == {"a": "1,,", "b": ""}

    @pytest.mark.parametrize(
        ("content_type", "body", "is_text"),
        [
            ("application/json", b"{}", True),
            ("text/plain; charset=utf-8", "é".encode(), True),
            ("text/plain", b"\xff", False),
            ("application/x-www-form-urlencoded", b"a=1", False),
            ("", b"a", False),
        ],
    )
    def test_bodies_that_are_no_text_are_base64(
        self, content_type: str, body: bytes, is_text: bool
    ) -> None:
        made = event(body=body, headers=[("content-type", content_type)])
        assert made["isBase64Encoded"] is not is_text
        given = made["body"].encode() if is_text else base64.b64decode(made["body"])
        assert given == body

    @pytest.mark.parametrize(
        "signed",
        [
            {
                "headers": [
                    (
                        "authorization",
                        "AWS4-HMAC-SHA256 Credential=alice/20260101/us-east-1/lambda/aws4_request"
                        ", SignedHeaders=host, Signature=0",
                    )
                ]
            },
            {
                "target": "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
                "alice%2F20260101%2Fus-east-1%2Flambda%2Faws4_request&X-Amz-Signature=0"
            },
        ],
        ids=["header", "presigned"],
    )
    def test_a_signature_names_its_caller(self, signed: dict[str, Any]) -> None:
        iam = event(**signed)["requestContext"]["authorizer"]["iam"]
        assert iam["userArn"] == "arn:aws:iam::123456789012:user/alice"
        assert (iam["accessKey"], iam["accountId"]) == ("alice", "123456789012")


class TestCrossOrigin:
    def test_a_plain_options_request_is_no_preflight(self) -> None:
        asked = {"origin": "http://a", "access-control-request-method": "GET"}
        assert cors.is_preflight("OPTIONS", asked)
        assert not cors.is_preflight("GET", asked)
        assert not cors.is_preflight("OPTIONS", {"origin": "http://a"})

    def test_a_preflight_allows_what_the_deployed_url_allows(self) -> None:
        """Its defaults, as they stand in the Terraform module."""
        module = REPOSITORY_ROOT / "modules" / "lambda"
        variables, url = ((module / name).read_text() for name in ("variables.tf", "url.tf"))
        headers = re.search(r"allow_headers += optional\(list\(string\), (\[.*\])\)", variables)
        age = re.search(r"max_age_seconds += optional\(number, (\d+)\)", variables)
        methods = re.search(r"allow_methods += (\[.*\])", url)
        assert headers is not None
        assert age is not None
        assert methods is not None
        allowed = dict(cors.preflight_headers())
        assert allowed["Access-Control-Allow-Headers"].split(",") == json.loads(headers[1])
        assert allowed["Access-Control-Allow-Methods"].split(",") == json.loads(methods[1])
        assert allowed["Access-Control-Max-Age"] == age[1]

    def test_an_answer_without_an_origin_stays_as_it_is(self) -> None:
        assert cors.with_cors({}, [("A", "1")]) == [("A", "1")]


class TestFunctionEnvironment:
    WIRING = Wiring(
        dynamodb_url="http://d",
        cloudwatch_url="http://c",
        otlp_url="http://o",
        xray_daemon_address="127.0.0.1:2000",
    )

    def environ(self, **given: Any) -> dict[str, str]:
        return function_environ(
            FunctionSettings(**given), self.WIRING, runtime_api="127.0.0.1:1", environment_number=1
        )

    def test_reserved_variables_cannot_be_configured_away(self) -> None:
        environ = self.environ(environment={"AWS_REGION": "mars", "MINE": "1"})
        assert (environ["AWS_REGION"], environ["MINE"]) == ("us-east-1", "1")

    def test_the_wiring_replaces_what_was_configured_for_aws(self) -> None:
        environ = self.environ(environment={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"})
        assert environ["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://o"

    def test_the_callers_own_variables_replace_everything(self) -> None:
        passed_on = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://mine", "AWS_REGION": "mars"}
        assert passed_on.items() <= self.environ(passed_on=passed_on).items()


def test_the_guardian_knows_which_groups_still_live() -> None:
    assert watch(iter([b"+1\n", b"+2\n", b"-1\n", b"+3\n"])) == {2, 3}
