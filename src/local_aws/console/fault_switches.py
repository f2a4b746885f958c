"""Named faults that the console switches on and off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from local_aws.data.clients import STACK_ITSELF
from local_aws.data.fault_proxy import FaultProxy
from local_aws.data.faults import (
    THROTTLE,
    Action,
    Delay,
    FaultPlan,
    LoseAnswer,
    ProxiedRequest,
    Rule,
)
from local_aws.data.index_lag import IndexLag
from local_aws.traces.receivers.otlp_behaviour import HEALTHY, REFUSED
from local_aws.traces.receivers.otlp_collector import OtlpCollector

# Longer than SSE_TRACE_SLOW_MS, so that its spans are kept; shorter than SSE_AWS_TIMEOUT_SECONDS,
# so that the request succeeds.
_LATENCY_SECONDS = 1.0
# Within SSE_OVERLAP_SECONDS: items come late, and none is missed.
_LAG_SECONDS = 3.0


class UnknownFaultError(Exception):
    """No fault has this name: the caller's fault."""


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    label: str
    effect: str


class _Switch(Protocol):
    """`hits`: requests that met the fault since it was switched on; None: not counted."""

    @property
    def is_on(self) -> bool: ...

    @property
    def hits(self) -> int | None: ...

    async def turn(self, *, on: bool) -> None: ...


class FaultSwitches:
    """State is read from the proxy and the collector themselves: tests change them directly too."""

    def __init__(self, dynamodb: FaultProxy | None, collector: OtlpCollector) -> None:
        self._switches: dict[Fault, _Switch] = {
            **(_dynamodb_faults(dynamodb) if dynamodb is not None else {}),
            Fault(
                "collector_down",
                "Collector down",
                "The collector's port is closed: the streaming phase's spans are not taken.",
            ): _CollectorSwitch(collector),
        }
        if dynamodb is not None and dynamodb.index_lag is not None:
            lagging = Fault(
                "index_lag",
                f"Index lag +{_LAG_SECONDS:g} s",
                f"DynamoDB's index shows what is written {_LAG_SECONDS:g} s later.",
            )
            self._switches[lagging] = _LagSwitch(dynamodb.index_lag)

    def as_json(self) -> list[dict[str, Any]]:
        return [
            {
                "name": fault.name,
                "label": fault.label,
                "effect": fault.effect,
                "on": switch.is_on,
                "hits": switch.hits,
            }
            for fault, switch in self._switches.items()
        ]

    async def turn(self, name: str, *, on: bool) -> None:
        """Raises UnknownFaultError."""
        for fault, switch in self._switches.items():
            if fault.name == name:
                await switch.turn(on=on)
                return
        raise UnknownFaultError(
            f"no fault is named {name[:40]!r}: {', '.join(f.name for f in self._switches)}"
        )


def _dynamodb_faults(dynamodb: FaultProxy) -> dict[Fault, _Switch]:
    plan = dynamodb.faults
    return {
        Fault(
            "throttle",
            "Throttling",
            "DynamoDB refuses the function's requests with ThrottlingException.",
        ): _RuleSwitch(plan, THROTTLE),
        Fault(
            "latency",
            f"Latency +{_LATENCY_SECONDS:g} s",
            f"DynamoDB answers the function {_LATENCY_SECONDS:g} s later.",
        ): _RuleSwitch(plan, Delay(before_seconds=_LATENCY_SECONDS)),
        Fault(
            "lost_answers",
            "Lost answers",
            "DynamoDB does what the function asks, and its answer never arrives.",
        ): _RuleSwitch(plan, LoseAnswer()),
    }


class _RuleSwitch:
    """A rule for all of the function's requests; those of the stack itself pass."""

    def __init__(self, plan: FaultPlan, action: Action) -> None:
        self._plan = plan
        self._action = action
        self._rule: Rule | None = None

    @property
    def is_on(self) -> bool:
        return self._rule is not None and self._rule in self._plan

    @property
    def hits(self) -> int | None:
        return self._rule.fired if self._rule is not None and self.is_on else 0

    async def turn(self, *, on: bool) -> None:
        if on and not self.is_on:
            self._rule = self._plan.add(self._action, where=_by_the_function)
        elif not on and self._rule is not None:
            self._plan.remove(self._rule)


class _LagSwitch:
    hits = None

    def __init__(self, lag: IndexLag) -> None:
        self._lag = lag
        self._usual_seconds = lag.seconds

    @property
    def is_on(self) -> bool:
        return self._lag.seconds != self._usual_seconds

    async def turn(self, *, on: bool) -> None:
        self._lag.seconds = self._usual_seconds + (_LAG_SECONDS if on else 0.0)


class _CollectorSwitch:
    hits = None

    def __init__(self, collector: OtlpCollector) -> None:
        self._collector = collector

    @property
    def is_on(self) -> bool:
        return self._collector.behaviour != HEALTHY

    async def turn(self, *, on: bool) -> None:
        await self._collector.switch(REFUSED if on else HEALTHY)


def _by_the_function(request: ProxiedRequest) -> bool:
    return request.caller != STACK_ITSELF
