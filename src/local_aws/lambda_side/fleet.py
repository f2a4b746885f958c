"""The function's execution environments: one for each concurrent invocation, reused when free."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

from local_aws.lambda_side.environment import Environment
from local_aws.lambda_side.invocation import Invocation


class ConcurrencyLimitError(Exception):
    """As many invocations as allowed are running: the caller may try again."""


class Fleet:
    """Assigns invocations to environments. The environment used last is reused first, as on AWS, so
    that a quiet function keeps few environments warm.
    """

    def __init__(
        self,
        make_environment: Callable[[int], Environment],
        *,
        concurrency: int,
        on_begun: Callable[[Invocation], None],
        on_finished: Callable[[Invocation, Environment], None],
    ) -> None:
        self._make_environment = make_environment
        self._concurrency = concurrency
        self._on_begun = on_begun
        self._on_finished = on_finished
        self._numbers = itertools.count(1)
        self._idle: list[Environment] = []
        self._busy: dict[Environment, asyncio.Task[None]] = {}
        self._shutdowns: set[asyncio.Task[None]] = set()

    @property
    def environments(self) -> tuple[Environment, ...]:
        return (*self._busy, *self._idle)

    def begin(self, invocation: Invocation) -> Environment:
        """Starts an invocation and gives the environment that runs it.

        Raises ConcurrencyLimitError.
        """
        self._release_ended()
        if self._idle:
            environment = self._idle.pop()
        elif len(self._busy) >= self._concurrency:
            raise ConcurrencyLimitError
        else:
            environment = self._make_environment(next(self._numbers))
        self._busy[environment] = asyncio.create_task(self._run(environment, invocation))
        self._on_begun(invocation)
        return environment

    def _release_ended(self) -> None:
        """Releases environments whose frozen process was killed from outside."""
        for environment in self._idle:
            if not environment.is_alive:
                shutdown = asyncio.create_task(environment.shut_down())
                self._shutdowns.add(shutdown)
                shutdown.add_done_callback(self._shutdowns.discard)
        self._idle = [environment for environment in self._idle if environment.is_alive]

    async def replace(self) -> None:
        """Ends every environment; a response under way ends as the function ends it at SIGTERM.
        Invocations from now on get new ones.
        """
        environments = self.environments
        self._idle.clear()
        await asyncio.gather(*(environment.shut_down() for environment in environments))

    async def shut_down(self) -> None:
        environments = self.environments
        runs = list(self._busy.values())
        await asyncio.gather(*(environment.shut_down() for environment in environments))
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, *self._shutdowns, return_exceptions=True)
        self._idle.clear()

    async def _run(self, environment: Environment, invocation: Invocation) -> None:
        try:
            await environment.run(invocation)
        finally:
            del self._busy[environment]
            if environment.is_alive:
                self._idle.append(environment)
            self._on_finished(invocation, environment)
