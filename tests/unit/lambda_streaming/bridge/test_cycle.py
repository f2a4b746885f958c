"""What an app gets from `receive` and `send`; the answer that comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from lambda_streaming.bridge.adapter import AsgiAdapter
from lambda_streaming.bridge.types import AsgiApp, Message, Receive, Scope, Send
from tests.fakes.asgi import Delivered, FakeRuntime, Observed, block, hello, request, start
from tests.fakes.virtual_time import run_in_real_time, run_virtually


def answer(
    app: AsgiApp, method: str = "GET", *, buffers: bool = False, body: bytes = b""
) -> Delivered:
    async def scenario() -> Delivered:
        monotonic = asyncio.get_running_loop().time
        runtime = FakeRuntime(AsgiAdapter(app, monotonic=monotonic))
        return await runtime.answer(request(method, body=body), buffers=buffers)

    return run_virtually(scenario())


def sending(*messages: Message) -> AsgiApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


either_way = pytest.mark.parametrize("buffers", [False, True], ids=["streamed", "buffered"])


@either_way
def test_the_request_body_comes_whole_and_then_the_end_of_the_response(buffers: bool) -> None:
    received: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        received.append(await receive())
        await hello(scope, receive, send)
        received.append(await receive())
        received.append(await receive())

    answer(app, "POST", body=b"{}", buffers=buffers)

    assert received == [
        {"type": "http.request", "body": b"{}", "more_body": False},
        {"type": "http.disconnect"},
        {"type": "http.disconnect"},
    ]


def test_receive_blocks_until_the_response_is_complete_for_every_waiter() -> None:
    """Messages without a body would keep the event loop from anything else."""
    at: list[float] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

        async def wait() -> None:
            assert (await receive())["type"] == "http.disconnect"
            at.append(asyncio.get_running_loop().time())

        waiting = [asyncio.create_task(wait()) for _ in range(3)]
        await asyncio.sleep(2)
        await hello(scope, receive, send)
        await asyncio.wait(waiting)

    answer(app)

    assert at == [2.0, 2.0, 2.0]


@either_way
@pytest.mark.parametrize(
    ("messages", "complaint"),
    [
        ([block()], "Expected ASGI message 'http.response.start', but got 'http.response.body'."),
        (
            [start(), start()],
            "Expected ASGI message 'http.response.body', but got 'http.response.start'.",
        ),
        (
            [start(), block(), block()],
            "Unexpected ASGI message 'http.response.body' sent, after response already completed.",
        ),
        (
            [start(), block(b"a", True), block(), start()],
            "Unexpected ASGI message 'http.response.start' sent, after response already completed.",
        ),
        (
            [start(), block(b"a", True), {"type": "http.response.trailers"}],
            "Expected ASGI message 'http.response.body', but got 'http.response.trailers'.",
        ),
        (
            [{"type": "http.response.push"}],
            "Expected ASGI message 'http.response.start', but got 'http.response.push'.",
        ),
    ],
)
def test_misuse_is_told_in_the_words_of_uvicorn(
    messages: list[Message], complaint: str, buffers: bool
) -> None:
    heard: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            for message in messages:
                await send(message)
        except RuntimeError as error:
            heard.append(str(error))

    answer(app, buffers=buffers)

    assert heard == [complaint]


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)], ids=["HEAD", "204", "304"]
)
@either_way
def test_an_answer_that_has_no_body_has_none_whatever_the_app_sends(
    method: str, status: int, buffers: bool
) -> None:
    done: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(status, (b"content-length", b"6")))
        await send(block(b"one", True))
        await send(block(b"", True))
        await send(block(b"two"))
        done.append("background")

    delivered = answer(app, method, buffers=buffers)

    assert (delivered.status, delivered.body) == (status, b"")
    assert delivered.headers == [("content-length", "6")]
    assert done == ["background"]


def test_an_event_stream_that_nobody_gets_ends_soon_after_its_head() -> None:
    """HEAD of one: the app would go on until the deadline."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200, (b"content-type", b"text/event-stream")))
        while True:
            await send(block(b": tick\n\n", True))
            await asyncio.sleep(0.1)

    delivered = answer(app, "HEAD")

    assert delivered.status == 200
    assert delivered.finished_at <= 1.5


@pytest.mark.parametrize("kind", [memoryview, bytearray])
@either_way
def test_a_buffer_may_change_when_send_has_returned(
    kind: Callable[[bytearray], Any], buffers: bool
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        buffer = bytearray(b"one")
        await send(block(kind(buffer), True))
        buffer[:] = b"two"
        await send(block(kind(buffer)))
        buffer[:] = b"bad"

    assert answer(app, buffers=buffers).body == b"onetwo"


@pytest.mark.parametrize("body", ["text", 5, None])
def test_a_body_that_is_not_bytes_is_refused(body: object) -> None:
    heard: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        try:
            await send({"type": "http.response.body", "body": body})
        except TypeError as error:
            heard.append(str(error))

    assert answer(app).status == 500
    assert heard == [f"the body of an ASGI message must be bytes, not {type(body).__name__}"]


@pytest.mark.parametrize(
    ("status", "headers", "named"),
    [
        (99, [], "status"),
        (101, [], "status"),
        (600, [], "status"),
        ("200", [], "status"),
        (200, [(b"x-bad", b"a\r\nset-cookie: b")], "x-bad"),
        (200, [(b"x bad", b"a")], "'x bad'"),
        (200, [(b"x-bad", "text")], "x-bad"),
        (200, [("x-bad", b"a")], "header's name"),
        (200, [(b"x-small", b"a"), (b"x-bad", b"a" * 20_000)], "x-bad with 20000"),
        (200, [(b"set-cookie", b"a\n")], "Set-Cookie"),
    ],
)
@either_way
def test_a_head_that_cannot_be_sent_is_a_500_and_the_log_names_the_header(
    status: int,
    headers: list[Any],
    named: str,
    buffers: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = sending({"type": "http.response.start", "status": status, "headers": headers}, block())

    assert answer(app, buffers=buffers).status == 500
    (record,) = caplog.records
    assert named in str(record.exc_info and record.exc_info[1])


@either_way
def test_cookies_are_sent_once_each_and_repeated_headers_kept(buffers: bool) -> None:
    app = sending(
        start(
            200, (b"set-cookie", b"a=1"), (b"Set-Cookie", b"b=2"), (b"x-a", b"1"), (b"x-a", b"2")
        ),
        block(b"x"),
    )

    delivered = answer(app, buffers=buffers)

    assert delivered.cookies == ("a=1", "b=2")
    assert delivered.headers == [("x-a", "1"), ("x-a", "2")]


@pytest.mark.parametrize("bodies", [[b"four"], [b"fo", b"ur"]])
@either_way
def test_a_content_length_that_is_not_the_bodys_is_logged_once(
    bodies: list[bytes], buffers: bool, caplog: pytest.LogCaptureFixture
) -> None:
    blocks = [block(body, True) for body in bodies[:-1]] + [block(bodies[-1])]

    delivered = answer(sending(start(200, (b"content-length", b"9")), *blocks), buffers=buffers)

    assert delivered.body == b"four"
    assert [one.getMessage() for one in caplog.records] == [
        "content-length mismatch: the app said 9 and sent 4 bytes"
    ]


def test_a_content_length_that_is_right_is_no_matter(caplog: pytest.LogCaptureFixture) -> None:
    answer(sending(start(200, (b"content-length", b"4")), block(b"fo", True), block(b"ur")))

    assert not caplog.records


@pytest.mark.parametrize(
    ("waits", "head_at"), [(0.1, 0.1), (0.25, 0.25), (60.0, 0.25)], ids=["short", "just", "long"]
)
def test_the_head_waits_for_the_body_but_not_longer_than_a_quarter_second(
    waits: float, head_at: float
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await asyncio.sleep(waits)
        await send(block(b"token", True))
        await send(block())

    delivered = answer(app)

    assert delivered.head_at == pytest.approx(head_at)
    assert delivered.body == b"token"


def test_a_first_message_with_more_to_come_begins_the_stream_at_once() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(block(b"one", True))
        await asyncio.sleep(5)
        await send(block(b"two"))

    async def scenario() -> list[tuple[float, bytes]]:
        runtime = FakeRuntime(AsgiAdapter(app, monotonic=asyncio.get_running_loop().time))
        await runtime.answer(request())
        return runtime.write.at

    assert run_virtually(scenario()) == [(0.0, b"one"), (5.0, b"two")]


def test_the_end_goes_out_before_the_app_goes_on() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(block(b"one", True))
        await send(block(b"two"))
        await asyncio.sleep(2)

    delivered = answer(app)

    assert delivered.ended_at == 0.0
    assert delivered.finished_at == 2.0


@either_way
def test_an_observer_is_told_everything_once_and_in_order(buffers: bool) -> None:
    observed = Observed()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["headers"] == [(b"traceparent", b"ours")]
        await send(start(201))
        await send(block(b"one", True))
        await send(block(b"two", True))
        await send(block())
        await asyncio.sleep(0)

    class Replacing(Observed):
        def began(self, scope: Scope) -> None:
            scope["headers"] = [(b"traceparent", b"ours")]
            observed.began(scope)

    async def scenario() -> None:
        observer = Replacing(observed.told)
        await FakeRuntime(AsgiAdapter(app, observe=lambda _: observer)).answer(
            request(), buffers=buffers
        )

    run_in_real_time(scenario())

    assert [what for what, *_ in observed.told] == [
        *("began", "head_sent", "first_byte", "body_ended", "app_returned", "ended")
    ]
    assert ("head_sent", 201) in observed.told
    assert ("body_ended", 6, 1 if buffers else 2) in observed.told


def test_an_observer_that_fails_hurts_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    class Failing:
        def _fail(self, *_: object) -> None:
            raise RuntimeError

        began = head_sent = first_byte = body_ended = app_returned = ended = _fail

    async def scenario() -> Delivered:
        return await FakeRuntime(AsgiAdapter(hello, observe=lambda _: Failing())).answer(request())

    assert run_in_real_time(scenario()).body == b"hello"
    assert len(caplog.records) == 6


def test_a_context_variable_of_the_observer_is_seen_by_the_app() -> None:
    from contextvars import ContextVar

    current: ContextVar[str] = ContextVar("current")
    seen: list[str] = []

    class Setting(Observed):
        def began(self, scope: Scope) -> None:
            current.set("ours")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(current.get())
        await hello(scope, receive, send)

    async def scenario() -> None:
        await FakeRuntime(AsgiAdapter(app, observe=lambda _: Setting())).answer(request())

    run_in_real_time(scenario())

    assert seen == ["ours"]
