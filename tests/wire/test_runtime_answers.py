"""What the runtime sends for each kind of answer, as bytes on a real socket."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from lambda_streaming import __version__
from lambda_streaming.responses import BufferedResponse, Response, Result
from lambda_streaming.runtime.invocation import LambdaContext
from tests.fakes.runtime_api import FUNCTION_ARN, NULS, Event, FakeRuntimeApi, Treatment
from tests.fakes.runtime_serving import Finished, serving, streaming, until_idle

PYTHON = ".".join(map(str, sys.version_info[:3]))
USER_AGENT = f"aws-lambda-python-sse/{PYTHON}-{__version__}".encode()


def hello(event: bytes, context: LambdaContext) -> Result:
    return Response(b"hello", 200, {"Content-Type": "text/plain"})


async def test_sends_an_http_answer_as_a_stream_with_these_bytes() -> None:
    with FakeRuntimeApi() as api:
        api.add(Event(request_id="abc", headers={"Lambda-Runtime-Invocation-Id": "inv-1"}))
        async with serving(api, hello):
            await until_idle(api, 2)
        (answer,) = api.answers()
        assert answer.raw_head == (
            b"POST /2018-06-01/runtime/invocation/abc/response HTTP/1.1\r\n"
            b"Host: " + api.endpoint.encode() + b"\r\n"
            b"User-Agent: " + USER_AGENT + b"\r\n"
            b"Transfer-Encoding: chunked\r\n"
            b"Lambda-Runtime-Function-Response-Mode: streaming\r\n"
            b"Content-Type: application/vnd.awslambda.http-integration-response\r\n"
            b"Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n"
            b"Lambda-Runtime-Invocation-Id: inv-1\r\n\r\n"
        )
        assert bytes(answer.raw_body) == (
            b'47\r\n{"statusCode":200,"headers":{"Content-Type":"text/plain"},"cookies":[]}\r\n'
            b"8\r\n\0\0\0\0\0\0\0\0\r\n"
            b"5\r\nhello\r\n"
            b"0\r\n\r\n"
        )
        assert answer.complete
        assert answer.trailers == {}


async def test_asks_for_events_with_its_name_and_nothing_else() -> None:
    with FakeRuntimeApi() as api:
        async with serving(api, hello):
            await until_idle(api, 1)
        assert api.polls()[0].raw_head == (
            b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n"
            b"Host: " + api.endpoint.encode() + b"\r\n"
            b"User-Agent: " + USER_AGENT + b"\r\n\r\n"
        )


async def test_sends_a_buffered_answer_whole() -> None:
    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, lambda event, context: BufferedResponse(b'{"a":1}')):
            await until_idle(api, 2)
        (answer,) = api.answers()
        assert answer.body == b'{"a":1}'
        assert answer.headers["content-type"] == "application/json"
        assert "lambda-runtime-function-response-mode" not in answer.headers
        assert "lambda-runtime-invocation-id" not in answer.headers


async def test_reports_a_failed_handler_with_its_type_and_stack() -> None:
    def failing(event: bytes, context: LambdaContext) -> Result:
        raise ValueError("broken")

    with FakeRuntimeApi() as api:
        api.add(Event(request_id="x", headers={"Lambda-Runtime-Invocation-Id": "inv-2"}))
        async with serving(api, failing):
            await until_idle(api, 2)
        (answer,) = api.answers()
        assert answer.path.endswith("/invocation/x/error")
        assert answer.headers["lambda-runtime-function-error-type"] == "Function.ValueError"
        assert answer.headers["lambda-runtime-invocation-id"] == "inv-2"
        report = json.loads(answer.body)
        assert report["errorMessage"] == "broken"
        assert report["errorType"] == "ValueError"
        assert "in failing" in report["stackTrace"][-1]


@pytest.mark.parametrize(
    "result",
    [
        Response(b"x", 200, {"X-Bad": "a\r\nb"}),
        Response(b"x", 200, {"X-Bad": "a\0b"}),
        Response(b"x", 200, {"X-Bad": "price \u20ac"}),
        Response(b"x", 200, {"X Bad": "a"}),
        Response(b"x", cookies=("a=b\n",)),
        Response(b"x", 99, {}),
        BufferedResponse(b"{}", content_type="text/plain\r\nX: y"),
        "not a result",
    ],
)
async def test_what_cannot_stand_on_the_wire_is_reported_before_a_byte_of_it_is_sent(
    result: Result,
) -> None:
    with FakeRuntimeApi() as api:
        api.add(Event(), Event())
        async with serving(api, lambda event, context: result):
            await until_idle(api, 3)
        assert [answer.path.rpartition("/")[2] for answer in api.answers()] == ["error", "error"]
        assert all(b"\xac" not in answer.body for answer in api.answers())


async def test_a_stream_with_a_bad_header_is_closed_and_finished() -> None:
    async def body() -> AsyncGenerator[bytes, None]:
        yield b"never asked for"

    finished = Finished()

    def handler(event: bytes, context: LambdaContext) -> Result:
        return replace(streaming(body(), finished), headers={"X": "\n"})

    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, handler):
            await until_idle(api, 2)
        assert api.answers()[0].path.endswith("/error")
    assert [outcome.name for outcome in finished.outcomes] == ["FAILED"]
    assert isinstance(finished.errors[0], ValueError)


async def test_reuses_one_connection_for_events_answers_and_errors() -> None:
    def alternating(event: bytes, context: LambdaContext) -> Result:
        if event == b"bad":
            raise RuntimeError
        return hello(event, context)

    with FakeRuntimeApi() as api:
        api.add(Event(), Event(body=b"bad"), Event())
        async with serving(api, alternating):
            await until_idle(api, 4)
        assert {exchange.connection for exchange in api.exchanges} == {1}


@pytest.mark.parametrize("status", [200, 202, 400, 403, 410, 413, 500])
async def test_goes_on_after_any_reply_to_an_answer(status: int) -> None:
    with FakeRuntimeApi() as api:
        api.add(Event(treatment=Treatment(reply_status=status)), Event())
        async with serving(api, hello):
            await until_idle(api, 3)
        assert len(api.answers()) == 2


async def test_speaks_to_an_endpoint_with_scheme_and_path() -> None:
    with FakeRuntimeApi(base_path="/.rt/fn") as api:
        api.add(Event())
        async with serving(api, hello, endpoint=f"http://{api.endpoint}/.rt/fn"):
            await until_idle(api, 2)
        assert api.answers()[0].complete


async def test_speaks_to_an_ipv6_endpoint() -> None:
    with FakeRuntimeApi(host="::1") as api:
        api.add(Event())
        async with serving(api, hello):
            await until_idle(api, 2)
        assert api.answers()[0].headers["host"] == api.endpoint


async def test_percent_encodes_the_request_id() -> None:
    with FakeRuntimeApi() as api:
        api.add(Event(request_id="a/b c\u00e9?#"))
        async with serving(api, hello):
            await until_idle(api, 2)
        assert "/invocation/a%2Fb%20c%C3%A9%3F%23/response" in api.answers()[0].path
        assert api.answers()[0].status == 202


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("piece_bytes", [None, 1])
async def test_reads_an_event_however_it_is_sent(chunked: bool, piece_bytes: int | None) -> None:
    events: list[bytes] = []

    def handler(event: bytes, context: LambdaContext) -> Result:
        events.append(event)
        return hello(event, context)

    with FakeRuntimeApi() as api:
        api.add(Event(body=b'{"k": "v"}', chunked=chunked, piece_bytes=piece_bytes), Event())
        async with serving(api, handler):
            await until_idle(api, 3)
        assert events == [b'{"k": "v"}', b"{}"]
        assert {exchange.connection for exchange in api.exchanges} == {1}


async def test_reads_an_event_of_six_megabytes() -> None:
    sizes: list[int] = []

    def handler(event: bytes, context: LambdaContext) -> Result:
        sizes.append(len(event))
        return BufferedResponse(event)

    with FakeRuntimeApi() as api:
        api.add(Event(body=b"x" * 6_291_556))
        async with serving(api, handler):
            await until_idle(api, 2)
        assert sizes == [6_291_556]
        assert len(api.answers()[0].body) == 6_291_556


async def test_the_context_object_tells_of_the_invocation() -> None:
    contexts: list[LambdaContext] = []

    def handler(event: bytes, context: LambdaContext) -> Result:
        contexts.append(context)
        return hello(event, context)

    headers = {
        "Lambda-Runtime-Client-Context": '{"custom":{"k":"\u00e9"},"client":{"app_title":"t"}}',
        "Lambda-Runtime-Cognito-Identity": '{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}',
        "Lambda-Runtime-Aws-Tenant-Id": "tenant",
    }
    with FakeRuntimeApi() as api:
        api.add(Event(request_id="r", headers=headers))
        async with serving(api, handler):
            await until_idle(api, 2)
    (context,) = contexts
    assert context.aws_request_id == "r"
    assert context.invoked_function_arn == FUNCTION_ARN
    assert (context.function_name, context.function_version) == ("f", "7")
    assert context.memory_limit_in_mb == "256"
    assert (context.log_group_name, context.log_stream_name) == ("/aws/lambda/f", "2026/[7]abc")
    assert context.client_context is not None
    assert context.client_context.custom == {"k": "\u00e9"}
    assert context.identity.cognito_identity_pool_id == "p"
    assert context.tenant_id == "tenant"
    assert 50_000 < context.get_remaining_time_in_millis() <= 60_000


async def test_a_client_context_that_is_no_json_is_ignored_and_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    contexts: list[LambdaContext] = []

    def handler(event: bytes, context: LambdaContext) -> Result:
        contexts.append(context)
        return hello(event, context)

    headers = {
        "Lambda-Runtime-Client-Context": "{secret",
        "Lambda-Runtime-Cognito-Identity": "[1]",
    }
    with FakeRuntimeApi() as api:
        api.add(Event(headers=headers))
        async with serving(api, handler):
            await until_idle(api, 2)
    assert contexts[0].client_context is None
    assert contexts[0].identity.cognito_identity_id is None
    assert caplog.text.count("not a JSON object") == 2
    assert "secret" not in caplog.text


async def test_the_prelude_keeps_cookies_apart_and_drops_what_the_front_end_owns() -> None:
    headers = {
        "Content-Length": "5",
        "Connection": "close",
        "Keep-Alive": "5",
        "Transfer-Encoding": "chunked",
        "Trailer": "X",
        "Date": "today",
        "Set-Cookie": "b=2",
        "X-Kept": "caf\u00e9",
    }
    with FakeRuntimeApi() as api:
        api.add(Event())
        response = Response(b"gone", 404, headers, cookies=("a=1",))
        async with serving(api, lambda event, context: response):
            await until_idle(api, 2)
        (answer,) = api.answers()
        assert answer.prelude == {
            "statusCode": 404,
            "headers": {"X-Kept": "caf\u00e9"},
            "cookies": ["a=1", "b=2"],
        }
        assert [data for _, data in answer.chunks[1:]] == [NULS, b"gone"]


@pytest.mark.parametrize("status", [200, 204, 302, 304])
async def test_an_answer_without_a_body_has_one_byte(status: int) -> None:
    """A function URL hangs on an empty streamed payload."""
    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, lambda event, context: Response(status=status)):
            await until_idle(api, 2)
        (answer,) = api.answers()
        assert answer.prelude["statusCode"] == status
        assert answer.payload == b"\n"


async def test_text_is_sent_as_utf_8() -> None:
    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, lambda event, context: Response("caf\u00e9")):
            await until_idle(api, 2)
        assert api.answers()[0].payload == b"caf\xc3\xa9"


async def test_a_repeated_header_is_joined_and_cookies_are_kept_apart() -> None:
    headers = [("Vary", "a"), ("Set-Cookie", "a=1"), ("vary", "b"), ("set-cookie", "b=2")]
    with FakeRuntimeApi() as api:
        api.add(Event())
        async with serving(api, lambda event, context: Response("x", headers=headers)):
            await until_idle(api, 2)
        prelude = api.answers()[0].prelude
        assert prelude["headers"] == {"Vary": "a, b"}
        assert prelude["cookies"] == ["a=1", "b=2"]
