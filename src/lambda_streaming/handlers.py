"""The handlers that apps make: `asgi(app)`, `wsgi(app)`, `streaming(function)`."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from random import SystemRandom
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from lambda_streaming.bridge.adapter import AsgiAdapter, Limits
from lambda_streaming.bridge.lifespan import Lifespan
from lambda_streaming.bridge.loading import UnusableApp, check_app, imported
from lambda_streaming.bridge.types import AsgiApp, WsgiApp
from lambda_streaming.doors.answering import AnswerOptions
from lambda_streaming.doors.options import DoorOptions
from lambda_streaming.requests import Request
from lambda_streaming.responses import Response, StreamingResponse
from lambda_streaming.serving.answering import Answering, App
from lambda_streaming.serving.apps import MakeApp, Plan, composed
from lambda_streaming.serving.life_cycle import AppLifeCycle
from lambda_streaming.serving.other_events import OtherEvents, check_handlers
from lambda_streaming.serving.plain_calls import PlainCalls
from lambda_streaming.serving.process import run_service
from lambda_streaming.serving.recording.instruments import Instruments, NoInstruments
from lambda_streaming.serving.settings import AppSettings, check_arguments
from lambda_streaming.serving.take_over import LambdaHandler, arm

if TYPE_CHECKING:
    from lambda_streaming.functions.app import Function

LifespanMode: TypeAlias = Literal["auto", "on", "off"]
Mode: TypeAlias = Literal["auto", "stream", "buffer"]
TracingMode: TypeAlias = Literal["join", "own", "off"]
OnRestore: TypeAlias = Callable[[], Awaitable[None] | None]


class AppHandler(LambdaHandler):
    """A handler. In Lambda it takes over when the runtime looks it up; called in plain Python, it
    answers with the JSON object of the event's front door, without tracing."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(lambda: run_service(lambda: composed(plan, os.environ)))
        self._calls = PlainCalls(lambda: _untraced(plan))

    def answer(self, event: Any, context: object) -> Any:
        return self._calls.call(event, context)


def asgi(
    app: AsgiApp | str,
    *,
    lifespan: LifespanMode | None = None,
    root_path: str | None = None,
    invoke_mode: Mode | None = None,
    events: OtherEvents | None = None,
    background_seconds: float | None = None,
    deadline_margin_seconds: float = 2.0,
    max_stream_seconds: float | None = None,
    stall_seconds: float = 30.0,
    trusted_hops: int = 0,
    host_header: str = "host",
    authorization_header: str | None = None,
    on_restore: OnRestore | None = None,
    tracing: TracingMode = "join",
    api_gateway_base_path: str | None = None,
    exclude_headers: Collection[str] = (),
    text_mime_types: Collection[str] | None = None,
    **unknown: object,
) -> AppHandler:
    """A handler for an ASGI 3 app: FastAPI, Starlette, Litestar, Django, an MCP server.

    `app` is the app, or its name as `module:attribute` or `module:factory()`.

    lifespan: `auto` goes on where the app has none, `on` does not, `off` never asks. Once per
      environment, in the init phase.
    root_path: the part of the path before the app's own; None takes the front door's. Mangum's
      `api_gateway_base_path` is the same.
    invoke_mode: `auto` streams at Function URLs; `stream` at REST APIs, too, whose integration has
      responseTransferMode STREAM; `buffer` nowhere.
    events: what takes events that are no HTTP requests: a function of (event, context), or a
      mapping by source (`aws:sqs`). Without it their invocations fail; what no service of AWS sends
      (the source `unknown`) is answered with 400.
    background_seconds: bounds what the app does after its answer; None: the deadline does.
    deadline_margin_seconds: how long before the deadline an answer ends.
    max_stream_seconds: bounds a streamed body; None: 300 for text/event-stream, else unbounded. An
      event stream ends cleanly, any other body with an error.
    stall_seconds: how long a client may take no byte.
    trusted_hops: proxies before the front door whose `x-forwarded-for` is believed.
    host_header, authorization_header: where the client's Host and Authorization are, if something
      before the app uses them up.
    on_restore: called in an environment restored from a snapshot (SnapStart).
    tracing: `join`: the app's own OpenTelemetry is in the same trace; `own`: it is left alone;
      `off`: nothing is recorded. Needs the extra `tracing`.
    exclude_headers, text_mime_types: of buffered answers, as in Mangum.

    lifespan, root_path, invoke_mode and max_stream_seconds can come from variables, too
    (`STREAMING_LIFESPAN`); an argument wins.

    Raises UnusableApp for what is no ASGI 3 app, TypeError or ValueError for an argument.
    """
    _refuse(unknown)
    limits = Limits(background_seconds, deadline_margin_seconds, stall_seconds, max_stream_seconds)
    if root_path is not None and api_gateway_base_path is not None:
        raise TypeError("root_path and api_gateway_base_path are the same: give one of them")

    def make_app(settings: AppSettings, instruments: Instruments) -> tuple[App, AppLifeCycle]:
        loaded = _load(app)
        started = Lifespan(loaded, _lifespan_mode(settings.lifespan))
        adapter = AsgiAdapter(
            loaded,
            state=started.state,
            limits=replace(limits, max_stream_seconds=settings.max_stream_seconds),
            observe=instruments.observe,
        )
        return _RecordedAsgi(adapter, instruments), _AsgiLifeCycle(started, on_restore)

    if not isinstance(app, str):
        _load(app)  # what cannot be served is told here, where it is written
    plan = _plan(
        make_app,
        {
            "lifespan": lifespan,
            "root_path": api_gateway_base_path if root_path is None else root_path,
            "invoke_mode": invoke_mode,
            "max_stream_seconds": max_stream_seconds,
        },
        DoorOptions(None, trusted_hops, host_header, authorization_header),
        AnswerOptions(exclude_headers, text_mime_types),
        events,
        tracing,
        on_restore,
    )
    return _armed(plan)


def asgi_by_environment() -> AppHandler:
    """A handler for the app that STREAMING_APP names, with what `STREAMING_*` say of it. Where it
    names none, the init fails."""
    return asgi(os.environ.get("STREAMING_APP", ""))


def wsgi(app: WsgiApp | str, *, threads: int = 10, **options: Any) -> AppHandler:
    """A handler for a WSGI app: Flask, Django. `app` is the app, or its name as `module:attribute`.

    Takes the options of `asgi` but `lifespan`; each request runs in one of `threads`. Each block of
    the app's iterable is one write. Needs the extra `wsgi`.
    """
    from lambda_streaming.bridge.wsgi import wsgi_app

    return asgi(wsgi_app(app, threads=threads), lifespan="off", **options)


def streaming(
    function: Function,
    *,
    root_path: str | None = None,
    invoke_mode: Mode | None = None,
    events: OtherEvents | None = None,
    deadline_margin_seconds: float = 2.0,
    max_stream_seconds: float | None = None,
    stall_seconds: float = 30.0,
    trusted_hops: int = 0,
    host_header: str = "host",
    authorization_header: str | None = None,
    on_restore: OnRestore | None = None,
    tracing: TracingMode = "join",
    exclude_headers: Collection[str] = (),
    text_mime_types: Collection[str] | None = None,
    **unknown: object,
) -> AppHandler:
    """A handler for a function of a `Request`, sync or async.

    It returns a `Response`, a `StreamingResponse`, an `EventStream`, or something JSON. What it
    does until it returns is the handler phase of the trace, what its body does is the streaming
    phase. The options are those of `asgi`; `max_stream_seconds` bounds an EventStream, by 300
    seconds where nothing else is said.

    Raises TypeError for what is no function, TypeError or ValueError for an argument.
    """
    _refuse(unknown)
    if not callable(function):
        raise TypeError(f"streaming() takes a function of a Request, not {function!r}")
    _refuse_generator(function)
    from lambda_streaming.functions.app import FunctionApp, StreamLimits  # ASGI apps need it not

    limits = StreamLimits(
        StreamLimits().max_stream_seconds if max_stream_seconds is None else max_stream_seconds,
        deadline_margin_seconds,
        stall_seconds,
    )

    def make_app(settings: AppSettings, instruments: Instruments) -> tuple[App, AppLifeCycle]:
        bounds = settings.max_stream_seconds or limits.max_stream_seconds
        own_limits = replace(limits, max_stream_seconds=bounds)
        app = FunctionApp(function, own_limits, SystemRandom(), instruments.run)
        return app, _FunctionLifeCycle(on_restore)

    plan = _plan(
        make_app,
        {
            "root_path": root_path,
            "invoke_mode": invoke_mode,
            "max_stream_seconds": max_stream_seconds,
        },
        DoorOptions(None, trusted_hops, host_header, authorization_header),
        AnswerOptions(exclude_headers, text_mime_types),
        events,
        tracing,
        on_restore,
    )
    return _armed(plan)


class _RecordedAsgi:
    """The adapter, with the handler phase recorded."""

    def __init__(self, adapter: AsgiAdapter, instruments: Instruments) -> None:
        self._adapter = adapter
        self._instruments = instruments

    async def stream(self, request: Request) -> Response | StreamingResponse:
        return await self._instruments.run_asgi(lambda: self._adapter.stream(request), request)

    async def buffer(self, request: Request, *, limit_bytes: int) -> Response:
        answer = await self._instruments.run_asgi(
            lambda: self._adapter.buffer(request, limit_bytes=limit_bytes), request
        )
        assert isinstance(answer, Response)
        return answer


class _FunctionLifeCycle(AppLifeCycle):
    def __init__(self, on_restore: OnRestore | None) -> None:
        self._on_restore = on_restore

    async def restore(self) -> None:
        if self._on_restore is not None:
            restored = self._on_restore()
            if isinstance(restored, Awaitable):
                await restored


class _AsgiLifeCycle(_FunctionLifeCycle):
    def __init__(self, lifespan: Lifespan, on_restore: OnRestore | None) -> None:
        super().__init__(on_restore)
        self._lifespan = lifespan

    async def start(self) -> None:
        await self._lifespan.start()

    async def shut_down(self) -> None:
        await self._lifespan.shut_down()


def _plan(
    make_app: MakeApp,
    given: Mapping[str, object],
    door_options: DoorOptions,
    answer_options: AnswerOptions,
    events: OtherEvents | None,
    tracing: str,
    on_restore: OnRestore | None,
) -> Plan:
    check_arguments(given)
    check_handlers(events)
    if on_restore is not None and not callable(on_restore):
        raise TypeError(f"on_restore must be a function without arguments, not {on_restore!r}")
    if tracing not in ("join", "own", "off"):
        raise ValueError(f"tracing must be join, own or off, not {tracing!r}")
    return Plan(make_app, given, door_options, answer_options, events, tracing)


def _refuse(unknown: Mapping[str, object]) -> None:
    if "custom_handlers" in unknown:
        raise TypeError(
            "custom_handlers is Mangum's: every front door is known here; events that are no HTTP"
            " requests go to events="
        )
    if unknown:
        raise TypeError(f"unexpected keyword argument {next(iter(unknown))!r}")


def _refuse_generator(function: Function) -> None:
    """What a generator function returns is its body, and says nothing of its head."""
    for called in (function, getattr(function, "__call__", None)):  # noqa: B004 (of an object)
        if inspect.isasyncgenfunction(called) or inspect.isgeneratorfunction(called):
            name = getattr(function, "__name__", "events")
            raise TypeError(
                f"streaming() takes a function that returns its answer, and {name} is a generator"
                f" function: write streaming(lambda request: EventStream({name}(request))), or"
                f" StreamingResponse({name}(request)) for blocks of a body"
            )


def _load(app: AsgiApp | str) -> AsgiApp:
    if app == "":
        raise UnusableApp("no app is named: STREAMING_APP is to name it, as in main:app")
    loaded = imported(app) if isinstance(app, str) else app
    if isinstance(loaded, LambdaHandler):
        what = f'"{app}"' if isinstance(app, str) else "what asgi() was given"
        raise UnusableApp(
            f"{what} is a handler already: let the function's handler setting name it, or give"
            " asgi() the app"
        )
    return check_app(loaded, app)


def _lifespan_mode(value: str) -> LifespanMode:
    return "on" if value == "on" else "off" if value == "off" else "auto"


def _armed(plan: Plan) -> AppHandler:
    """The module that made the handler is the first one outside of this."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    handler = AppHandler(plan)
    arm(handler, os.environ, sys.argv, frame.f_globals["__name__"])
    return handler


def _untraced(plan: Plan) -> tuple[Answering, AppLifeCycle]:
    settings = AppSettings.from_environ(os.environ, plan.given)
    app, life_cycle = plan.make_app(settings, NoInstruments())
    return plan.answering(app, settings), life_cycle
