"""The close route, and the end of a stream that somebody asked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lambda_streaming.requests import Pairs, Request
from lambda_streaming.responses import StreamingResponse
from lambda_streaming.serving.closing import Closing
from lambda_streaming.tracing.step import Trace, current_trace
from tests.fakes.virtual_time import run_virtually

ID = "0123456789abcdef"


class Table:
    def __init__(self) -> None:
        self.left: set[str] = set()
        self.fails = False

    def leave(self, stream_id: str) -> None:
        if self.fails:
            raise OSError("no answer")
        self.left.add(stream_id)

    def is_left(self, stream_id: str) -> bool:
        if self.fails:
            raise OSError("no answer")
        return stream_id in self.left


def request(method: str, path: str, root_path: str = "", **query: str) -> Request:
    return Request(method, path, path, query=Pairs(query.items()), root_path=root_path)


@pytest.mark.parametrize("method", ["DELETE", "POST"])
@pytest.mark.parametrize("root_path", ["", "/prod"])
async def test_a_wish_is_left(method: str, root_path: str) -> None:
    """POST is what `navigator.sendBeacon` sends."""
    table = Table()
    answer = await Closing(table).answer(request(method, f"{root_path}/.streams/{ID}", root_path))

    assert answer is not None
    assert json.loads(answer.body) == {"stream_id": ID, "ends_within_seconds": 6.0}
    assert answer.route == "/.streams/{id}"
    assert table.left == {ID}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", f"/.streams/{ID}"), ("OPTIONS", f"/.streams/{ID}"), ("DELETE", "/items/1")],
)
async def test_other_requests_are_the_apps(method: str, path: str) -> None:
    assert await Closing(Table()).answer(request(method, path)) is None


@pytest.mark.parametrize("stream_id", ["", "short", "a" * 65, "with space 0123456789", "a/b" * 8])
async def test_what_is_no_id_is_refused(stream_id: str) -> None:
    table = Table()
    answer = await Closing(table).answer(request("DELETE", f"/.streams/{stream_id}"))

    assert answer is not None
    assert answer.status == 400
    assert not table.left


async def test_a_wish_that_cannot_be_kept_is_told() -> None:
    table = Table()
    table.fails = True
    answer = await Closing(table).answer(request("DELETE", f"/.streams/{ID}"))

    assert answer is not None
    assert answer.status == 503


async def body() -> AsyncIterator[bytes]:
    yield b"x"


def test_a_named_stream_ends_when_its_end_was_asked_for() -> None:
    """Looking that fails ends nothing."""
    table = Table()

    async def run() -> float:
        answer = Closing(table).watched(
            StreamingResponse(body()), request("GET", "/", stream_id=ID)
        )
        assert answer.until is not None
        loop = asyncio.get_running_loop()
        loop.call_later(7, setattr, table, "fails", True)
        loop.call_later(12, setattr, table, "fails", False)
        loop.call_later(12, table.leave, ID)
        await answer.until()
        return loop.time()

    assert run_virtually_with_threads(run()) == 15.0


def ended_at(own: Any, left_after_seconds: float) -> float:
    """When a stream ends whose app has an `until` of its own."""
    table = Table()

    async def run() -> float:
        response = StreamingResponse(body(), until=own)
        answer = Closing(table).watched(response, request("GET", "/", stream_id=ID))
        assert answer.until is not None
        loop = asyncio.get_running_loop()
        loop.call_later(left_after_seconds, table.leave, ID)
        await answer.until()
        assert len(asyncio.all_tasks()) == 1
        return loop.time()

    return float(run_virtually_with_threads(run()))


async def after_seven_seconds() -> None:
    await asyncio.sleep(7)


async def fails() -> None:
    raise OSError("no answer")


@pytest.mark.parametrize(
    ("own", "left_after_seconds", "at"),
    [(after_seven_seconds, 100, 7.0), (after_seven_seconds, 1, 5.0), (fails, 1, 5.0)],
)
def test_the_apps_own_until_ends_its_stream_too(
    own: Any, left_after_seconds: float, at: float
) -> None:
    assert ended_at(own, left_after_seconds) == at


async def test_the_looks_are_no_part_of_the_apps_trace() -> None:
    """In the handler phase each would be a subsegment of X-Ray's."""
    Trace("1-5759e988-bd862e3fe1be46a994272793").enter_streaming_phase()
    seen: list[Trace | None] = []

    class Looked(Table):
        def is_left(self, stream_id: str) -> bool:
            seen.append(current_trace())
            return True

    closing = Closing(Looked(), look_seconds=0)
    answer = closing.watched(StreamingResponse(body()), request("GET", "/", stream_id=ID))
    assert answer.until is not None
    await answer.until()

    assert [trace and trace.is_streaming for trace in seen] == [True]
    assert [trace and trace.trace_id for trace in seen] == [None]


async def test_a_browser_that_asks_first_may_close() -> None:
    headers = Pairs({"origin": "https://shop", "access-control-request-method": "DELETE"}.items())
    path = f"/.streams/{ID}"
    answer = await Closing(Table()).answer(Request("OPTIONS", path, path, headers=headers))

    assert answer is not None
    assert answer.status == 204
    assert dict(answer.headers or ())["access-control-allow-origin"] == "*"


def run_virtually_with_threads(main: Any) -> Any:
    """The looks happen in the loop's own time: a thread would know none of it."""

    async def here(call: Any, *args: Any) -> Any:
        return call(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "to_thread", here)
        return run_virtually(main)


@pytest.mark.parametrize("query", [{}, {"stream_id": "short"}])
def test_a_stream_without_a_name_is_left_alone(query: dict[str, str]) -> None:
    answer = StreamingResponse(body())

    assert Closing(Table()).watched(answer, request("GET", "/", **query)) is answer
