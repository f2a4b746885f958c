"""The local stack in a thread of its own, for tests and tools that are not on its event loop.

with BackgroundStack(Settings(port=0)) as stack:
    httpx.get(f"{stack.url}/health")
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

from local_aws.data.fault_proxy import FaultProxy
from local_aws.feed.sentiment.declaration import SENTIMENT
from local_aws.lambda_side.environment import Environment
from local_aws.lambda_side.invocation import Invocation
from local_aws.servers.loop_thread import LoopThread
from local_aws.settings import DoorName, Settings
from local_aws.stack import Stack
from local_aws.traces.receivers.otlp_behaviour import HEALTHY, Behaviour
from local_aws.traces.store import TraceStore

T = TypeVar("T")
_START_SECONDS = 60.0


class BackgroundStack:
    """A started Stack in a thread of its own; a context manager.

    All methods may be called from any thread. `stack` may be read from any thread too, and the
    proxies' `faults` changed; every other change goes through `call`.
    """

    def __init__(self, settings: Settings, *, say: Callable[[str], None] = lambda _: None) -> None:
        self.stack = Stack(settings, say=say)
        self._loop = LoopThread("local-stack")

    def __enter__(self) -> BackgroundStack:
        """Returns when everything is ready. Raises what starting the stack raises."""
        self._loop.__enter__()
        try:
            self.call(self.stack.__aenter__(), timeout_seconds=_START_SECONDS)
        except BaseException:
            self._loop.__exit__()
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
            self._loop.__exit__()

    def call(self, work: Coroutine[Any, Any, T], *, timeout_seconds: float = 30.0) -> T:
        """Runs a coroutine on the stack's loop and gives its result."""
        return self._loop.call(work, timeout_seconds=timeout_seconds)

    @property
    def url(self) -> str:
        """The Function URL."""
        return self.stack.url

    def door_url(self, door: DoorName) -> str:
        return self.stack.door_urls[door]

    @property
    def console_url(self) -> str:
        return self.stack.console_url

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

    @property
    def traces(self) -> TraceStore:
        """What both tracers have sent, by trace."""
        return self.stack.traces

    @property
    def environments(self) -> tuple[Environment, ...]:
        """The execution environments that exist now, with their `pid` and `phase`."""
        return self.stack.lambda_service.fleet.environments

    def collector_behaves(self, behaviour: Behaviour) -> None:
        """Changes how the collector answers from now on; see traces/receivers/otlp_behaviour.py."""
        self.call(self.stack.collector.switch(behaviour))

    def index_lags(self, seconds: float) -> None:
        """Index answers leave out writes younger than this from now on."""
        assert self.dynamodb.index_lag is not None
        self.dynamodb.index_lag.seconds = seconds

    def back_to_normal(self) -> None:
        """Switches every fault off and gives the publisher the rate that is set."""
        for proxy in (self.dynamodb, self.cloudwatch):
            proxy.faults.clear()
        self.index_lags(self.stack.settings.index_lag_ms / 1000)
        self.collector_behaves(HEALTHY)
        self.publish_at_rate(self.stack.settings.items_per_second)

    def function_log(self, environment: int | None = None) -> list[str]:
        return self.stack.function_log(environment)

    def publish(self, **item: Any) -> dict[str, Any]:
        """Writes an item now and returns it whole; a sentiment is positive unless given."""
        if self.stack.settings.feed == SENTIMENT:
            item = {"sentiment_type": "positive", **item}
        return self.call(self.stack.publisher.put(item))

    def publish_at_rate(self, items_per_second: float) -> None:
        """Changes how many items the publisher generates; 0 pauses it."""
        self.stack.publisher.items_per_second = items_per_second
