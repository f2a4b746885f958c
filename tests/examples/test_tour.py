"""The FastAPI tour, asked through Starlette's own client, the Function URL and a REST API."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent
from fastapi import Request

from examples.tour.app import ALLOWED_ORIGINS, app, create_app, handler
from lambda_streaming import asgi
from local_aws.background import BackgroundStack
from tests.examples.ways import Way, in_process, served, wait_until_free
from tests.fakes.events import bare_event, function_url_event, rest_api_event
from tests.fakes.local import wait_until


@pytest.fixture(scope="module")
def stack() -> Iterator[BackgroundStack]:
    with served("examples.tour.app:handler") as running:
        yield running


@pytest.fixture
def in_process_way() -> Iterator[Way]:
    with in_process(app) as opened:
        yield opened


@pytest.mark.parametrize("path", ["/health", "/api/health"])
def test_it_is_healthy(way: Way, path: str) -> None:
    answer = way.client.get(path)

    assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})


def test_the_15th_fibonacci_number_is_610(way: Way) -> None:
    assert way.client.get("/fibonacci/15").json() == {"n": 15, "fibonacci": 610}


@pytest.mark.parametrize("n", ["-1", "79", "many"])
def test_a_number_out_of_range_is_refused_by_name(way: Way, n: str) -> None:
    answer = way.client.get(f"/fibonacci/{n}")

    assert answer.status_code == 422
    assert answer.json()["error"]["message"].startswith("path.n: Input should be")


def test_numbers_come_one_line_each(way: Way) -> None:
    assert way.client.get("/fibonacci/6/numbers").text.split() == [
        "0",
        "1",
        "1",
        "2",
        "3",
        "5",
        "8",
    ]


def test_an_item_that_was_created_can_be_read_where_the_answer_says(way: Way) -> None:
    created = way.client.post("/api/items/", json={"name": "pen", "description": "blue"})

    assert created.status_code == 201
    location = created.headers["location"]
    assert location == f"{way.root_path}/api/items/{created.json()['item_id']}"
    read = way.client.get(location.removeprefix(way.root_path))
    assert read.json() == created.json()
    assert (read.json()["name"], read.json()["description"]) == ("pen", "blue")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/api/items/99999", 404, "not_found"),
        ("POST", "/health", 405, "method_not_allowed"),
        ("POST", "/api/items/", 422, "unprocessable_content"),
    ],
)
def test_every_error_has_the_same_form_and_the_id_of_its_request(
    way: Way, method: str, path: str, status: int, code: str
) -> None:
    answer = way.client.request(method, path)

    assert answer.status_code == status
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "request_id"}
    assert error["code"] == code
    assert error["request_id"] == answer.headers["x-request-id"]


def test_the_middleware_sees_every_request(way: Way) -> None:
    answers = [way.client.get(path) for path in ("/", "/nothing", "/fibonacci/3/numbers")]

    assert len({answer.headers["x-request-id"] for answer in answers}) == 3


def test_the_request_id_is_lambdas(on_lambda: Way) -> None:
    answer = on_lambda.client.get("/health")

    assert answer.headers["x-request-id"] == answer.headers["x-amzn-requestid"]


def test_a_validation_error_does_not_repeat_what_was_sent(way: Way) -> None:
    answer = way.client.post("/api/items/", json={"name": {"token": "secret"}})

    assert answer.status_code == 422
    assert "body.name" in answer.text
    assert "secret" not in answer.text


def test_the_start_links_to_what_is_there(way: Way) -> None:
    links = way.client.get("/").json()

    assert all(path.startswith(f"{way.root_path}/") for path in links.values())
    for path in (links["documentation"], links["fibonacci"], links["aws"]):
        assert way.client.get(path.removeprefix(way.root_path)).status_code == 200


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_the_documentation_finds_its_schema_below_a_stage(way: Way, page: str) -> None:
    html = way.client.get(page).text

    assert f"{way.root_path}/openapi.json" in html
    schema = way.client.get("/openapi.json").json()
    assert "/fibonacci/{n}" in schema["paths"]
    servers = [server["url"] for server in schema.get("servers", [])]
    assert servers == ([way.root_path] if way.root_path else [])


def test_it_says_where_it_runs(on_lambda: Way, stack: BackgroundStack) -> None:
    answer = on_lambda.client.get("/api/aws-info")

    assert answer.json() == {
        "environment": "lambda",
        "function": "examples-tour-app",
        "version": "$LATEST",
        "region": "us-east-1",
        "memory_mb": stack.stack.settings.function.memory_mb,
        "request_id": answer.headers["x-amzn-requestid"],
    }


def test_elsewhere_it_says_that_it_is_local() -> None:
    with in_process(app) as way:
        found = way.client.get("/api/aws-info").json()

    assert found["environment"] == "local"
    assert set(found.values()) == {"local", None}


def test_a_page_of_an_allowed_origin_may_call_it(way: Way) -> None:
    (origin,) = ALLOWED_ORIGINS
    asked = {"origin": origin, "access-control-request-method": "POST"}

    preflight = way.client.options("/api/items/", headers=asked)
    answer = way.client.get("/health", headers={"origin": origin})

    assert preflight.status_code == 200
    for allowed in (preflight, answer):
        assert allowed.headers["access-control-allow-origin"] == origin
    other = way.client.get("/health", headers={"origin": "https://other.example"})
    assert "access-control-allow-origin" not in other.headers


def test_an_invocation_without_a_front_door_is_answered_in_plain_python() -> None:
    """As `aws lambda invoke` sends it, and a script prints it."""
    answer = json.loads(
        json.dumps(handler({"httpMethod": "GET", "path": "/health", "headers": {}}))
    )

    assert answer["statusCode"] == 200
    assert json.loads(answer["body"]) == {"status": "healthy"}
    asked = handler(bare_event(path="/api/items/99999"))
    assert (asked["statusCode"], json.loads(asked["body"])["error"]["code"]) == (404, "not_found")


def test_an_invocation_through_lambdas_api_is_answered_as_json(stack: BackgroundStack) -> None:
    """`aws lambda invoke --payload …`"""
    wait_until_free(stack)
    function = stack.stack.settings.function.name
    answer = httpx.post(
        f"{stack.door_url('invoke_api')}/2015-03-31/functions/{function}/invocations",
        json={"httpMethod": "GET", "path": "/fibonacci/15", "headers": {}},
        trust_env=False,
    )

    assert answer.status_code == 200
    assert json.loads(answer.json()["body"]) == {"n": 15, "fibonacci": 610}


def test_an_exception_is_a_500_of_the_same_form_which_does_not_tell_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = create_app()

    @broken.get("/broken")
    def fail() -> None:
        raise LookupError("secret")

    answer = asgi(broken)(function_url_event("GET", "/broken"))

    assert answer["statusCode"] == 500
    assert json.loads(answer["body"])["error"]["code"] == "internal_server_error"
    assert "secret" not in answer["body"]
    assert any("LookupError" in str(record.exc_info or record.message) for record in caplog.records)


def test_powertools_reads_the_event_of_a_request() -> None:
    """No classes of the library's own stand around an event."""
    asked = create_app()

    @asked.get("/stage")
    def stage_of(request: Request) -> str | None:
        return APIGatewayProxyEvent(request.scope["aws.event"]).request_context.stage

    answer = asgi(asked)(rest_api_event(path="/stage"))

    assert json.loads(answer["body"]) == rest_api_event()["requestContext"]["stage"]


def test_each_request_leaves_one_line_with_its_ids_and_without_its_query(
    on_lambda: Way, stack: BackgroundStack
) -> None:
    answer = on_lambda.client.get("/health", params={"token": "secret"})
    request_id = answer.headers["x-amzn-requestid"]

    wait_until(lambda: lines_of(stack, request_id), "the line is written")
    (line,) = lines_of(stack, request_id)
    said = json.loads(line)
    assert (said["message"]["method"], said["message"]["status"]) == ("GET", 200)
    assert said["xray_trace_id"] in answer.headers["x-amzn-trace-id"]
    assert "secret" not in "\n".join(stack.function_log())


def lines_of(stack: BackgroundStack, request_id: str) -> list[str]:
    return [line for line in stack.function_log() if request_id in line]
