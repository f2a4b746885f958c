"""What the guide says of routes, events, reasons, spans and metrics is the code's."""

from __future__ import annotations

import re
from random import Random

import pytest

from lambda_streaming.responses import StreamOutcome
from lambdas.sse_streaming import endings
from lambdas.sse_streaming.connections.lease import Refusal
from lambdas.sse_streaming.feeds.position import MAX_ID_LENGTH, ResetReason
from lambdas.sse_streaming.feeds.schema import BACKFILL_PARAMETER
from lambdas.sse_streaming.http import routes
from lambdas.sse_streaming.http.routes import Route, find_route
from lambdas.sse_streaming.sentiment import SENTIMENT
from lambdas.sse_streaming.streams.stream import ANNOTATIONS
from local_aws.feed.sentiment.configurations import SAMPLE_CONFIGURATIONS
from tests.fakes.streams import World, make_settings
from tests.fakes.virtual_time import run_virtually
from tests.unit.documentation.pages import ROOT, quoted, rows_of, section_of, text_of

GUIDE, OPERATE, TRACING = "docs/using-a-stream.md", "docs/operate.md", "docs/tracing.md"
SRC = ROOT / "src"
FUNCTION = SRC / "lambdas/sse_streaming"
ROUTES = {
    route: set(quoted(parameters))
    for routes, parameters, _ in rows_of(text_of(GUIDE), "route")
    for route in quoted(routes)
}
LAST_EVENT_ID = {"last_event_id", "Last-Event-ID"}


def source() -> str:
    return "\n".join(
        path.read_text(encoding="utf-8")
        for path in [*(SRC / "lambda_streaming").rglob("*.py"), *FUNCTION.rglob("*.py")]
    )


def seconds(low_ms: int, high_ms: int) -> str:
    return f"{low_ms / 1000:g} to {high_ms / 1000:g} s"


def test_every_route_has_its_row() -> None:
    found = set[Route]()
    for route in ROUTES:
        method, _, path = route.partition(" ")
        match = find_route(method, path, has_trace_route=True)
        assert match.name == route
        found.add(match.route)
    assert found == set(Route)
    assert set(ROUTES) == {f"{method} {path}" for method, path, _ in routes._TABLE}


@pytest.mark.parametrize(
    ("route", "allowed"),
    [
        ("GET /stream", {*SENTIMENT.parameters, BACKFILL_PARAMETER}),
        ("GET /configurations/{config_id}/stream", {BACKFILL_PARAMETER}),
    ],
)
def test_a_streams_parameters_are_named(route: str, allowed: set[str]) -> None:
    assert ROUTES[route] == allowed | LAST_EVENT_ID
    explained = {quoted(name)[0] for name, *_ in rows_of(text_of(GUIDE), "parameter")}
    assert explained >= ROUTES[route] - {"Last-Event-ID"}


def test_the_events_are_those_that_the_wrapper_listens_to() -> None:
    named = [quoted(event)[0] for event, *_ in rows_of(text_of(GUIDE), "event")]
    listening = re.search(r"for \(const name of \[(.*?)\]\)", text_of(GUIDE))
    assert listening is not None
    assert named == re.findall(r'"(\w+)"', listening[1])
    assert [name for name in named if f'"{name}"' not in source()] == []


def test_every_reason_has_its_row_and_its_pause() -> None:
    rows = {
        (quoted(event)[0], quoted(reason)[0]): pause
        for event, reason, _, pause in rows_of(text_of(GUIDE), "last event")
    }
    busy = seconds(*endings._BUSY_RETRY_MS)
    assert rows == {
        **{("end", reason): seconds(*bounds) for reason, bounds in endings._RETRY_MS.items()},
        **{("busy", reason): busy for reason in (*Refusal, "unavailable")},
    }
    permanent = endings.fail(ValueError(), Random(1), is_permanent=True)
    low_ms, high_ms = endings._PERMANENT_FAULT_RETRY_MS
    assert low_ms <= permanent.retry_ms <= high_ms
    assert f"{seconds(low_ms, high_ms)} where the deployment" in text_of(GUIDE)


def test_every_reason_of_a_reset_is_explained() -> None:
    reasons = {quoted(row[0])[0] for row in rows_of(section_of(GUIDE, "## Ids"), "reason")}
    assert reasons == set(ResetReason)
    (reset,) = (row for row in rows_of(text_of(GUIDE), "event") if "`reset`" in row[0])
    assert set(quoted(reset[2])) == {"reason", *ResetReason}
    assert f"at most {MAX_ID_LENGTH} characters" in text_of(GUIDE)


def test_every_metric_has_its_row() -> None:
    named = {name for row in rows_of(text_of(OPERATE), "metric") for name in quoted(row[0])}
    counted = re.findall(r'metrics\.(?:count|observe)\(\s*"(\w+)"', source())
    assert named == set(counted)
    (ended,) = (row for row in rows_of(text_of(OPERATE), "metric") if "StreamsEnded" in row[0])
    elsewhere = {StreamOutcome.COMPLETED, StreamOutcome.FAILED, StreamOutcome.CLOSED}
    others = set(StreamOutcome) - elsewhere
    assert {"Reason", "busy", *(outcome.value for outcome in others)} == set(quoted(ended[1]))


def test_every_span_has_its_row() -> None:
    rows = rows_of(text_of(TRACING), "span")
    named = {name for row in rows for name in quoted(row[0])} - {"DynamoDB.Query"}
    begins = r'(?:_trace\.(?:step|record)|_tracing\.start|_slot_step)\(\s*"(\w+)"'
    begun = re.findall(begins, source())
    assert named == {*begun}
    assert set(quoted(rows[0][1])) == set(ANNOTATIONS)


def test_every_check_of_the_trace_route_is_explained() -> None:
    named = [quoted(row[0])[0] for row in rows_of(text_of("docs/symptoms.md"), "check")]
    checks = SRC / "lambda_streaming/tracing/diagnosis/checks.py"
    assert named == re.findall(r'_guarded\(\s*"(\w+)"', checks.read_text(encoding="utf-8"))


def test_the_members_of_the_log_line_are_named() -> None:
    line = re.search(
        r'"stream ended",\s+extra=\{(.*?)\}', (FUNCTION / "streams/stream.py").read_text(), re.S
    )
    assert line is not None
    named = quoted(section_of(OPERATE, "## Log"))
    members = re.findall(r'^\s+"(\w+)":', line[1], re.MULTILINE)
    assert [name for name in named if name in members] == members


def test_the_sample_filters_are_named() -> None:
    page = text_of("docs/tables.md")
    assert [
        one["config_id"] for one in SAMPLE_CONFIGURATIONS if f"`{one['config_id']}`" not in page
    ] == []


def test_what_may_delay_the_next_invocation_is_stated() -> None:
    """With everything hung: releasing and putting metrics, then the flush."""

    async def seconds_to_finish() -> float:
        world = World()
        opened = world.open()
        async for block in opened.body():
            if b"event: ready" in block:
                break
        world.aws_latency_seconds = lambda: 60.0
        began = world.loop.time()
        await opened.finish(StreamOutcome.LOST, None)
        return world.loop.time() - began

    finish_seconds = run_virtually(seconds_to_finish())
    flush_seconds = make_settings().flush_seconds
    limits = " ".join(section_of("docs/sentiment-service.md", "## Limits").split())
    assert finish_seconds == pytest.approx(endings.FINISH_SECONDS, abs=0.01)
    assert f"for at most {endings.FINISH_SECONDS:g} seconds" in limits
    assert f"at most `SSE_FLUSH_SECONDS` ({flush_seconds:g})" in limits
    assert f"{endings.FINISH_SECONDS:g} seconds with a hung CloudWatch" in limits
    assert f"{endings.FINISH_SECONDS + flush_seconds:g} with everything hung" in limits


def test_the_words_say_the_defaults() -> None:
    settings = make_settings()
    words = {row[0]: row[1] for row in rows_of(text_of("docs/sentiment-service.md"), "word")}
    assert list(words) == ["position", "overlap", "slot", "lease", "session", "rotation"]
    assert f"({settings.overlap_seconds:g} seconds)" in words["overlap"]
    assert f"({settings.lease_seconds:g} seconds;" in words["lease"]
    low = endings.SHORTEST_ROTATION * 100
    assert f"after {low:g} to 100 % of `SSE_MAX_STREAM_SECONDS`" in words["rotation"]
    renewal_seconds = settings.lease_seconds / 3
    assert f"({renewal_seconds:g} seconds) later" in " ".join(
        text_of("docs/sentiment-service.md").split()
    )


def test_the_picture_is_the_consoles_size_and_not_heavy() -> None:
    picture = (ROOT / "docs/images/console.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    width, height = (int.from_bytes(picture[at : at + 4]) for at in (16, 20))
    assert (width, height) == (1280, 800)
    assert len(picture) < 200_000
