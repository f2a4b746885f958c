"""The chat, called in plain Python, and asked at the Function URL and a REST API that streams."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest
from httpx_sse import EventSource, connect_sse

from examples.chat.app import MAX_PROMPT_CHARACTERS, Chat, FakeModel, handler
from lambda_streaming import streaming
from local_aws.background import BackgroundStack
from tests.examples.ways import Way, served, wait_until_free, way_to
from tests.fakes.events import function_url_event

FUNCTION = "examples-chat-app"


@pytest.fixture(scope="module")
def stack() -> Iterator[BackgroundStack]:
    with served("examples.chat.app:handler") as running:
        yield running


@pytest.fixture(params=["function_url", "rest_api"])
def way(request: pytest.FixtureRequest, stack: BackgroundStack) -> Iterator[Way]:
    with way_to(stack, request.param) as opened:
        yield opened


async def at_once(seconds: float) -> None:
    """The pace of a test."""


def called(query: str, **headers: str) -> dict[str, Any]:
    """The whole answer to a prompt, at once."""
    quick = streaming(Chat(FakeModel(at_once)))
    answer: dict[str, Any] = quick(function_url_event("GET", "/answer", query, headers))
    return answer


class Event(NamedTuple):
    name: str
    id: str
    data: str


def received(source: EventSource) -> Iterator[Event]:
    """By somebody else's parser."""
    for event in source.iter_sse():
        yield Event(event.event, event.id, event.data)


def events(answer: dict[str, Any]) -> list[Event]:
    """Of a whole answer."""
    body = httpx.Response(200, headers=answer["headers"], text=answer["body"])
    return list(received(EventSource(body)))


def asked(way: Way, last_event_id: str = "", take: int | None = None) -> list[Event]:
    """The events, or the first of them before the connection is closed."""
    headers = {"last-event-id": last_event_id} if last_event_id else {}
    with connect_sse(
        way.client, "GET", "/answer", params={"prompt": "Why?"}, headers=headers
    ) as source:
        return list(itertools.islice(received(source), take))


def test_called_in_plain_python_it_gives_the_whole_answer() -> None:
    *tokens, done = events(called("prompt=Why%3F"))

    assert "".join(token.data for token in tokens).startswith("You asked: “Why?” I am not a model")
    assert [token.id for token in tokens] == [str(number + 1) for number in range(len(tokens))]
    assert (done.name, json.loads(done.data)) == ("done", {"tokens": len(tokens)})


def test_the_handler_itself_serves_its_page() -> None:
    answer = handler(function_url_event("GET", "/"))

    assert answer["statusCode"] == 200
    assert "<title>Chat</title>" in answer["body"]


def test_a_client_that_comes_back_gets_the_rest() -> None:
    whole = events(called("prompt=Why%3F"))

    rest = events(called("prompt=Why%3F", **{"last-event-id": whole[9].id}))

    assert rest == whole[10:]


def test_a_client_that_has_everything_is_told_that_it_is_done() -> None:
    *_, done = events(called("prompt=Why%3F"))

    assert events(called("prompt=Why%3F", **{"last-event-id": done.id})) == [done]


@pytest.mark.parametrize("query", ["", "prompt=", "prompt=%20", f"prompt={'x' * 501}"])
def test_a_prompt_that_is_missing_or_too_long_is_refused(query: str) -> None:
    assert MAX_PROMPT_CHARACTERS == 500
    answer = called(query)

    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["error"]["code"] == "invalid_prompt"


@pytest.mark.parametrize("position", ["-1", "x", "²", "9" * 30])
def test_an_id_of_another_stream_is_refused(position: str) -> None:
    answer = called("prompt=Why", **{"last-event-id": position})

    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["error"]["code"] == "invalid_last_event_id"


def test_the_page_and_nothing_else_is_there(way: Way) -> None:
    page = way.client.get("/")

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert way.client.get("/nothing").status_code == 404
    assert way.client.post("/answer").status_code == 404


def test_a_refusal_is_a_real_status(way: Way) -> None:
    assert way.client.get("/answer").status_code == 400


def test_words_arrive_while_the_function_still_answers(way: Way, stack: BackgroundStack) -> None:
    (first,) = asked(way, take=1)

    assert (first.id, first.data) == ("1", "You")
    assert stack.invocations[-1].finished_at == 0
    wait_until_free(stack)


def test_after_a_cut_the_rest_follows_and_nothing_is_missing(way: Way) -> None:
    whole = events(called("prompt=Why%3F"))

    before = asked(way, take=40)
    after = asked(way, last_event_id=before[-1].id)

    assert before + after == whole


def test_both_phases_are_in_one_trace(way: Way, stack: BackgroundStack) -> None:
    asked(way, last_event_id="60")
    wait_until_free(stack)
    records = stack.traces.records(stack.invocations[-1].trace.root)
    names = {record.id: record.name for record in records}

    assert {
        record.name: names[record.parent_id]
        for record in records
        if record.name != FUNCTION and record.parent_id
    } == {
        "## handler": FUNCTION,
        "response_stream": FUNCTION,
        "model_call": "response_stream",
    }
    (model_call,) = (record for record in records if record.name == "model_call")
    assert model_call.attributes["tokens_sent"] == 60
