"""WSGI apps as ASGI apps, by a2wsgi: each block of the app's iterable is a message."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from lambda_streaming.bridge.loading import UnusableApp, imported
from lambda_streaming.bridge.types import AsgiApp, Message, Receive, Scope, Send, WsgiApp

_CUT_OFF = "lambda_streaming.cut_off"


def wsgi_app(app: WsgiApp | str, *, threads: int = 10) -> AsgiApp:
    """The WSGI app, or the one that `module:attribute` names, each request in one of `threads`.

    Raises UnusableApp.
    """
    try:
        from a2wsgi import WSGIMiddleware
    except ModuleNotFoundError as error:
        raise UnusableApp(
            "WSGI apps are served by a2wsgi: pip install lambda-streaming[wsgi]"
        ) from error
    loaded: Any = imported(app) if isinstance(app, str) else app
    if not callable(loaded):
        raise UnusableApp(f"a {type(loaded).__name__} is no WSGI app: it cannot be called")
    middleware: Any = WSGIMiddleware(_until_cut_off(loaded), workers=threads)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        cut_off = threading.Event()
        scope[_CUT_OFF] = cut_off

        async def send_on(message: Message) -> None:
            """a2wsgi's thread would wait for ever for a `send` that raised."""
            if not cut_off.is_set():
                try:
                    await send(message)
                except OSError:
                    cut_off.set()

        try:
            await middleware(scope, receive, send_on)
        finally:
            cut_off.set()  # a thread cannot be cancelled

    return serve


def _until_cut_off(app: WsgiApp) -> WsgiApp:
    """The app, whose iterable is closed at its next block when nobody gets it any more."""

    def run(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        cut_off: threading.Event = environ["asgi.scope"][_CUT_OFF]
        head = _Head(start_response)
        blocks = app(environ, head)
        head.send()
        return _Blocks(blocks, head, cut_off)

    return run


class _Head:
    """The app's `start_response`. Until there is a body its last call counts: one with `exc_info`
    is about an error that came up meanwhile (PEP 3333). a2wsgi sends the first one."""

    def __init__(self, start_response: Callable[..., Any]) -> None:
        self._start_response = start_response
        self._given: tuple[Any, ...] | None = None
        self._write: Callable[[bytes], Any] | None = None

    def __call__(self, status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], None]:
        if exc_info is None and self._given is not None:
            raise AssertionError(
                "start_response was called twice, the second time without exc_info"
            )
        if exc_info is not None and self._write is not None:
            raise exc_info[1].with_traceback(exc_info[2])
        self._given = status, headers, exc_info
        return self.write

    def write(self, block: bytes) -> None:
        self.send()
        if self._write is not None:
            self._write(block)

    def send(self) -> None:
        if self._write is None and self._given is not None:
            self._write = self._start_response(*self._given)


class _Blocks:
    def __init__(self, blocks: Iterable[bytes], head: _Head, cut_off: threading.Event) -> None:
        self._blocks = blocks
        self._head = head
        self._cut_off = cut_off

    def __iter__(self) -> Iterator[bytes]:
        for block in self._blocks:
            if self._cut_off.is_set():
                return
            self._head.send()
            yield block
        self._head.send()

    def close(self) -> None:
        if (close := getattr(self._blocks, "close", None)) is not None:
            close()
