"""The function's execution environments: one for each concurrent invocation, reused when free."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

from local_aws.lambda_side.environment import Environment
from local_aws.lambda_side.invocation import Invocation


class ConcurrencyLimitError(Exception):
    """As many invocations as allowed are running. The caller's to try again."""


class Fleet:
    """Places invocations. The environment used last is reused first, as on AWS, so that a quiet
    function keeps few environments warm.
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
        self._burials: set[asyncio.Task[None]] = set()

    @property
    def environments(self) -> tuple[Environment, ...]:
        return (*self._busy, *self._idle)

    def begin(self, invocation: Invocation) -> Environment:
        """Starts an invocation and gives the environment that runs it.

        Raises ConcurrencyLimitError.
        """
        self._bury_the_dead()
        if self._idle:
            environment = self._idle.pop()
        elif len(self._busy) >= self._concurrency:
            raise ConcurrencyLimitError
        else:
            environment = self._make_environment(next(self._numbers))
        self._busy[environment] = asyncio.create_task(self._run(environment, invocation))
        self._on_begun(invocation)
        return environment

    def _bury_the_dead(self) -> None:
        """A frozen process can be killed from outside; what it held here must be given back."""
        for environment in self._idle:
            if not environment.is_alive:
                burial = asyncio.create_task(environment.shut_down())
                self._burials.add(burial)
                burial.add_done_callback(self._burials.discard)
        self._idle = [environment for environment in self._idle if environment.is_alive]

    async def shut_down(self) -> None:
        environments = self.environments
        runs = list(self._busy.values())
        await asyncio.gather(*(environment.shut_down() for environment in environments))
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, *self._burials, return_exceptions=True)
        self._idle.clear()

    async def _run(self, environment: Environment, invocation: Invocation) -> None:
        try:
            await environment.run(invocation)
        finally:
            del self._busy[environment]
            if environment.is_alive:
                self._idle.append(environment)
            self._on_finished(invocation, environment)
