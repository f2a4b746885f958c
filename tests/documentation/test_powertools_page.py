"""docs/powertools.md: its file, behind the real awslambdaric, does what the page says of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.documentation.blocks import blocks_of
from tests.fakes.http_stand_in import Call, HttpStandIn
from tests.fakes.local import wait_until
from tests.fakes.managed_runtime import traced_function
from tests.fakes.traced_app import LAMBDAS_SPAN, TracedApp, url_event

PAGE = "docs/powertools.md"
SQS_EVENT = {
    "Records": [{"eventSource": "aws:sqs", "messageId": "1", "body": "tea", "attributes": {}}]
}


class _ParameterStore(Call):
    def respond(self) -> None:
        asked = json.loads(self.sent())
        parameter = {"Name": asked["Name"], "Type": "String", "Value": "5", "Version": 1}
        body = json.dumps({"Parameter": parameter}).encode()
        self.answer(200, body, {"content-type": "application/x-amz-json-1.1"})


@pytest.fixture(scope="module")
def parameter_store() -> Iterator[str]:
    with HttpStandIn(_ParameterStore) as store:
        yield store.url


@dataclass(frozen=True, slots=True)
class Served:
    app: TracedApp

    def lines(self) -> list[dict[str, Any]]:
        """Everything the function has written until now."""
        output = self.app.running.function.output
        with open(f"/proc/self/fd/{output.fileno()}", encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.startswith("{")]

    def line(self, message: str) -> dict[str, Any]:
        (*_, line) = (one for one in self.lines() if one.get("message") == message)
        return line

    def metrics(self) -> list[dict[str, Any]]:
        return [line for line in self.lines() if "_aws" in line]


@pytest.fixture(scope="module")
def served(parameter_store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("shop")
    blocks = [one.code for one in blocks_of(PAGE, "python") if one.not_run is None]
    (folder / "main.py").write_text("\n\n".join(blocks), encoding="utf-8")
    environ = {
        "AWS_ENDPOINT_URL_SSM": parameter_store,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    }
    with traced_function(folder, "main.handler", name="shop", environ=environ) as function:
        yield Served(TracedApp(function))


def test_a_captured_method_is_below_the_handler_in_the_requests_trace(served: Served) -> None:
    answer = served.app.ask(url_event("/orders/7"))
    assert json.loads(answer.payload) == {"number": 7, "total": 35}
    handler = served.app.handler_phase()
    wait_until(lambda: len(served.app.subsegments()) == 2, "both arrive", seconds=5)
    (method,) = (one for name, one in served.app.subsegments().items() if name != "## handler")
    assert method["name"].endswith("total")
    assert method["parent_id"] == handler["id"]
    assert method["annotations"]["number"] == 7
    assert handler["parent_id"] == LAMBDAS_SPAN
    assert {"ColdStart", "Service"} <= set(handler["annotations"])


def test_a_parameter_is_fetched_once_and_is_an_aws_request_of_the_trace(served: Served) -> None:
    served.app.ask(url_event("/orders/1"))
    requests = [
        span.name for span in served.app.running.collector.spans if span.name.startswith("SSM")
    ]
    assert requests == ["SSM.GetParameter"]


def test_lines_have_the_ids_and_the_requests_own_keys(served: Served) -> None:
    served.app.ask(url_event("/orders/2", **{"x-correlation-id": "c-2"}))
    line = served.line("asked for an order")
    assert line["correlation_id"] == "c-2"
    assert line["function_name"] == "shop"
    assert line["function_request_id"] == f"request-{served.app.asked}"
    assert line["xray_trace_id"] == f"1-{served.app.asked:08x}-{'a' * 24}"


def test_a_streamed_body_has_steps_and_lines_of_its_request(served: Served) -> None:
    served.app.ask(url_event("/orders/3", **{"x-correlation-id": "c-3"}))
    answer = served.app.ask(url_event("/words"))
    assert answer.payload == b"ONETWO"
    spans = served.app.spans()
    assert spans["make_word"].parent_span_id == spans["asgi_request"].span_id
    line = served.line("made a word")
    assert line["function_request_id"] == f"request-{served.app.asked}"
    assert "correlation_id" not in line  # of the request before


def test_metrics_are_flushed_once_for_each_request(served: Served) -> None:
    before = len(served.metrics())
    served.app.ask(url_event("/orders/4"))
    served.app.ask(url_event("/whoami"))
    (line,) = served.metrics()[before:]
    assert line["OrdersRead"] == [1.0]


def test_data_classes_read_the_scopes_event(served: Served) -> None:
    answer = served.app.ask(url_event("/whoami"))
    assert json.loads(answer.payload) == {"address": "192.0.2.1"}


def test_functions_of_other_events_keep_their_decorators(served: Served) -> None:
    before = len(served.metrics())
    answer = served.app.ask(json.dumps(SQS_EVENT).encode())
    assert json.loads(answer.body) == {"batchItemFailures": []}
    wait_until(lambda: len(served.app.subsegments()) == 2, "both arrive", seconds=5)
    subsegments = served.app.subsegments()
    assert subsegments["## work"]["parent_id"] == subsegments["## handler"]["id"]
    assert served.line("worked on tea")["function_name"] == "shop"
    (line,) = served.metrics()[before:]
    assert line["OrdersMade"] == [1.0]
