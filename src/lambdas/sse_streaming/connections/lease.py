"""A connection's lease on a slot, and the outcomes of asking for one. Pure."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import Protocol

from lambdas.sse_streaming.sessions import SessionRecordStore

_CONNECTION_ID = re.compile(r"(0|[1-9]\d{0,4})\.([A-Za-z0-9_-]{22})")


@dataclass(frozen=True, slots=True)
class Lease:
    """One connection's slot."""

    connection_id: str
    slot: int
    session_id: str
    sequence: int


@dataclass(frozen=True, slots=True)
class Granted:
    """`current_count` is known only where the shard had to be read anyway."""

    lease: Lease
    current_count: int | None


class Refusal(enum.StrEnum):
    CAPACITY = "capacity"
    DRAINING = "draining"


class Renewal(enum.StrEnum):
    """What a renewal found. Everything but HELD ends the connection, for the reason named."""

    HELD = "held"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    EVICTED = "evicted"


@dataclass(frozen=True, slots=True)
class AcquireRequest:
    """`resumed_slot` is set only for an id that could not have been forged."""

    session_id: str
    sequence: int
    resumed_slot: int | None


class Connections(Protocol):
    """Who holds which slot. Every method may raise AwsUnavailable or AwsRefused."""

    def acquire(self, request: AcquireRequest) -> Granted | Refusal: ...
    def renew(self, lease: Lease) -> Renewal: ...
    def release(self, lease: Lease) -> None: ...
    def cancel(self, connection_id: str) -> None: ...
    def is_draining(self) -> bool: ...
    def count(self) -> int: ...


class ConnectionsTable(Connections, SessionRecordStore, Protocol):
    """The connections table, which keeps the sessions' records too."""


def is_connection_id(text: str) -> bool:
    return _CONNECTION_ID.fullmatch(text) is not None


def slot_of(connection_id: str) -> int:
    """The slot number that a well-formed connection id begins with."""
    return int(connection_id.partition(".")[0])
