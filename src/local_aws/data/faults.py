"""Fault injection: rules in order, each with what it matches and what it does."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any


@dataclass(frozen=True, slots=True)
class ProxiedRequest:
    """A request as rules see it. `tables`: every table it names. `caller`: the `app/NAME` of its
    user agent, which the stack's own requests have.
    """

    operation: str
    tables: tuple[str, ...]
    caller: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answers with an error without asking the engine."""

    status: int
    code: str
    message: str = "Injected by the local fault proxy"


@dataclass(frozen=True, slots=True)
class Delay:
    """Waits; combines with any other action."""

    before_seconds: float = 0.0
    after_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Drop:
    """Resets the connection; the engine never sees the request."""


@dataclass(frozen=True, slots=True)
class LoseAnswer:
    """The engine executes the request, then the connection is reset."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The engine gets the request twice, as after a retry; the second answer is passed on."""


@dataclass(frozen=True, slots=True)
class Hang:
    """No answer until the caller gives up; the engine never sees the request."""


@dataclass(frozen=True, slots=True)
class Reorder:
    """The answer waits until a later request has been answered, `at_most_seconds` if none comes.

    With `holds_request` the request waits, so that the engine sees the later one first.
    """

    at_most_seconds: float
    holds_request: bool = False


Action = Refuse | Delay | Drop | LoseAnswer | Duplicate | Hang | Reorder

THROTTLE = Refuse(400, "ThrottlingException", "Rate of requests exceeds the allowed throughput.")
THROUGHPUT_EXCEEDED = Refuse(
    400,
    "ProvisionedThroughputExceededException",
    "The level of configured provisioned throughput for the table was exceeded.",
)
INTERNAL_ERROR = Refuse(500, "InternalServerError", "The request processing has failed.")
UNAVAILABLE = Refuse(503, "ServiceUnavailable", "The service is temporarily unavailable.")
ACCESS_DENIED = Refuse(400, "AccessDeniedException", "User is not authorized to perform this.")


@dataclass(slots=True)
class Rule:
    """`fired`: how often it has applied; a rule with `times` applies that often at most."""

    action: Action
    operation: str | None = None
    table: str | None = None
    where: Callable[[ProxiedRequest], bool] | None = None
    times: int | None = None
    probability: float = 1.0
    fired: int = 0

    def matches(self, request: ProxiedRequest) -> bool:
        return (
            (self.times is None or self.fired < self.times)
            and self.operation in (None, request.operation)
            and (self.table is None or self.table in request.tables)
            and (self.where is None or self.where(request))
        )


class FaultPlan:
    """The rules of one proxy. Thread-safe: the tuple of rules is replaced, never changed."""

    def __init__(self, *, seed: int = 0) -> None:
        self._rules: tuple[Rule, ...] = ()
        self._random = random.Random(seed)

    def add(
        self,
        action: Action,
        *,
        operation: str | None = None,
        table: str | None = None,
        where: Callable[[ProxiedRequest], bool] | None = None,
        times: int | None = None,
        probability: float = 1.0,
    ) -> Rule:
        """Adds a rule behind those that are there."""
        rule = Rule(action, operation, table, where, times, probability)
        self._rules = (*self._rules, rule)
        return rule

    def __contains__(self, rule: Rule) -> bool:
        return any(held is rule for held in self._rules)

    def remove(self, rule: Rule) -> None:
        self._rules = tuple(kept for kept in self._rules if kept is not rule)

    def clear(self) -> None:
        self._rules = ()

    def actions_for(self, request: ProxiedRequest) -> Sequence[Action]:
        """Every delay that applies, and the first other action that does."""
        chosen: list[Action] = []
        is_decided = False
        for rule in self._rules:
            is_delay = isinstance(rule.action, Delay)
            if (is_delay or not is_decided) and rule.matches(request) and self._draws(rule):
                rule.fired += 1
                chosen.append(rule.action)
                is_decided = is_decided or not is_delay
        return chosen

    def _draws(self, rule: Rule) -> bool:
        return rule.probability >= 1.0 or self._random.random() < rule.probability


class AnswerOrder:
    """Holds requests back until later ones have been answered."""

    def __init__(self) -> None:
        self._numbers = count()
        self._overtaken: dict[int, asyncio.Event] = {}

    def next_number(self) -> int:
        """Of a request that has come: numbers go up in the order of arrival."""
        return next(self._numbers)

    async def wait(self, number: int, at_most_seconds: float) -> None:
        """Waits until a request that arrived later has been answered."""
        overtaken = self._overtaken[number] = asyncio.Event()
        try:
            async with asyncio.timeout(at_most_seconds):
                await overtaken.wait()
        except TimeoutError:
            pass  # no later request
        finally:
            del self._overtaken[number]

    def answered(self, number: int) -> None:
        """The answer to this request has been sent."""
        for waiting, overtaken in self._overtaken.items():
            if waiting < number:
                overtaken.set()
