"""One connection's life, on virtual time."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from lambda_streaming.responses import StreamOutcome
from lambdas.sse_streaming.aws.errors import AwsRefused, AwsThrottled, AwsUnavailable
from lambdas.sse_streaming.feeds.position import Position
from lambdas.sse_streaming.streams.stream import HEARTBEAT, OPENING
from tests.fakes.feeds import sentiments
from tests.fakes.memory_aws import make_item
from tests.fakes.streams import NotingTrace, Received, World, consume, parse_block
from tests.fakes.virtual_time import run_virtually


def test_an_idle_stream_opens_beats_and_rotates() -> None:
    async def scenario() -> Received:
        return await consume(World(SSE_MAX_STREAM_SECONDS="100").open())

    received = run_virtually(scenario())

    assert received.names == ["ready", "end"]
    assert received.comments[0] == (0.0, OPENING)
    assert {block for _, block in received.comments[1:]} == {HEARTBEAT}
    assert len(received.comments[1:]) in (5, 6)  # it rotates after 80 to 100 s
    ready, end = received.events
    assert ready.retry_ms == 3000
    assert ready.data["sequence"] == 1
    assert ready.data["resumed"] is False
    assert end.data["reason"] == "rotate"
    assert end.retry_ms == end.data["retry_ms"]
    assert 200 <= end.data["retry_ms"] <= 1000


def test_items_come_in_order_each_with_its_own_id() -> None:
    async def scenario() -> Received:
        world = World(SSE_MAX_STREAM_SECONDS="20")

        async def publish() -> None:
            await asyncio.sleep(3)
            now_ms = world.clock.wall_ms()
            for number in (2, 0, 1):
                sentiment = ("positive", "neutral", "negative")[number]
                world.index.put(make_item(f"i{number}", now_ms + number, sentiment))

        received, _ = await asyncio.gather(consume(world.open()), publish())
        return received

    received = run_virtually(scenario())

    assert received.item_ids == ["i0", "i1", "i2"]
    ids = [event.id for event in received.events]
    assert len(set(ids)) == len(ids)
    assert all("latency_ms" in event.data for event in received.events[1:4])


def test_what_was_there_before_the_client_is_not_sent_but_backfill_is() -> None:
    async def scenario(backfill: int) -> list[str]:
        world = World(SSE_MAX_STREAM_SECONDS="10")
        now_ms = world.clock.wall_ms()
        for number in range(5):
            world.index.put(make_item(f"old{number}", now_ms - 5000 + number))
        return (await consume(world.open(backfill=backfill))).item_ids

    assert run_virtually(scenario(0)) == []
    assert run_virtually(scenario(2)) == ["old3", "old4"]


def test_a_filter_lets_pass_what_it_names_and_no_item_without_ticker() -> None:
    async def scenario() -> list[str]:
        world = World(SSE_MAX_STREAM_SECONDS="10")

        async def publish() -> None:
            await asyncio.sleep(1)
            now_ms = world.clock.wall_ms()
            world.index.put(make_item("other", now_ms, ticker="MSFT"))
            world.index.put(make_item("none", now_ms, ticker=None))
            world.index.put(make_item("other sentiment", now_ms, "negative"))
            world.index.put(make_item("mine", now_ms))

        wanted = sentiments(("positive",), {"AAPL"})
        received, _ = await asyncio.gather(consume(world.open(wanted=wanted)), publish())
        return received.item_ids

    assert run_virtually(scenario()) == ["mine"]


def test_a_full_house_is_busy_and_the_id_given_counts_as_a_fresh_start() -> None:
    async def scenario() -> tuple[Received, Received]:
        world = World(SSE_MAX_CONNECTIONS="1", SSE_MAX_STREAM_SECONDS="20")
        first = asyncio.create_task(consume(world.open()))
        await asyncio.sleep(1)
        refused = await consume(world.open())
        await first
        again = await consume(world.open(refused.events[0].id))
        return refused, again

    refused, again = run_virtually(scenario())

    assert refused.names == ["busy"]
    assert refused.events[0].data["reason"] == "capacity"
    assert refused.events[0].data["limit"] == 1
    assert 5000 <= (refused.events[0].retry_ms or 0) <= 15000
    assert again.names == ["ready", "end"]
    assert again.events[0].data["resumed"] is False
    assert again.events[0].data["sequence"] == 1


@pytest.mark.parametrize("where", ["connections", "index"])
def test_aws_out_of_reach_while_opening_is_busy(where: str) -> None:
    async def scenario() -> Received:
        world = World()

        def fail() -> None:
            raise AwsUnavailable("ReadTimeoutError", "no answer")

        getattr(world, where).fail = fail
        return await consume(world.open())

    received = run_virtually(scenario())

    assert received.names == ["busy"]
    assert received.events[0].data["reason"] == "unavailable"
    assert received.error is None


def test_a_permanent_fault_while_opening_ends_with_error_and_raises_for_the_trailers() -> None:
    async def scenario() -> Received:
        world = World()

        def fail() -> None:
            raise AwsRefused("AccessDeniedException", "not allowed")

        world.connections.fail = fail
        return await consume(world.open())

    received = run_virtually(scenario())

    assert received.names == ["end"]
    assert received.events[0].data["reason"] == "error"
    assert 30_000 <= (received.events[0].retry_ms or 0) <= 60_000
    assert isinstance(received.error, AwsRefused)


def test_a_stream_survives_an_outage_of_polls_and_renewals_with_heartbeats() -> None:
    async def scenario() -> Received:
        world = World(SSE_MAX_STREAM_SECONDS="120", SSE_HEARTBEAT_SECONDS="5")

        def fail() -> None:
            if 10 < world.loop.time() < 80:
                raise AwsThrottled("ThrottlingException", "slow down")

        world.index.fail = world.connections.fail = fail

        async def publish() -> None:
            await asyncio.sleep(40)
            world.index.put(make_item("during", world.clock.wall_ms()))

        received, _ = await asyncio.gather(consume(world.open()), publish())
        return received

    received = run_virtually(scenario())

    assert received.item_ids == ["during"]
    assert received.events[-1].data["reason"] == "rotate"
    beats = [at for at, _ in received.comments]
    assert max(later - earlier for earlier, later in itertools.pairwise(beats)) <= 10.001


def test_a_hung_aws_call_delays_no_heartbeat_and_no_end() -> None:
    async def scenario() -> tuple[Received, float]:
        world = World(SSE_MAX_STREAM_SECONDS="60")
        world.aws_latency_seconds = lambda: 0.005 if world.loop.time() < 5 else 1000
        received = await consume(world.open())
        return received, world.loop.time()

    received, ended_at = run_virtually(scenario())

    assert received.events[-1].data["reason"] == "rotate"
    assert len(received.comments) == 1 + int(ended_at - 2) // 15
    assert ended_at <= 60 + 2.1


def test_the_deadline_ends_a_stream_before_its_margin() -> None:
    async def scenario() -> tuple[Received, float]:
        world = World()
        return await consume(world.open(deadline=30.0)), world.loop.time()

    received, ended_at = run_virtually(scenario())

    assert received.events[-1].data["reason"] == "deadline"
    assert 25.0 <= ended_at <= 25.1


def test_an_invocation_shorter_than_its_margin_streams_for_half_of_it() -> None:
    """Lambda's default timeout is 3 s, less than the default margin."""

    async def scenario() -> tuple[Received, float]:
        world = World()
        return await consume(world.open(deadline=3.0)), world.loop.time()

    received, ended_at = run_virtually(scenario())

    assert received.names == ["ready", "end"]
    assert 1.5 <= ended_at <= 1.6


def test_a_deadline_before_the_rotation_that_was_drawn_is_what_ended_the_stream() -> None:
    async def scenario(seed: int) -> tuple[str, float]:
        world = World(seed, SSE_MAX_STREAM_SECONDS="100")
        received = await consume(world.open(deadline=95.0))
        return received.events[-1].data["reason"], world.loop.time()

    ended = [run_virtually(scenario(seed)) for seed in range(20)]

    assert {reason for reason, _ in ended} == {"deadline", "rotate"}
    assert all(at >= 90 for reason, at in ended if reason == "deadline")
    assert all(at < 90.1 for reason, at in ended if reason == "rotate")


def test_a_backfill_cut_in_the_middle_goes_on_where_it_was_cut() -> None:
    async def scenario() -> list[str]:
        world = World(SSE_MAX_STREAM_SECONDS="5")
        for number in range(10):
            world.index.put(make_item(f"b{number}", world.clock.wall_ms() - 55 * 60_000 + number))
        last_id = None
        got: list[str] = []
        async for block in world.open(backfill=10).body():
            event = parse_block(block)
            if event is not None:
                last_id = event.id
                got += [event.data["item_id"]] if event.name == "sentiment" else []
            if len(got) == 3:
                break
        await asyncio.sleep(20)
        return got + (await consume(world.open(last_id, backfill=10))).item_ids

    assert run_virtually(scenario()) == [f"b{number}" for number in range(10)]


def test_every_poll_is_counted_the_failed_ones_too() -> None:
    async def scenario() -> tuple[int, int, int, int]:
        world = World(SSE_MAX_STREAM_SECONDS="20")
        failures = 0

        def fail() -> None:
            nonlocal failures
            if 3 < world.loop.time() < 9:
                failures += 1
                raise AwsUnavailable("Injected", "by the test")

        world.index.fail = fail
        trace = NotingTrace(world.offload)
        await consume(world.open(trace=trace))
        poll_errors = int(world.sink.total("PollErrors"))
        return int(trace.root["polls"]), poll_errors, world.index.queries, failures

    polls, poll_errors, queries, failures = run_virtually(scenario())

    assert poll_errors == failures > 1
    assert queries == 3 * (polls - failures) + failures  # a cycle is over with its first failure


@pytest.mark.parametrize("fails", [False, True])
def test_the_poll_under_way_at_the_end_is_counted_as_what_it_becomes(fails: bool) -> None:
    async def scenario() -> int:
        world = World(SSE_MAX_STREAM_SECONDS="10")
        process = world.process()

        def fail() -> None:
            if fails and world.loop.time() > 7:
                raise AwsUnavailable("Injected", "by the test")

        world.index.fail = fail
        world.aws_latency_seconds = lambda: 0.005 if world.loop.time() < 7 else 4.0
        await consume(world.open(process=process))
        await asyncio.sleep(10)
        counted = {datum["MetricName"]: datum["Value"] for datum in process.metrics.take(0)}
        return int(counted.get("PollErrors", 0))

    assert run_virtually(scenario()) == fails


def test_cancel_drain_and_eviction_end_a_stream_within_its_renewals() -> None:
    async def scenario(reason: str) -> tuple[Received, float]:
        world = World()
        running = asyncio.create_task(consume(world.open()))
        await asyncio.sleep(1)
        ((lease, _),) = world.connections.slots.values()
        match reason:
            case "cancelled":
                world.connections.cancel(lease.connection_id)
            case "drain":
                world.connections.drain_until = world.clock.wall_seconds() + 600
            case "evicted":
                other = type(lease)("0.other", 0, "another", 1)
                world.connections.slots[0] = (other, world.clock.wall_seconds() + 60)
        return await running, world.loop.time()

    for reason, latest in (("cancelled", 11), ("drain", 21), ("evicted", 11)):
        received, ended_at = run_virtually(scenario(reason))
        assert received.events[-1].data["reason"] == reason
        assert ended_at <= latest


def test_a_stream_of_too_many_bytes_ends() -> None:
    async def scenario() -> Received:
        world = World(SSE_MAX_STREAM_BYTES="2000")
        now_ms = world.clock.wall_ms()
        for number in range(50):
            world.index.put(make_item(f"i{number:02}", now_ms + number))
        return await consume(world.open(backfill=50))

    received = run_virtually(scenario())

    assert received.events[-1].data["reason"] == "bytes"
    assert len(received.item_ids) < 50


@pytest.mark.parametrize(
    ("presented", "reason"),
    [("nonsense", "malformed"), ("x" * 10_000, "malformed"), ("é\n", "malformed")],
)
def test_an_id_that_cannot_be_honoured_is_told_right_after_ready(
    presented: str, reason: str
) -> None:
    async def scenario() -> Received:
        return await consume(World(SSE_MAX_STREAM_SECONDS="5").open(presented))

    received = run_virtually(scenario())

    assert received.names == ["ready", "reset", "end"]
    assert received.events[0].data["resumed"] is False
    assert received.events[1].data == {"reason": reason}


def test_an_expired_and_a_future_id_reset() -> None:
    async def scenario(wait_seconds: float, skew_ms: int) -> Received:
        world = World(SSE_MAX_STREAM_SECONDS="5", SSE_REPLAY_SECONDS="60")
        fast = world.process(type(world.clock)(world.loop, skew_ms))
        first = await consume(world.open(process=fast))
        await asyncio.sleep(wait_seconds)
        return await consume(world.open(first.events[-1].id))

    assert run_virtually(scenario(100, 0)).events[1].data == {"reason": "expired"}
    assert run_virtually(scenario(0, 60_000)).events[1].data == {"reason": "future"}


def test_a_resume_takes_its_slot_over_and_the_older_connection_is_superseded() -> None:
    """A network cut is invisible to the function: without this, it would hold two slots."""

    async def scenario() -> tuple[Received, Received]:
        world = World()
        first_received = Received()
        first = asyncio.create_task(consume(world.open(), first_received))
        await asyncio.sleep(2)
        second = asyncio.create_task(consume(world.open(first_received.events[0].id)))
        await first
        assert len(world.connections.slots) == 1
        return first_received, await second

    first, second = run_virtually(scenario())

    assert first.events[-1].data["reason"] == "superseded"
    assert second.events[0].data["resumed"] is True
    assert second.events[0].data["session_id"] == first.events[0].data["session_id"]
    assert second.events[0].data["sequence"] == 2


def test_a_stream_closed_in_the_middle_releases_its_slot_and_leaves_no_task() -> None:
    async def scenario() -> int:
        world = World()
        stream = world.open()
        body = stream.body()
        assert parse_block(await anext(body)) is None
        await anext(body)
        await body.aclose()
        await stream.finish(StreamOutcome.LOST, None)
        assert world.connections.slots == {}
        return len(asyncio.all_tasks())

    assert run_virtually(scenario()) == 1


def test_metrics_are_put_in_batches_and_at_the_end() -> None:
    async def scenario() -> World:
        world = World(SSE_MAX_STREAM_SECONDS="100", SSE_METRICS_SECONDS="30")

        async def publish() -> None:
            for number in range(20):
                await asyncio.sleep(3)
                world.index.put(make_item(f"i{number}", world.clock.wall_ms()))

        await asyncio.gather(consume(world.open()), publish())
        return world

    world = run_virtually(scenario())

    assert world.sink.total("EventsSent") == 20
    assert world.sink.total("ConnectionsAcquired") == 1
    assert 80 <= world.sink.total("ConnectionSeconds") <= 100
    sent = [datum for datum in world.sink.datums if datum["MetricName"] == "EventsSent"]
    assert len(sent) <= 4
    ended = [datum for datum in world.sink.datums if datum["MetricName"] == "StreamsEnded"]
    assert ended[0]["Dimensions"] == [{"Name": "Reason", "Value": "rotate"}]


def test_a_slot_granted_after_the_stream_has_ended_is_given_back() -> None:
    async def scenario() -> tuple[Received, int]:
        world = World()
        world.aws_latency_seconds = lambda: 0.6 if world.loop.time() < 0.5 else 0.005
        received = await consume(world.open(deadline=1.0))
        await asyncio.sleep(3)
        return received, len(world.connections.slots)

    received, slots_held = run_virtually(scenario())

    assert received.names == ["end"]
    assert received.events[0].data["reason"] == "deadline"
    assert slots_held == 0


def test_metrics_are_kept_when_cloudwatch_hangs_past_the_end() -> None:
    async def scenario() -> list[str]:
        world = World(SSE_MAX_STREAM_SECONDS="10")
        process = world.process()

        def hang() -> None:
            raise AwsUnavailable("ReadTimeoutError", "no answer")

        world.sink.fail = hang
        stream = world.open(process=process)
        async for _ in stream.body():
            pass
        world.aws_latency_seconds = lambda: 3.0  # longer than the stream waits for it
        await stream.finish(StreamOutcome.COMPLETED, None)
        await asyncio.sleep(5)
        return [datum["MetricName"] for datum in process.metrics.take(0)]

    assert "StreamsEnded" in run_virtually(scenario())


def test_an_hour_of_a_busy_feed_that_the_filter_refuses_costs_no_more_than_live_polls() -> None:
    """One id, again and again, must not buy more reads than a stream that simply listens."""

    async def scenario() -> tuple[int, float, list[int]]:
        world = World(SSE_MAX_STREAM_SECONDS="100", SSE_POLL_SECONDS="1")
        codec = world.codec
        now_ms = world.clock.wall_ms()
        for number in range(60_000):
            item = make_item(f"i{number}", now_ms - 3_590_000 + 59 * number, ticker="OTHER")
            world.index.put(item)
        position = Position(now_ms - 3_590_000, block=1, session_id="01" * 9, sequence=1)
        wanted = sentiments(("positive",), {"AAPL"})
        settled_ms = [position.settled_ms]
        for deadline in (60.0, 160.0):
            received = await consume(
                world.open(codec.mint(position), wanted=wanted, deadline=deadline)
            )
            assert received.names == ["ready", "end"]
            position = codec.read(received.events[-1].id)
            settled_ms.append(position.settled_ms)
        return world.index.queries, world.loop.time(), settled_ms

    queries, seconds, settled_ms = run_virtually(scenario())

    assert queries <= seconds + 4
    assert settled_ms == sorted(set(settled_ms))


def test_a_long_catch_up_that_the_filter_lets_pass_is_as_fast_as_its_client() -> None:
    async def scenario() -> tuple[int, float]:
        world = World(SSE_MAX_STREAM_SECONDS="100", SSE_POLL_SECONDS="1")
        now_ms = world.clock.wall_ms()
        for number in range(6_000):
            world.index.put(make_item(f"i{number}", now_ms - 3_000_000 + 400 * number))
        position = Position(now_ms - 3_001_000, block=1, session_id="01" * 9, sequence=1)
        got = 0
        async for block in world.open(world.codec.mint(position)).body():
            event = parse_block(block)
            got += event is not None and event.name == "sentiment"
            if got == 6_000:
                break
        return got, world.loop.time()

    got, seconds = run_virtually(scenario())

    assert got == 6_000
    assert seconds < 3


def test_the_deadline_does_not_wait_for_a_poll() -> None:
    async def scenario() -> tuple[Received, float]:
        world = World(SSE_POLL_SECONDS="20", SSE_POLL_MAX_SECONDS="20")
        received = await consume(world.open(deadline=30.0))
        return received, world.loop.time()

    received, ended_at = run_virtually(scenario())

    assert received.events[-1].data["reason"] == "deadline"
    assert ended_at == pytest.approx(25.0, abs=0.1)


def test_by_default_a_stream_that_nobody_hears_ends_after_five_minutes() -> None:
    async def scenario() -> float:
        world = World()
        await consume(world.open(deadline=900.0))
        return world.loop.time()

    assert run_virtually(scenario()) <= 301


def test_what_was_written_while_the_client_was_away_comes_in_another_environment() -> None:
    async def scenario() -> Received:
        world = World(SSE_MAX_STREAM_SECONDS="20")
        first = await consume(world.open(process=world.process()))
        world.index.put(make_item("missed", world.clock.wall_ms()))
        await asyncio.sleep(600)
        return await consume(world.open(first.events[-1].id, process=world.process()))

    assert run_virtually(scenario()).item_ids == ["missed"]


def test_a_warm_environment_gives_its_second_client_all_that_the_first_got() -> None:
    async def scenario() -> list[list[str]]:
        world = World(SSE_MAX_STREAM_SECONDS="10")
        for number in range(3):
            world.index.put(make_item(f"i{number}", world.clock.wall_ms() - 1000 + number))
        process = world.process()
        return [(await consume(world.open(process=process, backfill=3))).item_ids for _ in range(2)]

    first, second = run_virtually(scenario())

    assert first == second == ["i0", "i1", "i2"]


def test_an_idle_stream_asks_less_and_less_often() -> None:
    async def scenario() -> int:
        world = World(SSE_MAX_STREAM_SECONDS="300")
        await consume(world.open())
        return world.index.queries

    assert run_virtually(scenario()) <= 3 * (300 / 5 + 6)


def test_a_poll_that_is_denied_ends_the_stream_with_error() -> None:
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


def test_a_defect_in_the_middle_ends_in_a_whole_block_and_is_raised_for_the_trailers() -> None:
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
    async def scenario() -> tuple[Received, int]:
        world = World(SSE_MAX_STREAM_SECONDS="10")
        process = world.process()

        def fail() -> None:
            raise ZeroDivisionError("a defect")

        world.index.fail = fail
        await consume(world.open(process=process))
        world.index.fail = lambda: None
        received = await consume(world.open(process=process))
        return received, len(world.connections.slots)

    received, slots = run_virtually(scenario())

    assert received.names == ["ready", "end"]
    assert received.events[-1].data["reason"] == "rotate"
    assert slots == 0
