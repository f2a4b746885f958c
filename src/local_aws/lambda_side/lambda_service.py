"""The Lambda service: one function, its front doors, its execution environments, its log."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from local_aws.lambda_side.alb.server import LoadBalancer
from local_aws.lambda_side.doors.door_server import DoorServer, FrontDoor
from local_aws.lambda_side.doors.invoker import Invoker
from local_aws.lambda_side.doors.request_log import RequestLog
from local_aws.lambda_side.environ import Wiring, function_environ
from local_aws.lambda_side.environment import Environment
from local_aws.lambda_side.fleet import Fleet
from local_aws.lambda_side.function_url.server import FunctionUrl
from local_aws.lambda_side.http_api.server import HttpApi
from local_aws.lambda_side.init_check import check_init
from local_aws.lambda_side.invocation import Invocation, Outcome
from local_aws.lambda_side.invoke_api.server import InvokeApi
from local_aws.lambda_side.lambda_segments import lambda_segments
from local_aws.lambda_side.log import FunctionLog
from local_aws.lambda_side.rest_api.server import RestApi
from local_aws.processes import Spawner
from local_aws.settings import DoorName, Settings
from local_aws.traces.trace_header import Trace

Say = Callable[[str], None]
_LINES_SHOWN = 20


class LambdaService:
    def __init__(
        self,
        settings: Settings,
        wiring: Wiring,
        *,
        spawner: Spawner,
        say: Say,
        add_segment: Callable[[dict[str, Any]], None],
        on_answered: Callable[[Trace, Sequence[str]], None] = lambda trace, log: None,
    ) -> None:
        """`say` prints a line for the developer; `add_segment` takes X-Ray segment documents;
        `on_answered` gets the trace of each answered invocation after its segments, with what its
        environment has logged.
        """
        self._settings = settings
        self._wiring = wiring
        self._spawner = spawner
        self._say = say
        self._add_segment = add_segment
        self._on_answered = on_answered
        self._is_stopping = False
        self.log = FunctionLog(echo=say if settings.log else None)
        self.fleet = Fleet(
            self._environment,
            concurrency=settings.concurrency,
            on_begun=self._record,
            on_finished=self._finished,
        )
        self.invoker = Invoker(
            self.fleet, function_arn=settings.function.arn, sampled=settings.sampled
        )
        self.requests = RequestLog()
        self.doors = {
            name: DoorServer(door, name=name, log=self.requests)
            for name, door in self._front_doors()
        }

    async def check_init(self) -> None:
        """Starts the function once, beside the fleet. Raises FunctionInitError with its reason."""
        log = FunctionLog()
        await check_init(self._environment(0, log), log, say=self._say)

    @property
    def url(self) -> DoorServer:
        """The Function URL."""
        return self.doors["function_url"]

    def _front_doors(self) -> Iterator[tuple[DoorName, FrontDoor]]:
        settings, function = self._settings, self._settings.function
        yield (
            "function_url",
            FunctionUrl(
                self.invoker,
                has_cors=settings.url_cors,
                timeout_seconds=settings.timeout_seconds,
                show_disconnect=settings.show_disconnect,
                say=self._say,
            ),
        )
        yield (
            "rest_api",
            RestApi(
                self.invoker,
                timeout_seconds=settings.timeout_seconds,
                show_disconnect=settings.show_disconnect,
                say=self._say,
            ),
        )
        yield "http_api", HttpApi(self.invoker, say=self._say)
        yield "alb", LoadBalancer(self.invoker, multi_value=False, say=self._say)
        yield "alb_multi_value", LoadBalancer(self.invoker, multi_value=True, say=self._say)
        yield (
            "invoke_api",
            InvokeApi(
                self.invoker,
                self.log,
                function_name=function.name,
                memory_mb=function.memory_mb,
                timeout_seconds=settings.timeout_seconds,
            ),
        )

    async def start(self, sockets: Mapping[DoorName, socket.socket]) -> None:
        """Each of these doors listens on its bound socket from now on."""
        for name, sock in sockets.items():
            await self.doors[name].start(sock)

    async def stop(self) -> None:
        """Stops listening, lets the functions end within their time, then cuts every connection."""
        self._is_stopping = True
        for door in self.doors.values():
            await door.stop_listening()
        await self.fleet.shut_down()
        for door in self.doors.values():
            await door.stop()

    def _environment(self, number: int, log: FunctionLog | None = None) -> Environment:
        function = self._settings.function
        return Environment(
            number,
            argv=[str(function.python), "-m", "awslambdaric", function.handler],
            task_root=function.task_root,
            environ_for=lambda runtime_api, number: function_environ(
                function, self._wiring, runtime_api=runtime_api, environment_number=number
            ),
            timeout_seconds=self._settings.timeout_seconds,
            limits=self._settings.limits,
            spawner=self._spawner,
            log=log or self.log,
        )

    def _record(self, invocation: Invocation) -> None:
        if invocation.trace.sampled:
            for segment in lambda_segments(invocation):
                self._add_segment(segment)

    def _finished(self, invocation: Invocation, environment: Environment) -> None:
        self._record(invocation)
        if self._is_stopping or environment.was_shut_down:
            return
        if invocation.outcome is Outcome.ANSWERED:
            self._on_answered(invocation.trace, self.log.lines(environment.number))
            return
        if not self._settings.log:
            self._say(f"Invocation {invocation.request_id}: {invocation.outcome.value}.")
            for line in self.log.lines(environment.number)[-_LINES_SHOWN:]:
                self._say(f"[{environment.number}] {line}")
