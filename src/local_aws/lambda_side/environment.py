"""One execution environment: a process of the function and its Runtime API.

The rules kept here: the process is frozen whenever it waits for an event; it is continued for one
invocation; it is killed when that takes longer than the timeout; a process that ended, or whose
init failed, is never used again. On AWS init has 10 s and is then tried again within the function's
timeout; here init simply has the timeout.
"""

from __future__ import annotations

import asyncio
import enum
import signal
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from local_aws.lambda_side.bandwidth import Bandwidth
from local_aws.lambda_side.invocation import Invocation, Outcome
from local_aws.lambda_side.log import FunctionLog
from local_aws.lambda_side.runtime_api import RuntimeApi
from local_aws.processes import Child, Spawner

SHUTDOWN_SECONDS = 0.5  # what a function without external extensions gets on AWS
_EXIT_AFTER_INIT_ERROR_SECONDS = 2.0


class Phase(enum.Enum):
    INIT = "init"
    RUNNING = "running"
    FROZEN = "frozen"
    ENDED = "ended"


class TimeoutReachedError(Exception):
    """Init or an invocation took longer than the function's timeout."""


class InitFailedError(Exception):
    """The function's process ended, or reported `body`, before it asked for an event."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body.decode(errors="replace"))
        self.body = body


class Environment:
    def __init__(
        self,
        number: int,
        *,
        argv: Sequence[str],
        task_root: Path,
        environ_for: Callable[[str, int], Mapping[str, str]],
        timeout_seconds: float,
        limits: bool,
        spawner: Spawner,
        log: FunctionLog,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """`environ_for` makes the process's variables from (Runtime API address, number)."""
        self.number = number
        self.phase = Phase.INIT
        self._argv = argv
        self._task_root = task_root
        self._environ_for = environ_for
        self._timeout_seconds = timeout_seconds
        self._spawner = spawner
        self._log = log
        self._wall_clock = wall_clock
        self._api = RuntimeApi(
            make_bandwidth=(lambda: Bandwidth(time.monotonic)) if limits else None,
            wall_clock=wall_clock,
        )
        self._child: Child | None = None
        self._exit: asyncio.Task[int] | None = None
        self.invocations_served = 0
        self.was_shut_down = False

    @property
    def pid(self) -> int:
        return self._child.pid if self._child is not None else 0

    @property
    def is_alive(self) -> bool:
        return self.phase is not Phase.ENDED and (
            self._child is None or self._child.returncode is None
        )

    async def run(self, invocation: Invocation) -> None:
        """Runs one invocation: from the event to the function's next /next (it is frozen then) or
        to the end of its process. The outcome is in the invocation.
        """
        invocation.environment = self.number
        invocation.cold_start = self._child is None
        try:
            if self._child is None:
                await self._start()
            invocation.environment_pid = self.pid
            if not await self._becomes_idle():
                await self._fail(invocation, Outcome.INIT_FAILED)
                return
            self._hand_over(invocation)
            if await self._becomes_idle():
                self._freeze()
            else:
                self._log.add(self.number, f"RequestId: {invocation.request_id} Runtime exited")
                await self._fail(invocation, Outcome.EXITED)
        except OSError as error:
            self._log.add(self.number, f"The function's process could not be started: {error}")
            await self._fail(invocation, Outcome.INIT_FAILED)
        except TimeoutReachedError:
            self._log.add(
                self.number,
                f"{invocation.request_id} Task timed out after {self._timeout_seconds:.2f} seconds",
            )
            await self._fail(invocation, Outcome.TIMED_OUT)
        finally:
            self.invocations_served += 1
            invocation.finished_at = self._wall_clock()
            invocation.finished.set()

    async def try_init(self) -> None:
        """Runs init alone, then ends the environment.

        Raises InitFailedError, TimeoutReachedError.
        """
        try:
            await self._start()
            if not await self._becomes_idle():
                _, body = self._api.init_error or ("", b"")
                raise InitFailedError(body)
        except OSError as error:
            raise InitFailedError(str(error).encode()) from error
        finally:
            await self._kill()
            await self._end()

    def break_response(self) -> None:
        """Lets the function feel that its client has gone, which AWS never does."""
        self._api.break_response()

    def kill(self) -> None:
        """Kills the process at once, as a crash would."""
        if self._child is not None:
            self._child.signal(signal.SIGKILL)

    async def shut_down(self) -> None:
        """SIGTERM, continued first, then SIGKILL, as Lambda ends an environment. From the first
        signal on it is not frozen any more."""
        self.phase = Phase.ENDED
        self.was_shut_down = True
        if self._child is not None:
            await self._child.end(grace_seconds=SHUTDOWN_SECONDS)
        await self._end()

    async def _start(self) -> None:
        await self._api.start()
        self._child = await self._spawner.spawn(
            self._argv,
            env=self._environ_for(self._api.address, self.number),
            cwd=self._task_root,
            on_line=lambda line: self._log.add(self.number, line),
        )
        self._exit = asyncio.create_task(self._child.wait())
        if self.was_shut_down:  # while its process was being started
            self._child.signal(signal.SIGKILL)

    async def _becomes_idle(self) -> bool:
        """True once the function asks for an event; False if it has ended or its init has failed.

        Raises TimeoutReachedError.
        """
        assert self._exit is not None
        idle = asyncio.create_task(self._api.idle.wait())
        try:
            done, _ = await asyncio.wait(
                {idle, self._exit},
                timeout=self._timeout_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            idle.cancel()
        if not done:
            raise TimeoutReachedError
        return self._exit not in done and self._api.init_error is None

    def _hand_over(self, invocation: Invocation) -> None:
        self._continue()
        now = self._wall_clock()
        invocation.started_at = now
        invocation.deadline_ms = int((now + self._timeout_seconds) * 1000)
        invocation.invocation_id = str(uuid.uuid4())
        self._api.deliver(invocation)

    def _freeze(self) -> None:
        assert self._child is not None
        if self.phase is Phase.ENDED:
            return
        self._child.signal(signal.SIGSTOP)
        self.phase = Phase.FROZEN

    def _continue(self) -> None:
        assert self._child is not None
        if self.phase is Phase.FROZEN:
            self._child.signal(signal.SIGCONT)
        self.phase = Phase.RUNNING

    async def _fail(self, invocation: Invocation, outcome: Outcome) -> None:
        """Resets what the function still sends, ends its process, and tells the client's side."""
        if outcome is Outcome.INIT_FAILED and self._api.init_error is not None:
            invocation.error_type, invocation.error_body = self._api.init_error
            assert self._exit is not None
            await asyncio.wait([self._exit], timeout=_EXIT_AFTER_INIT_ERROR_SECONDS)
        if invocation.outcome in (Outcome.RUNNING, Outcome.TRUNCATED, Outcome.ANSWERED):
            invocation.outcome = outcome  # answered, then overran or crashed: that is a failure too
        self._api.break_response()
        await self._kill()
        await invocation.relay.fail(outcome)
        await self._end()

    async def _kill(self) -> None:
        if self._child is not None:
            self._child.signal(signal.SIGKILL)
            await self._child.wait()
            await self._child.output_read()

    async def _end(self) -> None:
        self.phase = Phase.ENDED
        if self._exit is not None:
            await self._exit
        await self._api.stop()
