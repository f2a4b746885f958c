from __future__ import annotations

import asyncio

import pytest

from local_aws.lambda_side.invocation import InvocationFailedError, Outcome, Relay, ResponseHead

HEAD = ResponseHead(streamed=True, content_type=None)


async def test_bytes_pass_in_order_and_then_end() -> None:
    relay = Relay()
    await relay.start(HEAD)
    for chunk in (b"a", b"b"):
        await relay.write(chunk)
    await relay.finish()
    assert await relay.head() is HEAD
    assert await relay.read() == b"ab"
    assert await relay.read() == b""


async def test_a_full_buffer_holds_the_writer_until_it_is_read() -> None:
    relay = Relay(capacity_bytes=3)
    await relay.write(b"abc")
    writing = asyncio.create_task(relay.write(b"d"))
    await asyncio.sleep(0)
    assert not writing.done()
    assert await relay.read() == b"abc"
    await writing
    assert await relay.read() == b"d"


async def test_a_detached_relay_takes_everything_and_never_waits() -> None:
    relay = Relay(capacity_bytes=1)
    await relay.write(b"a")
    held = asyncio.create_task(relay.write(b"b"))
    await relay.detach()
    await held
    await relay.write(b"c")


async def test_what_came_before_a_failure_is_given_first() -> None:
    relay = Relay()
    await relay.start(HEAD)
    await relay.write(b"half")
    await relay.fail(Outcome.EXITED)
    assert await relay.read() == b"half"
    with pytest.raises(InvocationFailedError, match="exited"):
        await relay.read()


async def test_a_failure_before_the_head_is_raised_by_it() -> None:
    relay = Relay()
    await relay.fail(Outcome.ERROR)
    with pytest.raises(InvocationFailedError) as failure:
        await relay.head()
    assert failure.value.outcome is Outcome.ERROR


async def test_the_first_end_counts() -> None:
    relay = Relay()
    await relay.start(HEAD)
    await relay.finish()
    await relay.fail(Outcome.EXITED)
    assert await relay.read() == b""
