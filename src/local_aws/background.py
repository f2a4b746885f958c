"""The local stack in a thread of its own, for tests and tools that are not on its event loop.

with BackgroundStack(Settings(port=0)) as stack:
    httpx.get(f"{stack.url}/health")
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

from local_aws.fault_proxy import FaultProxy
from local_aws.invocation import Invocation
from local_aws.settings import Settings
from local_aws.stack import Stack

T = TypeVar("T")
_START_SECONDS = 60.0


class BackgroundStack:
    """A started Stack, handled from another thread.

    Everything here may be called from any thread. Reading through `stack` what has no method here
    is fine; what changes the stack goes through `call`, except for the proxies' `faults`.
    """

    def __init__(self, settings: Settings, *, say: Callable[[str], None] = lambda _: None) -> None:
        self.stack = Stack(settings, say=say)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="local-stack")

    def __enter__(self) -> BackgroundStack:
        """Returns when everything is ready. Raises what starting the stack raises."""
        self._thread.start()
        try:
            self.call(self.stack.__aenter__(), timeout_seconds=_START_SECONDS)
        except BaseException:
            self._end_thread()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.call(self.stack.__aexit__(kind, error, traceback))
        finally:
            self._end_thread()

    def call(self, work: Coroutine[Any, Any, T], *, timeout_seconds: float = 30.0) -> T:
        """Runs a coroutine on the stack's loop and gives its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_seconds)

    @property
    def url(self) -> str:
        """The Function URL."""
        return self.stack.url

    @property
    def dynamodb(self) -> FaultProxy:
        """In front of DynamoDB: `.faults`, `.capacity`, `.requests()`, `.index_lag`, `.url`."""
        return self.stack.dynamodb

    @property
    def cloudwatch(self) -> FaultProxy:
        return self.stack.cloudwatch

    @property
    def invocations(self) -> list[Invocation]:
        return self.stack.invocations

    def function_log(self, environment: int | None = None) -> list[str]:
        return self.stack.function_log(environment)

    def publish(self, **item: Any) -> dict[str, Any]:
        """Writes an item now; sentiment_type is positive when not given. Gives the whole item."""
        given = {"sentiment_type": "positive", **item}
        return self.call(self.stack.publisher.put(given))

    def publish_at_rate(self, items_per_second: float) -> None:
        """Changes the publisher's own supply; 0 pauses it."""
        self.stack.publisher.items_per_second = items_per_second

    def _end_thread(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
