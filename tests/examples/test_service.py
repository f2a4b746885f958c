"""The service, asked through Starlette's own client, the Function URL and a REST API, called in
plain Python, and invoked with boto3."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from starlette.testclient import TestClient

from examples.service.app import create_app, handler, run
from examples.service.debugging import shown
from examples.service.request_metrics import RequestMetrics
from examples.service.settings import Settings
from lambda_streaming import asgi
from local_aws.background import BackgroundStack
from tests.examples.ways import (
    Way,
    in_process,
    served,
    wait_until_free,
    way_to,
    why_it_does_not_start,
)
from tests.fakes.events import (
    alb_event,
    function_url_event,
    http_api_event,
    http_api_event_1_0,
    rest_api_event,
)
from tests.fakes.functions import shouting
from tests.fakes.local import wait_until
from tests.fakes.s3 import LocalS3, local_s3

BUCKET, KEY = "packages", "service/dependencies.zip"
INVALID = {"error": "Invalid Lambda event format"}
FAILED = {"error": "Internal server error"}


def packed(**modules: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        for name, source in modules.items():
            opened.writestr(f"{name}.py", source)
    return archive.getvalue()


ARCHIVE = packed(shouting=Path(shouting.__file__).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def s3() -> Iterator[LocalS3]:
    with local_s3() as running:
        running.put(BUCKET, KEY, ARCHIVE)
        yield running


def env_file(folder: Path, s3: LocalS3, **more: str) -> str:
    path = folder / "variables.env"
    variables = {
        "DEBUG": "true",
        "PROCESSOR": "shouting:process",
        "DEPENDENCIES_BUCKET": BUCKET,
        "DEPENDENCIES_KEY": KEY,
        "DEPENDENCIES_SHA256": hashlib.sha256(ARCHIVE).hexdigest(),
        "TMPDIR": str(folder),
        **s3.environ,
        **more,
    }
    path.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    return str(path)


@pytest.fixture(scope="module")
def stack(s3: LocalS3, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackgroundStack]:
    variables = env_file(tmp_path_factory.mktemp("stack"), s3)
    with served("examples.service.app:run", ENV_FILE=variables) as running:
        yield running


@pytest.fixture
def in_process_way() -> Iterator[Way]:
    settings = Settings(debug=True, processor="tests.fakes.functions.shouting:process")
    with in_process(create_app(settings)) as opened:
        yield opened


# Routes


def test_it_tells_its_version(way: Way) -> None:
    answer = way.client.get("/info/version")

    assert answer.status_code == 200
    assert answer.json()["version"] == "1.0.0"


def test_text_is_processed_by_what_the_setting_names(way: Way) -> None:
    answer = way.client.post("/api/process", json={"text": "ship it"})

    assert (answer.status_code, answer.json()) == (200, {"shouted": "SHIP IT"})


def test_text_has_a_digest(way: Way) -> None:
    answer = way.client.post("/digest/sha256", json={"text": "abc"})

    assert answer.json() == {"sha256": hashlib.sha256(b"abc").hexdigest()}


@pytest.mark.parametrize(
    ("address", "version", "is_global"),
    [("192.168.0.1", 4, False), ("8.8.8.8", 4, True), ("2001:4860:4860::8888", 6, True)],
)
def test_an_address_is_told_private_or_global(
    way: Way, address: str, version: int, is_global: bool
) -> None:
    found = way.client.get(f"/intel/address/{address}").json()

    assert (found["version"], found["is_global"]) == (version, is_global)


def test_a_chain_of_digests_has_a_line_each(way: Way) -> None:
    lines = way.client.get("/digest/chain", params={"start": "abc", "rounds": 3}).text.split()

    assert lines[0] == hashlib.sha256(b"abc").hexdigest()
    assert lines[2] == hashlib.sha256(bytes.fromhex(lines[1])).hexdigest()


def test_run_streams_in_lambda(on_lambda: Way, stack: BackgroundStack) -> None:
    on_lambda.client.get("/digest/chain", params={"start": "abc"}).raise_for_status()

    assert stack.call(stack.invocations[-1].relay.head()).streamed


@pytest.mark.parametrize("body", ["not json", '{"text": 7}', "{}", "[]"])
def test_a_body_that_is_not_what_is_asked_for_is_refused(way: Way, body: str) -> None:
    headers = {"content-type": "application/json"}

    assert way.client.post("/api/process", content=body, headers=headers).status_code == 422


# Plain calls


def test_run_answers_a_whole_event_with_a_dictionary() -> None:
    answer = run(
        {
            "version": "2.0",
            "requestContext": {
                "http": {"method": "GET", "path": "/info/version", "sourceIp": "127.0.0.1"}
            },
            "headers": {"accept": "application/json"},
            "rawPath": "/info/version",
            "rawQueryString": "",
        }
    )

    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["version"] == "1.0.0"


@pytest.mark.parametrize("context", [None, object()])
def test_run_needs_neither_context_nor_path_nor_headers(context: object) -> None:
    http = {"method": "GET", "path": "/info/version", "sourceIp": "127.0.0.1"}

    assert run({"version": "2.0", "requestContext": {"http": http}}, context)["statusCode"] == 200
    assert handler is run


def test_run_takes_a_body() -> None:
    event = {
        "version": "2.0",
        "requestContext": {"http": {"method": "POST", "path": "/api/process"}},
        "headers": {"content-type": "application/json"},
        "rawPath": "/api/process",
        "body": '{"text": "one three"}',
        "isBase64Encoded": False,
    }

    answer = run(event)

    assert json.loads(answer["body"]) == {"words": 2, "longest": "three"}


# What is answered with an error

INVALID_EVENTS: tuple[dict[str, Any], ...] = (
    {},
    {"version": "2.0"},
    {"requestContext": {"http": {}}},
    {"version": "3.0", "requestContext": {"http": {"method": "GET", "path": "/info/version"}}},
)


@pytest.mark.parametrize("event", INVALID_EVENTS, ids=json.dumps)
def test_an_invalid_event_is_a_400(event: dict[str, Any]) -> None:
    answer = json.loads(json.dumps(run(event)))

    assert (answer["statusCode"], json.loads(answer["body"])) == (400, INVALID)
    assert answer["headers"]["content-type"] == "application/json"


def test_a_queues_batch_is_never_acknowledged() -> None:
    with pytest.raises(Exception, match="aws:sqs"):
        run({"Records": [{"eventSource": "aws:sqs", "body": "{}"}]})


def test_a_failure_is_a_500_that_does_not_tell_why(way: Way) -> None:
    answer = way.client.post("/api/process", json={"text": "fail"})

    assert (answer.status_code, answer.json()) == (500, FAILED)
    assert answer.headers["x-debug-mode"] == "true"


def test_a_failure_is_logged_with_its_traceback(on_lambda: Way, stack: BackgroundStack) -> None:
    answer = on_lambda.client.post("/api/process", json={"text": "fail"})
    request_id = answer.headers["x-amzn-requestid"]

    def told() -> list[str]:
        return [line for line in stack.function_log() if request_id in line and "Lookup" in line]

    wait_until(told, "the failure is in the log")
    assert "shouting.py" in told()[0]


def invoked(stack: BackgroundStack, payload: bytes) -> Any:
    """As a script does it: boto3 and an endpoint."""
    wait_until_free(stack)
    client = boto3.client(
        "lambda",
        endpoint_url=stack.door_url("invoke_api"),
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    name = stack.stack.settings.function.name
    answer = client.invoke(FunctionName=name, Payload=payload)
    return json.loads(answer["Payload"].read())


def test_boto3_invokes_it(stack: BackgroundStack) -> None:
    answer = invoked(stack, json.dumps({"httpMethod": "GET", "path": "/info/version"}).encode())

    assert answer["statusCode"] == 200
    assert answer["headers"]["x-debug-mode"] == "true"


def test_boto3_invokes_it_with_an_invalid_event(stack: BackgroundStack) -> None:
    answer = invoked(stack, b'{"version": "2.0"}')

    assert (answer["statusCode"], json.loads(answer["body"])) == (400, INVALID)
    # What is no object has no source, so that the library answers it.
    assert invoked(stack, b"[1, 2]")["statusCode"] == 400


# Dependencies (the kinds of failure: test_service_dependencies.py)


def test_packages_come_from_s3_in_the_init_phase(on_lambda: Way) -> None:
    found = on_lambda.client.get("/info/version").json()["dependencies"]

    assert found == hashlib.sha256(ARCHIVE).hexdigest()


def test_an_archive_that_cannot_be_loaded_fails_the_init_with_bucket_and_key(
    s3: LocalS3, tmp_path: Path
) -> None:
    variables = env_file(tmp_path, s3, DEPENDENCIES_SHA256="0" * 64)

    why = why_it_does_not_start("examples.service.app:run", ENV_FILE=variables)

    assert why.startswith("The function does not start: DependenciesCorrupt")
    assert f"s3://{BUCKET}/{KEY}" in why


# DEBUG


def test_debug_mode_is_told(way: Way) -> None:
    assert way.client.get("/info/version").headers["x-debug-mode"] == "true"
    assert way.client.get("/nothing").headers["x-debug-mode"] == "true"


def test_without_debug_mode_nothing_says_so() -> None:
    client = TestClient(create_app(Settings(debug=False)))

    assert "x-debug-mode" not in client.get("/info/version").headers


def test_the_event_is_in_the_log_without_what_clients_sent(
    on_lambda: Way, stack: BackgroundStack
) -> None:
    answer = on_lambda.client.post(
        "/digest/sha256",
        params={"token": "hush-query"},
        headers={"authorization": "hush-header", "cookie": "session=hush-cookie"},
        json={"text": "hush-body"},
    )
    request_id = answer.headers["x-amzn-requestid"]

    def told() -> list[str]:
        begin = f"request {request_id}: event"
        return [line for line in stack.function_log() if begin in line]

    wait_until(told, "the event is in the log")
    (line,) = told()
    assert all(one in line for one in ("/digest/sha256", "authorization", "token", "isBase64"))
    assert stack.stack.settings.function.name in line  # of the context
    assert "hush" not in "\n".join(stack.function_log())


def values_below(event: Any) -> Iterator[str]:
    if isinstance(event, Mapping):
        for value in event.values():
            yield from values_below(value)
    elif isinstance(event, list):
        for value in event:
            yield from values_below(value)
    elif isinstance(event, str):
        yield event


CLIENTS = {"version": "hush-1", "stage": "hush-2", "cookie": "a=hush-3"}


@pytest.mark.parametrize(
    "event",
    [
        function_url_event("GET", "/a", "path=hush", CLIENTS, user_arn="arn:hush"),
        rest_api_event("GET", "/a", "path=hush", CLIENTS, user_arn="arn:hush"),
        http_api_event("GET", "/a", "path=hush", CLIENTS) | {"cookies": ["a=hush"]},
        http_api_event_1_0("GET", "/a", "path=hush", CLIENTS),
        alb_event("GET", "/a", "path=hush", CLIENTS),
        alb_event("GET", "/a", "path=hush", CLIENTS, multi_value=True),
        {"body": "hush", "path": {"headers": {"path": "hush"}}},
    ],
    ids=["url", "rest", "http 2.0", "http 1.0", "alb", "alb, many", "by hand"],
)
def test_no_event_shows_what_clients_sent(event: dict[str, Any]) -> None:
    said = list(values_below(shown(event)))

    assert any("hush" in value for value in values_below(event))
    assert not [value for value in said if "hush" in value or "198.51.100.7" in value]


@pytest.mark.parametrize("query", ["hush", "hush==", "hush&a=b"])
@pytest.mark.parametrize(
    "make_event",
    [
        function_url_event,
        rest_api_event,
        partial(alb_event, multi_value=True),
    ],
    ids=["url", "rest", "alb, many"],
)
def test_the_name_of_a_parameter_without_a_value_is_not_shown(
    make_event: Callable[..., dict[str, Any]], query: str
) -> None:
    event = make_event("GET", "/a", query, {})

    assert "hush" in json.dumps(event)
    assert "hush" not in json.dumps(shown(event))


# Metrics


def metrics_in(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith('{"_aws"')]


def test_each_request_has_its_metrics_by_route(capsys: pytest.CaptureFixture[str]) -> None:
    client = TestClient(create_app(Settings(metrics_namespace="Shop")))

    for path in ("/intel/address/127.0.0.1", "/digest/chain?start=a", "/hush"):
        client.get(path)

    found = metrics_in(capsys.readouterr().out)
    assert [one["route"] for one in found] == [
        "/intel/address/{address}",
        "/digest/chain",
        "none",
    ]
    assert [one["ColdStart"] for one in found] == [[1.0], [0.0], [0.0]]
    for one in found:
        (directive,) = one["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "Shop"
        assert "route" in directive["Dimensions"][0]
        units = {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]}
        assert units == {
            "RequestDuration": "Seconds",
            "MemoryUsed": "Megabytes",
            "ColdStart": "Count",
        }
        assert one["RequestDuration"][0] > 0
        assert one["MemoryUsed"][0] > 10


def test_the_duration_is_that_of_the_whole_stream(capsys: pytest.CaptureFixture[str]) -> None:
    """Not until the function returns, and without the work after the answer."""
    now = [100.0]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for more_body in (True, True, False):
            now[0] += 2
            await send({"type": "http.response.body", "body": b"x", "more_body": more_body})
        now[0] += 60

    metered = RequestMetrics(app, namespace="Shop", steady_seconds=lambda: now[0])
    asgi(metered)(function_url_event("GET", "/"))

    (found,) = metrics_in(capsys.readouterr().out)
    assert found["RequestDuration"] == [6.0]


def test_an_environment_is_cold_once(stack: BackgroundStack) -> None:
    with way_to(stack, "function_url") as way:
        way.client.get("/info/version")
    wait_until_free(stack)

    found = metrics_in("\n".join(stack.function_log()))

    assert len(found) > 1
    assert [one["ColdStart"][0] for one in found] == [1.0] + [0.0] * (len(found) - 1)
