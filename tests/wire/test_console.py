"""The console over real HTTP, and the terminal's waterfall against it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest
import uvicorn

from local_aws.__main__ import main
from local_aws.console.app import PAGE, create_console
from local_aws.console.door_requests import DoorRequests
from local_aws.console.fault_switches import FaultSwitches
from local_aws.data.clients import STACK_ITSELF
from local_aws.data.fault_proxy import FaultProxy
from local_aws.data.faults import THROTTLE, ProxiedRequest
from local_aws.data.index_lag import IndexLag
from local_aws.feed.items import NotWrittenError
from local_aws.feed.sentiment.items import SENTIMENT_ITEMS
from local_aws.lambda_side.doors.request_log import RequestLog
from local_aws.traces.receivers.otlp_behaviour import REFUSED
from local_aws.traces.receivers.otlp_collector import OtlpCollector
from local_aws.traces.store import TraceStore
from tests.fakes.otlp_spans import START, XRAY_TRACE_ID, make_export, make_span

FUNCTION_URL = "http://127.0.0.1:8080"
NOW_MS = 1_795_000_000_000
JSON = {"Content-Type": "application/json"}


class MemoryItems:
    """Writes items to a list, by the rules that the publisher keeps."""

    def __init__(self) -> None:
        self.written: list[Mapping[str, Any]] = []
        self.is_out = False

    async def put(self, item: Mapping[str, Any]) -> Mapping[str, Any]:
        if self.is_out:
            raise NotWrittenError("nobody answers")
        whole = SENTIMENT_ITEMS.complete(item, now_ms=NOW_MS)
        self.written.append(whole)
        return whole


class OneStream:
    """A stream that is open until it is killed."""

    def __init__(self) -> None:
        self.is_open = True

    def as_json(self) -> list[dict[str, Any]]:
        one = {"trace_id": XRAY_TRACE_ID, "environment": 1, "idle_seconds": 3.5}
        return [one] if self.is_open else []

    def kill(self, trace_id: str) -> bool:
        killed = self.is_open and trace_id == XRAY_TRACE_ID
        self.is_open = self.is_open and not killed
        return killed


@pytest.fixture
def store() -> TraceStore:
    return TraceStore()


@pytest.fixture
def items() -> MemoryItems:
    return MemoryItems()


@pytest.fixture
def proxy() -> FaultProxy:
    return FaultProxy(index_lag=IndexLag({}, seconds=0.5, monotonic=lambda: 0.0))


@pytest.fixture
async def collector(store: TraceStore) -> AsyncIterator[OtlpCollector]:
    collector = OtlpCollector(store)
    await collector.start()
    yield collector
    await collector.stop()


@pytest.fixture
async def console(
    store: TraceStore, items: MemoryItems, proxy: FaultProxy, collector: OtlpCollector
) -> AsyncIterator[httpx.AsyncClient]:
    app = create_console(
        store,
        items,
        OneStream(),
        FaultSwitches(proxy, collector),
        DoorRequests(RequestLog(), {}),
        function_url=FUNCTION_URL,
        details={"engine": "dynoxide"},
    )
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    # Listening already, so that a request before uvicorn has begun waits instead of failing.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            yield client
        server.should_exit = True
        await serving


async def test_the_page_and_its_files_are_served(console: httpx.AsyncClient) -> None:
    page = await console.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    for path, kind in (("console.css", "text/css"), ("console.js", "javascript")):
        assert f"/static/{path}" in page.text
        answer = await console.get(f"/static/{path}")
        assert answer.status_code == 200
        assert kind in answer.headers["content-type"]
        # The page's modules belong together: an old one beside a new one would break it.
        assert answer.headers["cache-control"] == "no-cache"


async def test_the_page_may_reach_only_itself_and_the_stream(console: httpx.AsyncClient) -> None:
    page = await console.get("/")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'self'")
    assert f"connect-src 'self' {FUNCTION_URL}" in policy
    assert "unsafe" not in policy
    for script in PAGE.glob("*.js"):
        for way_in in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert way_in not in script.read_text()


async def test_info_tells_the_page_where_the_stream_is(console: httpx.AsyncClient) -> None:
    info = (await console.get("/api/info")).json()
    doors = [door["label"] for door in info.pop("form")["doors"]]
    assert doors == ["Function URL", "REST API, /prod", "REST API, /buffered", "HTTP API", "ALB"]
    assert info == {"function_url": FUNCTION_URL, "engine": "dynoxide"}


async def test_traces_are_listed_and_shown(console: httpx.AsyncClient, store: TraceStore) -> None:
    assert (await console.get("/api/traces")).json() == {"traces": []}
    store.add_otel(make_export(make_span("sse_stream", attributes={"polls": 3})))
    (listed,) = (await console.get("/api/traces")).json()["traces"]
    assert listed["trace_id"] == XRAY_TRACE_ID
    trace = (await console.get(f"/api/traces/{XRAY_TRACE_ID}")).json()
    assert trace["trace_id"] == XRAY_TRACE_ID
    (record,) = trace["records"]
    assert record["start"] == pytest.approx(START)
    assert {
        "source": "otel",
        "id": "b" * 16,
        "parent_id": "a" * 16,
        "name": "sse_stream",
        "annotations": {},
        "metadata": {"default": {"polls": 3}},
        "fault": False,
        "error": False,
    }.items() <= record.items()
    assert trace["layout"]["rows"][0]["records"] == [record["id"]]
    assert trace["verdicts"] == []


async def test_traces_are_searched_by_annotation(
    console: httpx.AsyncClient, store: TraceStore
) -> None:
    attributes = {"session_id": "s=1", "aws.xray.annotations": ["session_id"]}
    store.add_otel(make_export(make_span(attributes=attributes)))
    found = await console.get("/api/traces", params={"annotation": "session_id=s=1"})
    assert len(found.json()["traces"]) == 1
    missed = await console.get("/api/traces", params={"annotation": "session_id=s2"})
    assert missed.json() == {"traces": []}


@pytest.mark.parametrize(
    "query",
    [
        "annotation=session_id",
        "annotation==x",
        "limit=0",
        "limit=x",
        "limit=100000",
        "limit=" + "9" * 4999,
    ],
)
async def test_a_malformed_search_is_refused_by_name(
    console: httpx.AsyncClient, query: str
) -> None:
    answer = await console.get(f"/api/traces?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(query.partition("=")[0])


async def test_an_unknown_trace_is_404(console: httpx.AsyncClient) -> None:
    answer = await console.get(f"/api/traces/{XRAY_TRACE_ID}")
    assert answer.status_code == 404
    assert XRAY_TRACE_ID in answer.json()["error"]["message"]


async def test_an_item_is_completed_and_written(
    console: httpx.AsyncClient, items: MemoryItems
) -> None:
    answer = await console.post("/api/items", json={"sentiment_type": "positive", "score": 0.25})
    assert answer.status_code == 201
    item = answer.json()
    assert item["published_at"] == NOW_MS
    assert item["score"] == 0.25
    assert item["item_id"]
    assert len(items.written) == 1


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({"sentiment_type": "glad"}, "sentiment_type"),
        ({}, "sentiment_type"),
        ({"sentiment_type": "positive", "item_id": ""}, "item_id"),
        ({"sentiment_type": "positive", "published_at": "now"}, "published_at"),
        ({"sentiment_type": "positive", "published_at": True}, "published_at"),
        ({"sentiment_type": "positive", "ticker": "no blanks"}, "ticker"),
    ],
)
async def test_a_bad_item_is_refused_by_its_field(
    console: httpx.AsyncClient, items: MemoryItems, item: dict[str, Any], field: str
) -> None:
    answer = await console.post("/api/items", json=item)
    assert answer.status_code == 400
    assert field in answer.json()["error"]["message"]
    assert items.written == []


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (b"1e200", "more is out of DynamoDB's range"),
        (b"1e-200", "more is out of DynamoDB's range"),
        (b"1" * 60, "more has more digits than DynamoDB's 38"),
        (b"9" * 5000, "more is out of DynamoDB's range"),
        (rb'"\ud800"', "more holds half of a surrogate pair"),
        (b"[" * 40 + b"]" * 40, "nested deeper than DynamoDB's 32 levels"),
        (b"[" * 5000 + b"]" * 5000, "nested deeper than DynamoDB's 32 levels"),
        (b'"' + b"a" * 500_000 + b'"', "at most 409600"),
        (b'1,"item_id":"' + b"a" * 2049 + b'"', "item_id has more than the 2048 bytes"),
    ],
    ids=lambda value: value[:12].decode() if isinstance(value, bytes) else "",
)
async def test_an_item_that_dynamodb_could_not_hold_is_refused_by_what_is_wrong(
    console: httpx.AsyncClient, items: MemoryItems, more: bytes, reason: str
) -> None:
    body = b'{"sentiment_type":"positive","more":' + more + b"}"
    answer = await console.post("/api/items", content=body, headers=JSON)
    assert answer.status_code == 400
    assert reason in answer.json()["error"]["message"]
    assert items.written == []


async def test_an_item_that_could_not_be_written_is_no_fault_of_the_client(
    console: httpx.AsyncClient, items: MemoryItems
) -> None:
    items.is_out = True
    answer = await console.post("/api/items", json={"sentiment_type": "positive"})
    assert answer.status_code == 503
    assert answer.json() == {"error": {"code": "not_written", "message": "nobody answers"}}


async def test_open_streams_say_how_long_they_have_been_silent(
    console: httpx.AsyncClient,
) -> None:
    (stream,) = (await console.get("/api/streams")).json()["streams"]
    assert stream == {"trace_id": XRAY_TRACE_ID, "environment": 1, "idle_seconds": 3.5}


async def test_the_process_behind_an_open_stream_can_be_killed(console: httpx.AsyncClient) -> None:
    path = f"/api/streams/{XRAY_TRACE_ID}/kill"
    assert (await console.post(path, json={})).json() == {"killed": XRAY_TRACE_ID}
    answer = await console.post(path, json={})
    assert answer.status_code == 404
    assert XRAY_TRACE_ID in answer.json()["error"]["message"]


async def switches(console: httpx.AsyncClient) -> dict[str, bool]:
    faults = (await console.get("/api/faults")).json()["faults"]
    return {fault["name"]: fault["on"] for fault in faults}


async def switch(console: httpx.AsyncClient, name: str, *, on: bool) -> None:
    answer = await console.post("/api/faults", json={"name": name, "on": on})
    assert answer.status_code == 200
    assert {fault["name"]: fault["on"] for fault in answer.json()["faults"]}[name] is on


async def test_every_fault_can_be_switched_on_and_off(console: httpx.AsyncClient) -> None:
    names = list(await switches(console))
    assert names == ["throttle", "latency", "lost_answers", "collector_down", "index_lag"]
    for name in names:
        for _ in range(2):  # twice is as good as once
            await switch(console, name, on=True)
            assert [n for n, on in (await switches(console)).items() if on] == [name]
        for _ in range(2):
            await switch(console, name, on=False)
            assert not any((await switches(console)).values())


async def test_a_switched_fault_meets_the_function_alone_and_counts(
    console: httpx.AsyncClient, proxy: FaultProxy
) -> None:
    await switch(console, "throttle", on=True)
    asked = ProxiedRequest("Query", ("items",), "", {})
    assert proxy.faults.actions_for(asked) == [THROTTLE]
    assert proxy.faults.actions_for(replace(asked, caller=STACK_ITSELF)) == []
    assert (await console.get("/api/faults")).json()["faults"][0]["hits"] == 1

    await switch(console, "throttle", on=False)
    assert proxy.faults.actions_for(asked) == []


async def test_the_lag_that_was_set_comes_before_it_and_remains(
    console: httpx.AsyncClient, proxy: FaultProxy
) -> None:
    assert proxy.index_lag is not None
    await switch(console, "index_lag", on=True)
    assert proxy.index_lag.seconds == 3.5
    await switch(console, "index_lag", on=False)
    assert proxy.index_lag.seconds == 0.5


async def test_a_fault_that_others_have_made_or_taken_back_is_shown(
    console: httpx.AsyncClient, proxy: FaultProxy, collector: OtlpCollector
) -> None:
    await collector.switch(REFUSED)
    assert (await switches(console))["collector_down"]
    await switch(console, "throttle", on=True)
    proxy.faults.clear()
    assert not (await switches(console))["throttle"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "must be JSON"),
        (b"\xff", "must be JSON"),
        (b"[" * 100_000, "must be JSON"),
        (b"[]", '{"name": '),
        (b'{"name":"throttle"}', '{"name": '),
        (b'{"name":"throttle","on":1}', '{"name": '),
        (b'{"name":"gravity","on":true}', "no fault is named 'gravity': throttle, "),
    ],
    ids=lambda value: value[:12].decode(errors="replace") if isinstance(value, bytes) else "",
)
async def test_what_is_no_switch_is_refused_by_what_is_wrong(
    console: httpx.AsyncClient, body: bytes, words: str
) -> None:
    answer = await console.post("/api/faults", content=body, headers=JSON)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]
    assert not any((await switches(console)).values())


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 400), (b"[]", 400), (b"\xff", 400), (b" " * 2**21, 413)]
)
async def test_a_body_that_is_no_item_is_refused(
    console: httpx.AsyncClient, body: bytes, status: int
) -> None:
    answer = await console.post("/api/items", content=body, headers=JSON)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", "/api/items", 405), ("GET", "/static/../console.py", 404)],
)
async def test_refusals_are_json(
    console: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await console.request(method, path)
    assert answer.status_code == status
    assert "message" in answer.json()["error"]


async def test_the_terminal_prints_the_newest_trace(
    console: httpx.AsyncClient, store: TraceStore, capsys: pytest.CaptureFixture[str]
) -> None:
    base = str(console.base_url)
    assert await asyncio.to_thread(main, ["trace", "--console", base]) == 1
    assert "holds none yet" in capsys.readouterr().err
    store.add_otel(make_export(make_span("sse_stream")))
    assert await asyncio.to_thread(main, ["trace", "--console", base]) == 0
    assert "sse_stream" in capsys.readouterr().out
    assert await asyncio.to_thread(main, ["trace", "--console", base, "1-0-0"]) == 1
    assert "no such trace" in capsys.readouterr().err


async def test_the_terminal_prefers_the_newest_stream_to_newer_requests_of_other_kinds(
    console: httpx.AsyncClient, store: TraceStore, capsys: pytest.CaptureFixture[str]
) -> None:
    base = str(console.base_url)
    probe = make_span("trace_probe", trace_id="2" * 32, start=9)
    store.add_otel(make_export(probe))
    health = {"trace_id": f"1-33333333-{'3' * 24}", "id": "c" * 16, "name": "sse-streaming"}
    store.add_segment({**health, "start_time": START + 10, "end_time": START + 11})
    assert await asyncio.to_thread(main, ["trace", "--console", base]) == 0
    printed = capsys.readouterr()
    assert "1-33333333-" in printed.out
    assert "No trace has a streaming phase yet" in printed.err
    for start, trace_id in ((1, "4" * 32), (2, "5" * 32)):
        store.add_otel(make_export(make_span("sse_stream", trace_id=trace_id, start=start)))
    assert await asyncio.to_thread(main, ["trace", "--console", base]) == 0
    printed = capsys.readouterr()
    assert "1-55555555-" in printed.out
    assert printed.err == ""


def test_the_terminal_says_when_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "--console", "http://127.0.0.1:1", "1-0-0"]) == 1
    assert "cannot read a trace" in capsys.readouterr().err
