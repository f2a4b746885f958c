"""Event ids that cannot be honoured, through the real stack: a `reset` with its reason, never a
5xx and never a silent gap."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from urllib.parse import quote

import pytest

from lambdas.sse_streaming.feeds.position import Position, PositionCodec
from local_aws.background import BackgroundStack
from tests.counts import count
from tests.fakes.local import local_stack, read_short_stream

ID_KEY = b"0123456789abcdef"
OURS = PositionCodec(key=ID_KEY, table="items", index="by_sentiment")
FLIPS = count(100)


@pytest.fixture(scope="module")
def stack() -> Iterator[BackgroundStack]:
    with local_stack(
        LOCAL_CONCURRENCY="1",
        SSE_ID_KEY=ID_KEY.decode(),
        SSE_MAX_STREAM_SECONDS="0.2",
        SSE_OVERLAP_SECONDS="2",
        SSE_REPLAY_SECONDS="60",
    ) as running:
        yield running


def here(seconds_from_now: float = 0.0) -> Position:
    settled_ms = round((time.time() + seconds_from_now) * 1000)
    return Position(settled_ms, 1, "ab" * 9, 3, slot=0, hashes=(b"12345",))


UNUSABLE: dict[str, tuple[Callable[[], str], str]] = {
    "another key": (
        lambda: PositionCodec(key=b"fedcba9876543210", table="items", index="by_sentiment").mint(
            here()
        ),
        "foreign",
    ),
    "another table": (
        lambda: PositionCodec(key=ID_KEY, table="others", index="by_sentiment").mint(here()),
        "foreign",
    ),
    "no key": (
        lambda: PositionCodec(key=None, table="items", index="by_sentiment").mint(here()),
        "foreign",
    ),
    "older than the replay": (lambda: OURS.mint(here(-61)), "expired"),
    "the beginning of time": (lambda: OURS.mint(replace(here(), settled_ms=0)), "expired"),
    "ahead of every clock": (lambda: OURS.mint(here(10)), "future"),
    "the end of time": (lambda: OURS.mint(replace(here(), settled_ms=2**48 - 1)), "future"),
    "one character less": (lambda: OURS.mint(here())[:-1], "malformed"),
    "one character more": (lambda: OURS.mint(here()) + "A", "malformed"),
    "another version": (lambda: "2" + OURS.mint(here())[1:], "malformed"),
    "another server's": (lambda: "urn:uuid:5e94c686-2c0b-4f9b-958c-92ccc3bbb4eb", "malformed"),
    "ten kilobytes": (lambda: "x" * 10_000, "malformed"),
    "markup": (lambda: "<script>alert(1)</script>", "malformed"),
}


@pytest.mark.parametrize("where", ["header", pytest.param("query", marks=pytest.mark.ci)])
@pytest.mark.parametrize("which", UNUSABLE)
def test_an_id_that_cannot_be_honoured_is_a_reset_with_its_reason(
    stack: BackgroundStack, which: str, where: str
) -> None:
    make_id, reason = UNUSABLE[which]
    event_id = make_id()
    if where == "header":
        response = read_short_stream(f"{stack.url}/stream", last_event_id=event_id)
    else:
        response = read_short_stream(f"{stack.url}/stream?last_event_id={quote(event_id)}")

    assert response.status == 200
    assert response.names == ["ready", "reset", "end"]
    assert response.events[0].data["resumed"] is False
    assert response.events[1].data == {"reason": reason}
    assert OURS.read(response.events[-1].id).fresh is None, "from here on the client has a position"


def test_an_id_with_any_one_character_changed_is_malformed(stack: BackgroundStack) -> None:
    random = Random(0)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for _ in range(FLIPS):
        minted = OURS.mint(here())
        at = random.randrange(len(minted))
        altered = random.choice(alphabet.replace(minted[at], ""))
        presented = minted[:at] + altered + minted[at + 1 :]

        response = read_short_stream(f"{stack.url}/stream", last_event_id=presented)

        assert response.status == 200
        assert [event.data for event in response.named("reset")] == [{"reason": "malformed"}], at


def test_an_id_just_inside_the_limits_is_honoured(stack: BackgroundStack) -> None:
    for seconds in (-58, 3.5):
        response = read_short_stream(f"{stack.url}/stream", last_event_id=OURS.mint(here(seconds)))

        assert response.names == ["ready", "end"]
        assert response.events[0].data["resumed"] is True


def test_the_header_wins_over_the_query(stack: BackgroundStack) -> None:
    """A browser repeats the URL of its first visit with every reconnect."""
    response = read_short_stream(
        f"{stack.url}/stream?last_event_id=stale", last_event_id=OURS.mint(here())
    )

    assert response.events[0].data["resumed"] is True


def test_what_an_unusable_id_leaves_out_is_given_by_a_backfill(stack: BackgroundStack) -> None:
    item_id = stack.publish()["item_id"]

    response = read_short_stream(f"{stack.url}/stream?backfill=1", last_event_id="lost")

    assert response.names == ["ready", "reset", "sentiment", "end"]
    assert response.named("sentiment")[0].data["item_id"] == item_id
