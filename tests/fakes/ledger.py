"""What a client was sent, held against the promise: nothing lost, and repeats only where allowed.

The promise is read off the ids that the client itself saw, as any client could do that knows them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lambdas.sse_streaming.feeds.position import MAX_HASHES, Position, PositionCodec

Key = tuple[str, int]
"""One version of an item: item_id, published_at."""

CLEAN_ENDS = frozenset({"rotate", "deadline", "bytes", "cancelled", "drain"})


@dataclass(slots=True)
class Ledger:
    """One client's account. `problems` is empty as long as the promise was kept.

    `suspect_repeats` counts repeats after a clean end whose id was full and had no record: allowed
    if the record was needed and could not be written, which only the function's log tells.
    """

    codec: PositionCodec
    delivered: Counter[Key] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    endings: Counter[str] = field(default_factory=Counter)
    suspect_repeats: int = 0
    _this_connection: set[Key] = field(default_factory=set)
    _ids: set[str] = field(default_factory=set)
    _must_not_repeat: set[Key] = field(default_factory=set)
    _suspect: set[Key] = field(default_factory=set)
    _position: Position | None = None
    _has_ended: bool = False
    _ended_cleanly: bool = False

    @property
    def repeats(self) -> int:
        return sum(times - 1 for times in self.delivered.values())

    def connected(self) -> None:
        self._this_connection, self._ids = set(), set()
        self._position, self._has_ended, self._ended_cleanly = None, False, False

    def take(self, event: str, event_id: str, data: Mapping[str, Any]) -> None:
        """A whole block."""
        if event_id in self._ids:
            self.problems.append(f"id twice within one connection: {event_id}")
        self._ids.add(event_id)
        if event == "busy":
            self.endings["busy"] += 1
            self._has_ended = True
            return  # it repeats where the client stood
        self._position = self.codec.read(event_id)
        if event == "reset":
            self.problems.append(f"reset: {data['reason']}")
        elif event == "end":
            self.endings[data["reason"]] += 1
            self._has_ended = True
            self._ended_cleanly = data["reason"] in CLEAN_ENDS
        elif event == "sentiment":
            self._item((data["item_id"], data["published_at"]))

    def disconnected(self) -> None:
        """The connection is over, with or without an end; what may come again follows from it."""
        position = self._position
        if not self._has_ended:
            self.endings["cut"] += 1
        if position is None:
            return  # nothing came that moved the client
        everything = set(self.delivered)
        carries_window = position.has_record or len(position.hashes) < MAX_HASHES
        if carries_window:
            self._must_not_repeat, self._suspect = everything, set()
            return
        self._must_not_repeat = {key for key in everything if key[1] < position.settled_ms}
        self._suspect = everything - self._must_not_repeat if self._ended_cleanly else set()

    def _item(self, key: Key) -> None:
        if key in self._this_connection:
            self.problems.append(f"{key} twice within one connection")
        if key in self._must_not_repeat:
            self.problems.append(f"{key} again, although its position could tell")
        if key in self._suspect:
            self.suspect_repeats += 1
        self._this_connection.add(key)
        self.delivered[key] += 1
