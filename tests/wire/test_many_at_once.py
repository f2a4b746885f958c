"""64 invocations at once in one real process, with Powertools' decorators: nothing of one is seen
in another's answer, log lines, subsegments or spans."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.fakes.functions import many_slots
from tests.fakes.local import wait_until
from tests.fakes.managed_runtime import traced_function
from tests.fakes.runtime_api import Event, Exchange


def hex_trace_id(number: int) -> str:
    return f"{number:08x}{'a' * 24}"


def root_of(number: int) -> str:
    return f"1-{number:08x}-{'a' * 24}"


def header_of(number: int) -> str:
    return f"Root={root_of(number)};Parent={number + 1:016x};Sampled=1"


@dataclass
class Seen:
    """What came of each invocation, by its number."""

    slots: int
    is_async: bool
    answers: dict[int, Exchange] = field(default_factory=dict)
    lines: dict[int, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    subsegments: dict[int, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    spans: dict[int, list[Span]] = field(default_factory=lambda: defaultdict(list))


@pytest.fixture(scope="module", params=[(1, False), (1, True), (64, False), (64, True)], ids=str)
def seen(request: pytest.FixtureRequest) -> Seen:
    slots, is_async = request.param
    seen = Seen(slots, is_async)
    subsegments = slots * (4 if is_async else 2)
    with traced_function(
        Path(many_slots.__file__).parent,
        "many_slots.handler",
        name="many",
        slots=slots,
        environ={"SLOTS": str(slots), "HANDLER": "asynchronous" if is_async else "synchronous"},
    ) as traced:
        api, daemon = traced.function.api, traced.daemon
        for number in range(slots):
            header = {"Lambda-Runtime-Trace-Id": header_of(number)}
            event = json.dumps({"number": number}).encode()
            api.add(Event(event, request_id=f"request-{number}", headers=header))
        api.wait_until(lambda: len(api.polls()) == 2 * slots, 40)
        wait_until(lambda: len(daemon.documents) == subsegments, "subsegments", seconds=10)
        for line in map(json.loads, traced.function.end().splitlines()):
            seen.lines[int(line["message"].split()[-1])].append(line)
        for answer in api.answers():
            seen.answers[int(answer.path.split("/")[4].removeprefix("request-"))] = answer
        for document in daemon.documents:
            seen.subsegments[int(document["trace_id"][2:10], 16)].append(document)
        for span in traced.collector.spans:
            seen.spans[int(span.trace_id.hex()[:8], 16)].append(span)
    return seen


def test_every_answer_is_its_own(seen: Seen) -> None:
    assert {number: answer.payload for number, answer in seen.answers.items()} == {
        number: str(number).encode() for number in range(seen.slots)
    }


def test_the_environment_shows_a_trace_header_to_one_invocation_alone(seen: Seen) -> None:
    shown = {answer.prelude["headers"]["x-trace-variable"] for answer in seen.answers.values()}

    assert shown == ({header_of(0)} if seen.slots == 1 else {""})


def test_every_log_line_has_the_ids_and_keys_of_its_invocation(seen: Seen) -> None:
    assert set(seen.lines) == set(range(seen.slots))
    for number, lines in seen.lines.items():
        said = Counter(line["message"].partition(f" {number}")[0] for line in lines)
        assert said == {"looked up": 2 if seen.is_async else 1, "called": 1, "ends": 1}
        for line in lines:
            assert line["function_request_id"] == f"request-{number}"
            assert line["xray_trace_id"] == root_of(number)
            assert line["number"] == str(number)


def test_every_subsegment_is_in_its_own_trace(seen: Seen) -> None:
    assert set(seen.subsegments) == set(range(seen.slots))
    for number, documents in seen.subsegments.items():
        names = Counter(one["name"].rpartition(".")[2] for one in documents)
        look_ups = {"look_up": 2, "fetch": 1} if seen.is_async else {"look_up": 1}
        assert names == {"## handler": 1, **look_ups}
        numbers = {one.get("annotations", {}).get("number", str(number)) for one in documents}
        assert numbers == {str(number)}
        (handler,) = (one for one in documents if one["name"] == "## handler")
        assert handler["parent_id"] == f"{number + 1:016x}"


def test_one_invocation_is_the_cold_start(seen: Seen) -> None:
    handlers = [
        one
        for documents in seen.subsegments.values()
        for one in documents
        if one["name"] == "## handler"
    ]

    assert sum(one["annotations"]["ColdStart"] for one in handlers) == 1


def test_every_span_is_in_its_own_trace(seen: Seen) -> None:
    assert set(seen.spans) == set(range(seen.slots))
    for number, spans in seen.spans.items():
        by_name = {span.name: span for span in spans}
        assert Counter(span.name for span in spans) == {"response_stream": 1, "model_call": 1}
        assert {span.trace_id.hex() for span in spans} == {hex_trace_id(number)}
        root, step = by_name["response_stream"], by_name["model_call"]
        assert root.parent_span_id.hex() == f"{number + 1:016x}"
        assert step.parent_span_id == root.span_id
        said = {one.key: one.value.string_value for one in step.attributes}
        assert said["number"] == str(number)
