"""The local stack: what surrounds the function on AWS, on this computer and one event loop.

    async with Stack(Settings.from_environ(os.environ)) as stack:
        ...  # stack.url answers

The front doors listen last: a client that can connect finds every part ready. For threads and
pytest see background.py.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from types import TracebackType
from typing import Any

from local_aws.account import ACCOUNT_ID, REGION
from local_aws.app.file_watch import PythonFiles, watch
from local_aws.console.app import create_console
from local_aws.console.door_requests import DoorRequests
from local_aws.console.fault_switches import FaultSwitches
from local_aws.console.open_streams import OpenStreams
from local_aws.console.server import ConsoleServer
from local_aws.data.clients import local_client
from local_aws.data.engines import Engine, dynoxide, find_dynoxide, moto
from local_aws.data.fault_proxy import FaultProxy
from local_aws.data.index_lag import IndexLag
from local_aws.feed.declaration import Declaration
from local_aws.feed.first_steps import EXAMPLE_CALLER
from local_aws.feed.function import heartbeat_seconds, new_secrets
from local_aws.feed.publisher import Publisher
from local_aws.feed.sentiment.configurations import put_sample_configurations
from local_aws.feed.sentiment.declaration import SENTIMENT
from local_aws.feed.sentiment.items import items_of
from local_aws.feed.tables import TableNames, create_tables
from local_aws.feed_of_app import declared_feed
from local_aws.lambda_side.environ import Wiring
from local_aws.lambda_side.invocation import Invocation
from local_aws.lambda_side.lambda_service import LambdaService
from local_aws.processes import ProcessGuard
from local_aws.progress import with_progress
from local_aws.servers.http_connection import bound_socket
from local_aws.settings import DOOR_PORTS, DoorName, Settings
from local_aws.traces.receivers.otlp_collector import OtlpCollector
from local_aws.traces.receivers.xray_daemon import XRayDaemon
from local_aws.traces.span_notice import SpanNotice
from local_aws.traces.store import TraceStore

_MOTO_NOTICE = (
    "No dynoxide binary was found, so moto stands in for DynamoDB: the same answers, but index "
    "queries grow slower with the table and capacity is not charged by AWS's rule."
)
_FEED_CHANGED = (
    "The feed is declared in another way now: start the stack anew (Ctrl-C, make run), which makes "
    "its tables and settings."
)


class PortTakenError(Exception):
    """A port that the stack was told to use is in use."""


class Stack:
    """Start it with `async with`. The attributes below are there once it has started; names,
    publisher and engine only where it serves a feed, as any other app has no tables here.
    """

    names: TableNames
    lambda_service: LambdaService
    publisher: Publisher
    engine_url: str
    url: str
    console_url: str
    door_urls: Mapping[DoorName, str]

    def __init__(
        self,
        settings: Settings,
        *,
        say: Callable[[str], None] = lambda _: None,
        checks_function: bool = False,
    ) -> None:
        """`say` prints a line for the developer. With `checks_function` the function's init is run
        once, and the stack does not start if that fails. `async with` raises what goes wrong.
        """
        self.settings = settings
        feed = settings.feed
        if feed is not None:
            self.names = TableNames.from_environ(settings.function.configured, feed)
        self.guard = ProcessGuard()
        self.dynamodb = FaultProxy(
            index_lag=IndexLag(
                self.names.keys(feed) if feed is not None else {},
                seconds=settings.index_lag_ms / 1000,
                monotonic=time.monotonic,
            )
        )
        self.cloudwatch = FaultProxy()
        self.traces = TraceStore()
        self.collector = OtlpCollector(self.traces)
        self.daemon = XRayDaemon(self.traces)
        self._say = say
        self._checks_function = checks_function
        self._resources = AsyncExitStack()

    @property
    def invocations(self) -> list[Invocation]:
        """The latest invocations (up to 1,000), oldest first."""
        return list(self.lambda_service.invoker.invocations)

    def function_log(self, environment: int | None = None) -> list[str]:
        """What the function wrote: of one execution environment, or of all."""
        return self.lambda_service.log.lines(environment)

    async def __aenter__(self) -> Stack:
        """Raises PortTakenError, EngineError, FunctionInitError, TablesError."""
        try:
            await self._start()
        except BaseException:
            await self._resources.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._resources.aclose()

    async def _start(self) -> None:
        door_sockets: dict[DoorName, socket.socket] = {
            "function_url": self._bind(self.settings.port, "PORT")
        }
        console_socket = self._bind(self.settings.console_port, "PORT + 1")
        door_sockets |= {
            name: self._bind_door(name) for name in DOOR_PORTS if name not in door_sockets
        }
        self.door_urls = {name: _address(sock) for name, sock in door_sockets.items()}
        self.url = self.door_urls["function_url"]
        self.console_url = _address(console_socket)
        await self.guard.start()
        self._resources.push_async_callback(self.guard.stop)
        for part in (self.collector, self.daemon):
            await part.start()
            self._resources.push_async_callback(part.stop)
        if self.settings.feed is not None:
            starting = self._start_engines()
            await with_progress("Starting DynamoDB and CloudWatch", starting, self._say)
        self.lambda_service = self._make_lambda_service()
        if self._checks_function:
            checking = self.lambda_service.check_init()
            await with_progress("Starting the function once", checking, self._say)
        if self.settings.feed is not None:
            preparing = self._prepare_tables(self.settings.feed)
            await with_progress("Creating tables", preparing, self._say)
        ports = {name: sock.getsockname()[1] for name, sock in door_sockets.items()}
        await self._start_console(console_socket, ports)
        await self._start_lambda(door_sockets)

    def _bind(self, port: int, name: str) -> socket.socket:
        try:
            sock = bound_socket(port)
        except OSError as error:
            raise PortTakenError(
                f"Port {port} ({name}) cannot be used: {error.strerror}. Stop what uses it, or "
                f"choose another: make run PORT={self.settings.port + 1000}"
            ) from None
        self._resources.callback(sock.close)
        return sock

    def _bind_door(self, name: DoorName) -> socket.socket:
        """Any free port where the door's own is taken: the stack can be used without this door."""
        try:
            sock = bound_socket(self.settings.door_port(name))
        except OSError:
            sock = bound_socket(0)
        self._resources.callback(sock.close)
        return sock

    async def _start_engines(self) -> None:
        simulator = moto(self.guard)
        engine = self._dynamodb_engine()
        try:
            async with asyncio.TaskGroup() as starting:
                starting.create_task(self._run_engine(simulator))
                if engine is not None:
                    starting.create_task(self._run_engine(engine))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        self.engine_url = self.settings.dynamodb_url or (engine or simulator).url
        for proxy, upstream_url in (
            (self.dynamodb, self.engine_url),
            (self.cloudwatch, simulator.url),
        ):
            await proxy.start(upstream_url)
            self._resources.push_async_callback(proxy.stop)

    def _dynamodb_engine(self) -> Engine | None:
        """dynoxide if its binary is found. None: moto, or the engine that the settings name."""
        if self.settings.dynamodb_url is not None:
            return None
        binary = find_dynoxide(self.settings)
        if binary is None:
            self._say(_MOTO_NOTICE)
            return None
        return dynoxide(binary, self.guard)

    async def _run_engine(self, engine: Engine) -> None:
        self._resources.push_async_callback(engine.stop)
        await engine.start()

    async def _prepare_tables(self, feed: Declaration) -> None:
        direct = await self._client(self.engine_url)
        await asyncio.to_thread(create_tables, direct, self.names, feed)
        if feed == SENTIMENT:
            await asyncio.to_thread(
                put_sample_configurations, direct, self.names.configurations, account_id=ACCOUNT_ID
            )
        self.publisher = Publisher(
            await self._client(self.dynamodb.url),
            direct,
            self.names,
            items_of(feed),
            items_per_second=self.settings.items_per_second,
            say=self._say,
        )

    async def _client(self, endpoint_url: str) -> Any:
        client = await asyncio.to_thread(local_client, "dynamodb", endpoint_url)
        self._resources.callback(client.close)
        return client

    async def _start_console(self, sock: socket.socket, door_ports: Mapping[DoorName, int]) -> None:
        feed = self.settings.feed
        has_items = feed is not None
        function = self.settings.function
        details: dict[str, Any] = {"heartbeat_seconds": heartbeat_seconds(function.configured)}
        if feed != SENTIMENT:
            details["app"] = function.handler
        if feed is not None and feed != SENTIMENT:
            details |= {
                "feed": feed.as_json(),
                "example_caller": EXAMPLE_CALLER,
                "region": REGION,
            }
        app = create_console(
            self.traces,
            self.publisher if has_items else None,
            OpenStreams(self.lambda_service.invoker, self.lambda_service.fleet),
            FaultSwitches(self.dynamodb if has_items else None, self.collector),
            DoorRequests(self.lambda_service.requests, door_ports),
            function_url=self.url,
            more_hosts=self.settings.console_hosts,
            details=details,
        )
        server = ConsoleServer(app)
        self._resources.push_async_callback(server.stop)
        await server.start(sock)

    def _make_lambda_service(self) -> LambdaService:
        has_data = self.settings.feed is not None
        wiring = Wiring(
            dynamodb_url=self.dynamodb.url if has_data else self.settings.dynamodb_url,
            cloudwatch_url=self.cloudwatch.url if has_data else None,
            otlp_url=self.collector.endpoint,
            xray_daemon_address=self.daemon.address,
        )
        function = self.settings.function
        notice = SpanNotice(
            self.traces,
            self._say,
            configured=function.configured,
            passed_on=function.passed_on,
            collector_url=self.collector.endpoint,
        )
        if has_data:
            function = replace(function, environment={**new_secrets(), **function.environment})
        return LambdaService(
            replace(self.settings, function=function),
            wiring,
            spawner=self.guard,
            say=self._say,
            add_segment=self.traces.add_segment,
            on_answered=notice.answered,
        )

    async def _start_lambda(self, sockets: Mapping[DoorName, socket.socket]) -> None:
        self._resources.push_async_callback(self.lambda_service.stop)
        if self.settings.feed is not None:
            publishing = asyncio.create_task(self.publisher.run())
            self._resources.push_async_callback(_cancel, publishing)
        if self.settings.watched is not None:
            files = await asyncio.to_thread(PythonFiles, self.settings.watched)
            watching = asyncio.create_task(watch(files, self._replace))
            self._resources.push_async_callback(_cancel, watching)
        await self.lambda_service.start(sockets)

    async def _replace(self, changed: str) -> None:
        self._say(f"{changed} has changed: the next request starts the function anew.")
        await self.lambda_service.fleet.replace()
        if self.settings.feed is not None:
            feed = await declared_feed(self.settings)
            if feed is not None and not feed.is_served_like(self.settings.feed):
                self._say(_FEED_CHANGED)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _address(sock: socket.socket) -> str:
    return f"http://127.0.0.1:{sock.getsockname()[1]}"
