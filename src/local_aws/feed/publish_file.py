"""`make publish FILE=items.jsonl`: one JSON object a line; bad lines are reported and skipped."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from local_aws.feed.declaration import Declaration
from local_aws.feed.feed_items import FeedItems
from local_aws.feed.items import ItemError, NotWrittenError, parse_item
from local_aws.feed.publisher import Put

_PROGRESS_EVERY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Line:
    """A good line of a file."""

    number: int
    item: dict[str, Any]
    is_timed: bool
    """Whether the line itself says when the item was published."""
    doubts: tuple[str, ...] = ()
    """What its author may have meant otherwise."""


def read_lines(
    text: bytes, items: FeedItems, *, now_ms: int
) -> tuple[list[Line], list[tuple[int, str]]]:
    """The good lines, and for each bad one its number and what is wrong; skips empty lines.

    Only a line feed ends a line: JSON may hold every other separator inside of a string.
    """
    lines: list[Line] = []
    bad: list[tuple[int, str]] = []
    for number, line in enumerate(text.removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            given = parse_item(line.rstrip(b"\r"))
            item = items.complete(given, now_ms=now_ms)
        except ItemError as error:
            bad.append((number, str(error)))
        else:
            doubts = tuple(_doubts(given, items.feed))
            lines.append(Line(number, item, items.feed.time in given, doubts))
    return lines, bad


def _doubts(given: Mapping[str, Any], feed: Declaration) -> Iterator[str]:
    for name in (feed.item_id, feed.time):
        if name not in given and (similar := get_close_matches(name, given, 1)):
            yield f"{name} was filled in; is {similar[0]} meant for it?"
    for one in feed.filters:
        value = given.get(one.attribute)
        if one.values is not None and value is not None and value not in one.values:
            known = ", ".join(one.values)
            yield f"no client can ask for this {one.attribute}: {known} are declared"


def restamp(lines: Iterable[Line], feed: Declaration, *, now_ms: int) -> list[Line]:
    """Shifts the lines' times: the earliest becomes now, the others keep their distance from it.

    The function holds each item back until it is due, so a file plays at its own pace. Lines
    without a time have been given the present one and stay.
    """
    kept = list(lines)
    now = now_ms // feed.ms_per_unit
    shift = now - min((line.item[feed.time] for line in kept if line.is_timed), default=now)
    return [
        replace(line, item={**line.item, feed.time: line.item[feed.time] + shift})
        if line.is_timed
        else line
        for line in kept
    ]


def publish_lines(
    text: bytes,
    put: Put,
    items: FeedItems,
    *,
    keep_times: bool,
    say: Callable[[str], None],
    wall_clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> bool:
    """Publishes the good lines and reports the others; True if every line was published."""
    now_ms = int(wall_clock() * 1000)
    lines, bad = read_lines(text, items, now_ms=now_ms)
    for number, reason in bad:
        say(f"line {number}: {reason}")
    for line in lines:
        for doubt in line.doubts:
            say(f"line {line.number}: {doubt}")
    if not keep_times:
        lines = restamp(lines, items.feed, now_ms=now_ms)
    said_at = monotonic()
    failed = 0
    for done, line in enumerate(lines, start=1):
        try:
            # Once more: moved in time, an item may have left the range of times.
            put(items.complete(line.item, now_ms=now_ms))
        except (ItemError, NotWrittenError) as error:
            failed += 1
            say(f"line {line.number}: not written: {error}")
        if monotonic() - said_at >= _PROGRESS_EVERY_SECONDS:
            said_at = monotonic()
            say(f"{done - failed} of {len(lines)} published …")
    not_written = f", {failed} not written" if failed else ""
    say(f"{len(lines) - failed} published, {len(bad)} bad{not_written}.")
    return not bad and not failed
