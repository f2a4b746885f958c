"""Fifteen ways in which a known SSE function on Lambda loses data, hangs or costs too much.

Each is a behaviour of ours, on virtual time where time matters. In the order in which they were
found: endings (1, 2), coming back (3, 4), warm environments (5), filters (6), the bill (7), failed
polls (8), permissions (9), identity (10), limits (11), metrics (12), failures in the body (13),
heartbeats and framing (14), deployment (15).
"""

from __future__ import annotations

import ast
import asyncio
import itertools
import re
from collections.abc import Coroutine
from random import Random
from typing import Any

import pytest

from lambda_streaming.doors.recognise import read_event
from lambda_streaming.sse import encode_event
from lambdas.sse_streaming.aws.errors import AwsRefused, AwsThrottled
from lambdas.sse_streaming.connections.dynamodb import DynamoConnections
from lambdas.sse_streaming.connections.lease import AcquireRequest, Granted
from lambdas.sse_streaming.feed.items import DynamoItemsIndex
from lambdas.sse_streaming.feed.request import StreamFilter
from lambdas.sse_streaming.http.answers import RequestError, stream_headers
from lambdas.sse_streaming.http.query import parse_stream_request
from local_aws.settings import REPOSITORY_ROOT
from tests.fakes.events import as_bytes, function_url_event
from tests.fakes.memory_aws import make_item
from tests.fakes.streams import Received, World, consume
from tests.fakes.virtual_time import VirtualClock, run_virtually

FUNCTION = REPOSITORY_ROOT / "src/lambdas/sse_streaming"
MODULE = REPOSITORY_ROOT / "modules/lambda"


async def while_open(world: World, *events: Coroutine[Any, Any, None], **how: Any) -> Received:
    received = Received()
    await asyncio.gather(consume(world.open(**how), received), *events)
    return received


# Endings


def test_a_deadline_is_one_whole_end_block_and_nothing_after_it() -> None:
    """1: the event of the deadline itself failed, and a second HTTP head came inside the body."""

    async def scenario() -> tuple[Received, list[bytes]]:
        world = World()
        blocks = [block async for block in world.open(deadline=30.0).body()]
        return await consume(World().open(deadline=30.0)), blocks

    received, blocks = run_virtually(scenario())

    assert received.error is None
    assert blocks[-1].startswith(b"event: end\nid: ")
    assert blocks[-1].endswith(b"\n\n")
    assert not any(b"\0" in block or b"statusCode" in block for block in blocks)


@pytest.mark.parametrize("wanted", [StreamFilter(), StreamFilter(("positive",), frozenset({"A"}))])
def test_the_deadline_does_not_wait_for_a_poll_whatever_the_route(wanted: StreamFilter) -> None:
    """2: it was looked at between polls only, on one route of two."""

    async def scenario() -> tuple[Received, float]:
        world = World(SSE_POLL_SECONDS="20", SSE_POLL_MAX_SECONDS="20")
        received = await consume(world.open(deadline=30.0, wanted=wanted))
        return received, world.loop.time()

    received, ended_at = run_virtually(scenario())

    assert received.events[-1].data["reason"] == "deadline"
    assert ended_at == pytest.approx(25.0, abs=0.1)


# Coming back


def test_what_was_written_while_the_client_was_away_comes_in_another_environment() -> None:
    """3: what was missed was kept in one environment's memory."""

    async def scenario() -> Received:
        world = World(SSE_MAX_STREAM_SECONDS="20")
        first = await consume(world.open(parts=world.parts()))
        world.index.put(make_item("missed", world.clock.wall_ms()))
        await asyncio.sleep(600)
        return await consume(world.open(first.events[-1].id, parts=world.parts()))

    assert run_virtually(scenario()).item_ids == ["missed"]


def test_an_id_that_cannot_be_honoured_is_said_to_be_lost() -> None:
    """3: an unknown id looked like "nothing missed"."""

    async def scenario() -> Received:
        return await consume(World(SSE_MAX_STREAM_SECONDS="5").open("evt_0123456789abcdef"))

    assert run_virtually(scenario()).names == ["ready", "reset", "end"]


def test_the_first_poll_of_a_resume_swallows_nothing() -> None:
    """4: it was a silent baseline, so what came between the cut and it was lost."""

    async def scenario() -> Received:
        world = World(SSE_MAX_STREAM_SECONDS="20")
        first = await consume(world.open())
        world.index.put(make_item("between", world.clock.wall_ms()))
        return await consume(world.open(first.events[-1].id))

    assert run_virtually(scenario()).item_ids == ["between"]


def test_a_warm_environment_gives_its_second_client_all_that_the_first_got() -> None:
    """5: what the first had been sent was kept for the process, and withheld from the second."""

    async def scenario() -> list[list[str]]:
        world = World(SSE_MAX_STREAM_SECONDS="10")
        for number in range(3):
            world.index.put(make_item(f"i{number}", world.clock.wall_ms() - 1000 + number))
        parts = world.parts()
        return [(await consume(world.open(parts=parts, backfill=3))).item_ids for _ in range(2)]

    first, second = run_virtually(scenario())

    assert first == second == ["i0", "i1", "i2"]


# Filters and the bill


def test_filters_given_in_the_query_are_applied() -> None:
    """6: they were parsed and stored and never looked at."""

    async def scenario() -> Received:
        world = World(SSE_MAX_STREAM_SECONDS="10")
        request = parse_stream_request(
            read_event(as_bytes(function_url_event(query="ticker=AAPL&sentiment=positive"))),
            frozenset({"ticker", "sentiment"}),
        )

        async def publish() -> None:
            await asyncio.sleep(1)
            now_ms = world.clock.wall_ms()
            world.index.put(make_item("mine", now_ms, "positive", "AAPL"))
            world.index.put(make_item("other ticker", now_ms, "positive", "GOOG"))
            world.index.put(make_item("other sentiment", now_ms, "negative", "AAPL"))

        return await while_open(world, publish(), wanted=request.filter)

    assert run_virtually(scenario()).item_ids == ["mine"]


class RecordingClient:
    """Notes what is asked; answers like an empty table, or as one that refuses conditions."""

    def __init__(self) -> None:
        self.queries: list[dict[str, Any]] = []

    def query(self, **parameters: Any) -> dict[str, Any]:
        self.queries.append(parameters)
        return {"Items": []}


def test_a_poll_reads_a_bounded_range_of_time() -> None:
    """7: every poll of every connection read the whole index. What it would cost: test_bill.py."""
    client = RecordingClient()

    DynamoItemsIndex(lambda: client, "items", "by_sentiment").page("positive", 10, 20, limit=5)

    (query,) = client.queries
    assert (
        query["KeyConditionExpression"] == "sentiment_type = :s AND published_at BETWEEN :a AND :b"
    )
    assert query["ExpressionAttributeValues"][":a"] == {"N": "10"}
    assert query["ExpressionAttributeValues"][":b"] == {"N": "20"}
    assert query["Limit"] == 5


def test_an_idle_stream_asks_less_and_less_often() -> None:
    """7: the poll period was the same, whatever happened."""

    async def scenario() -> int:
        world = World(SSE_MAX_STREAM_SECONDS="300")
        await consume(world.open())
        return world.index.queries

    assert run_virtually(scenario()) <= 3 * (300 / 5 + 6)


def test_a_failed_poll_announces_nothing_again() -> None:
    """8: it looked like an empty feed, and the next one like a feed of new items."""

    async def scenario() -> Received:
        world = World(SSE_MAX_STREAM_SECONDS="30")

        def fail() -> None:
            if 3 < world.loop.time() < 8:
                raise AwsThrottled("ThrottlingException", "slow down")

        world.index.fail = fail

        async def publish() -> None:
            await asyncio.sleep(1)
            for number in range(3):
                world.index.put(make_item(f"i{number}", world.clock.wall_ms() + number))

        return await while_open(world, publish())

    assert run_virtually(scenario()).item_ids == ["i0", "i1", "i2"]


# Permissions, identity, limits


def test_a_denied_request_ends_the_stream_in_so_many_words() -> None:
    """9: the denial was a warning in a log, and the feature never worked as deployed."""

    async def scenario() -> Received:
        world = World()

        def fail() -> None:
            if world.loop.time() > 3:
                raise AwsRefused("AccessDeniedException", "not authorized to perform: Query")

        world.index.fail = fail
        return await consume(world.open())

    received = run_virtually(scenario())

    assert received.events[-1].data["reason"] == "error"
    assert isinstance(received.error, AwsRefused)


def test_the_role_allows_exactly_what_the_leases_ask_for() -> None:
    """9: an operation was called that the role did not allow."""
    tree = ast.parse((FUNCTION / "connections/dynamodb.py").read_text())
    asked = {
        "".join(part.title() for part in node.args[0].value.split("_"))
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "_call"
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }
    statement = re.search(
        r'sid = "HoldConnectionLeases"\s+actions = \[(.*?)\]',
        (MODULE / "iam.tf").read_text(),
        re.DOTALL,
    )
    assert statement is not None

    allowed = set(re.findall(r'"dynamodb:(\w+)"', statement.group(1)))

    assert len(asked) == 5
    assert allowed == asked


@pytest.mark.parametrize(
    "headers",
    [
        {"x-user-id": "victim"},
        {"authorization": "Bearer victim"},
        {"x-amzn-oidc-identity": "arn:aws:iam::123456789012:user/victim"},
    ],
)
def test_nobody_becomes_somebody_by_a_header(headers: dict[str, str]) -> None:
    """10: any bearer text or header became the user's id."""
    request = read_event(as_bytes(function_url_event(headers=headers)))

    assert request.caller_arn is None


def test_a_user_token_in_the_query_is_refused() -> None:
    """10: it was taken as an identity, and stood in every access log."""
    request = read_event(as_bytes(function_url_event(query="user_token=victim")))

    with pytest.raises(RequestError, match="user_token") as refused:
        parse_stream_request(request, frozenset({"ticker"}))

    assert refused.value.status == 400
    assert "victim" not in refused.value.message


def test_the_limit_is_one_for_all_environments_and_told_in_a_way_browsers_obey() -> None:
    """11: each environment counted to 100 by itself, and a refusal was a status that ends an
    EventSource for good."""

    async def scenario() -> tuple[Received, int]:
        world = World(SSE_MAX_CONNECTIONS="2", SSE_MAX_STREAM_SECONDS="20")
        running = [asyncio.create_task(consume(world.open(parts=world.parts()))) for _ in range(2)]
        await asyncio.sleep(1)
        refused, taken = await consume(world.open(parts=world.parts())), world.connections.count()
        await asyncio.gather(*running)
        return refused, taken

    refused, taken = run_virtually(scenario())

    assert taken == 2
    assert refused.names == ["busy"]
    assert refused.error is None
    assert refused.events[0].retry_ms == refused.events[0].data["retry_ms"]


def test_a_lease_is_bound_to_a_time_so_that_a_crash_leaks_no_slot() -> None:
    """11: the count lived in memory; a stored one must not need anybody's goodbye."""
    written: list[dict[str, Any]] = []

    class Client(RecordingClient):
        def get_item(self, **parameters: Any) -> dict[str, Any]:
            return {}

        def put_item(self, **parameters: Any) -> dict[str, Any]:
            written.append(parameters)
            return {}

    client = Client()
    connections = DynamoConnections(
        lambda: client,
        "connections",
        max_connections=1,
        lease_seconds=30,
        replay_seconds=3600,
        now_seconds=lambda: 1000.0,
        random=Random(0),
    )

    assert isinstance(connections.acquire(AcquireRequest("s" * 18, 1, None)), Granted)
    assert written[0]["Item"]["expires_at"] == {"N": "1030"}
    assert "expires_at < :free" in written[0]["ConditionExpression"]


# Metrics and failures


def test_metrics_are_batched_and_wait_for_nobody() -> None:
    """12: one PutMetricData per event, on the stream's own thread."""

    async def scenario() -> tuple[Received, World]:
        world = World(SSE_MAX_STREAM_SECONDS="50", SSE_METRICS_SECONDS="20")
        world.sink.fail = lambda: None

        async def publish() -> None:
            for number in range(30):
                await asyncio.sleep(1)
                world.index.put(make_item(f"i{number}", world.clock.wall_ms()))

        return await while_open(world, publish()), world

    received, world = run_virtually(scenario())

    assert len(received.item_ids) == 30
    assert world.sink.total("EventsSent") == 30
    counted = [datum for datum in world.sink.datums if datum["MetricName"] == "EventsSent"]
    assert len(counted) <= 3


def test_latency_is_told_from_when_the_item_was_published() -> None:
    """12: it was told from when the event was made, and so was nearly nothing."""

    async def scenario() -> Received:
        world = World(SSE_MAX_STREAM_SECONDS="20")

        async def publish() -> None:
            await asyncio.sleep(5)
            world.index.put(make_item("late", world.clock.wall_ms() - 4000))

        return await while_open(world, publish())

    received = run_virtually(scenario())

    assert received.events[1].data["latency_ms"] >= 4000


def test_a_defect_in_the_middle_ends_in_a_whole_block_and_is_raised_for_the_trailers() -> None:
    """13: neither a last chunk nor trailers were sent, and the answer was awaited for ever."""

    async def scenario() -> Received:
        world = World()

        def fail() -> None:
            if world.loop.time() > 3:
                raise ZeroDivisionError("a defect")

        world.index.fail = fail
        return await consume(world.open())

    received = run_virtually(scenario())

    assert received.names == ["ready", "end"]
    assert received.events[-1].data["reason"] == "error"
    assert isinstance(received.error, ZeroDivisionError)


def test_after_a_defect_the_next_stream_of_the_process_is_as_new() -> None:
    """13: what hung, hung until the function's timeout."""

    async def scenario() -> tuple[Received, int]:
        world = World(SSE_MAX_STREAM_SECONDS="10")
        parts = world.parts()

        def fail() -> None:
            raise ZeroDivisionError("a defect")

        world.index.fail = fail
        await consume(world.open(parts=parts))
        world.index.fail = lambda: None
        received = await consume(world.open(parts=parts))
        return received, len(world.connections.slots)

    received, slots = run_virtually(scenario())

    assert received.names == ["ready", "end"]
    assert received.events[-1].data["reason"] == "rotate"
    assert slots == 0


# Heartbeats, framing, deployment


def test_a_heartbeat_comes_in_time_while_a_poll_hangs() -> None:
    """14: heartbeats came between polls only."""

    async def scenario() -> Received:
        world = World(SSE_MAX_STREAM_SECONDS="60")
        world.aws_latency_seconds = lambda: 0.005 if world.loop.time() < 3 else 40
        return await consume(world.open())

    beats = [at for at, _ in run_virtually(scenario()).comments]

    assert all(later - earlier <= 15.01 for earlier, later in itertools.pairwise(beats[1:]))


def test_a_step_of_the_wall_clock_moves_no_heartbeat_and_no_end() -> None:
    """14: intervals were measured on a clock that steps."""

    async def scenario() -> tuple[Received, float]:
        world = World(SSE_MAX_STREAM_SECONDS="60")
        clock = VirtualClock(world.loop)

        async def step() -> None:
            await asyncio.sleep(20)
            clock._skew_ms = -3_600_000

        received = await while_open(world, step(), parts=world.parts(clock))
        return received, world.loop.time()

    received, ended_at = run_virtually(scenario())

    beats = [at for at, _ in received.comments]
    assert all(later - earlier <= 15.01 for earlier, later in itertools.pairwise(beats[1:]))
    assert received.events[-1].data["reason"] == "rotate"
    assert 48 <= ended_at <= 60.1


@pytest.mark.parametrize("end_of_line", ["\n", "\r\n", "\r"])
def test_data_of_several_lines_stays_inside_its_event(end_of_line: str) -> None:
    """14: it was not split, and safe only as long as it was JSON."""
    block = encode_event(f"a{end_of_line}event: evil", event="sentiment", event_id="1")

    assert block == b"event: sentiment\nid: 1\ndata: a\ndata: event: evil\n\n"


def test_no_header_is_sent_that_http_2_forbids() -> None:
    """14: Connection: keep-alive went out whatever the protocol."""
    names = {name.lower() for name in stream_headers("1-67891233-abcdef012345678912345678")}

    assert not names & {"connection", "transfer-encoding", "content-length", "keep-alive"}


def test_what_terraform_is_told_to_change_it_changes() -> None:
    """15: changes of image and environment were ignored by the function's lifecycle."""
    for file in MODULE.glob("*.tf"):
        assert "ignore_changes" not in file.read_text(), file.name


def test_the_url_and_all_who_may_call_it_name_the_same_alias() -> None:
    """15: the URL was the alias's and the permission the bare function's."""
    for name in ("url.tf", "cdn.tf"):
        text = (MODULE / name).read_text()
        for block in re.findall(r'resource "aws_lambda_permission" .*?\n}', text, re.DOTALL):
            assert re.search(r"qualifier\s+= aws_lambda_alias\.live\.name", block), block


def test_a_closed_tab_stops_costing_money_after_minutes_not_a_quarter_of_an_hour() -> None:
    """15: a stream that nobody hears ran to the function's timeout of 900 s."""

    async def scenario() -> float:
        world = World()
        await consume(world.open(deadline=900.0))
        return world.loop.time()

    assert run_virtually(scenario()) <= 301
