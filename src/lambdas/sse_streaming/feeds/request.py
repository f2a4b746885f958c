"""What a client asks of the feed. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambda_streaming.requests import BadRequest
from lambdas.sse_streaming.feeds.schema import (
    Caller,
    FeedSchema,
    Filter,
    FixedValues,
    QueryParameter,
    is_key,
)

_INVALID = "invalid_parameter"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The values of an attribute that pass."""

    attribute: str
    values: frozenset[str]
    uppercase: bool = False

    def passes(self, attributes: Mapping[str, Mapping[str, Any]]) -> bool:
        """Whether the item's attributes have one of the values. Without the attribute, no."""
        value = attributes.get(self.attribute, {})
        text = value.get("S")
        if text is None:
            text = value.get("N")
        if text is None:
            return False
        return (text.upper() if self.uppercase else text) in self.values


@dataclass(frozen=True, slots=True)
class StreamFilter:
    """Which items a stream wants: those of these partitions that pass every filter."""

    partitions: tuple[str, ...]
    filters: tuple[Wanted, ...] = ()

    def passes(self, attributes: Mapping[str, Mapping[str, Any]]) -> bool:
        return all(wanted.passes(attributes) for wanted in self.filters)


NOTHING = StreamFilter(())
"""Of a stream that is refused before its filter is known."""


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """A validated request for a stream. `last_event_id` is as presented, or None; `received_ms` is
    the front door's time stamp, where it gives one. `trace_from_client` says that the client chose
    the trace, or whether it is recorded."""

    filter: StreamFilter
    backfill: int
    last_event_id: str | None
    received_ms: int | None = None
    trace_from_client: bool = False


def read_filter(
    schema: FeedSchema, given: Mapping[str, str], caller_partition: str | None = None
) -> StreamFilter:
    """What is `given` for the schema's parameters, as a filter. `caller_partition` is the caller's
    own, which no parameter can change.

    Raises BadRequest naming the parameter.
    """
    return StreamFilter(
        _partitions(schema, given, caller_partition),
        tuple(
            Wanted(one.attribute, _filter_values(one, text), one.uppercase)
            for one in schema.filters
            if (text := given.get(one.name)) is not None
        ),
    )


def _partitions(
    schema: FeedSchema, given: Mapping[str, str], caller_partition: str | None
) -> tuple[str, ...]:
    chosen_by = schema.chosen_by
    match chosen_by:
        case FixedValues(values=values, parameter=name):
            text = given.get(name) if name is not None else None
            chosen = set(values) if text is None else _of_values(name or "", text, tuple(values))
            return tuple(value for value in values if value in chosen)
        case QueryParameter(name=name):
            return _named_partitions(chosen_by, given.get(name))
        case Caller():
            return () if caller_partition is None else (caller_partition,)


def _named_partitions(chosen_by: QueryParameter, text: str | None) -> tuple[str, ...]:
    parts = [] if text is None else _parts(text)
    most, words = chosen_by.at_most, chosen_by.in_words
    fits = re.compile(chosen_by.pattern).fullmatch
    if not 1 <= len(parts) <= most or not all(fits(part) and is_key(part) for part in parts):
        wanted = (
            f"one value, {words}"
            if most == 1
            else f"a comma-separated list of at most {most}, each {words}"
        )
        required = "required, " if text is None else ""
        raise BadRequest(_INVALID, f"{chosen_by.name}: {required}{wanted}")
    return tuple(dict.fromkeys(parts))


def _filter_values(wanted: Filter, text: str) -> frozenset[str]:
    """`aapl,MSFT` -> {'AAPL', 'MSFT'} for one with upper case."""
    if wanted.values is not None:
        text = text.upper() if wanted.uppercase else text
        return frozenset(_of_values(wanted.name, text, tuple(wanted.values)))
    parts = _parts(text)
    pattern = re.compile(wanted.pattern or "")
    if len(parts) > wanted.at_most or not all(map(pattern.fullmatch, parts)):
        raise BadRequest(
            _INVALID,
            f"{wanted.name}: a comma-separated list of at most {wanted.at_most},"
            f" each {wanted.in_words}",
        )
    # Only after the check: "\u0131BM".upper() is "IBM".
    return frozenset(part.upper() if wanted.uppercase else part for part in parts)


def _of_values(name: str, text: str, values: tuple[str, ...]) -> set[str]:
    parts = set(_parts(text))
    if not parts <= set(values):
        raise BadRequest(_INVALID, f"{name}: a comma-separated list of " + ", ".join(values))
    return parts


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]
