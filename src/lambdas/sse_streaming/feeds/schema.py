"""What a feed is of: the table's attributes, who chooses a stream's partitions, the filters. Pure.

Everything is checked when it is made: ValueError says what is wrong and what to write instead.

A partition is a value of the partition attribute. A stream follows one or several of them, each
with a query of its own in every poll, in one order of time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from lambda_streaming.requests import Request

RESERVED_EVENTS = frozenset({"ready", "reset", "busy", "end", "error", "open", "close"})
"""The service's own, and those that an EventSource makes itself."""
LAST_EVENT_ID_PARAMETERS = ("last_event_id", "lastEventId", "Last-Event-ID")
BACKFILL_PARAMETER = "backfill"
SIGNATURE_PREFIX = "x-amz-"
"""Of the parameters of a presigned URL."""
LATENCY_ATTRIBUTE = "latency_ms"
"""Added to every item."""

_EVENT = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_PARAMETER = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
# docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
_INDEX = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_MAX_ATTRIBUTE_NAME_BYTES = 255
_MAX_KEY_BYTES = 2048
_ANY_NAME = r"[A-Za-z0-9_.-]{1,64}"
_ANY_NAME_IN_WORDS = "1 to 64 of letters, digits, _ . -"
_MS_PER_UNIT = {"ms": 1, "s": 1000}
_STORED_COLUMNS = frozenset({"config_id", "owner"})

TimeUnit: TypeAlias = Literal["ms", "s"]
PartitionOf: TypeAlias = Callable[[Request], str | None]


@dataclass(frozen=True, slots=True)
class FixedValues:
    """The feed has these partitions. With `parameter` a client may choose some of them; without
    it, or where it is absent, a stream has them all."""

    values: Sequence[str]
    parameter: str | None = None

    def __post_init__(self) -> None:
        values = _texts("FixedValues", self.values)
        object.__setattr__(self, "values", values)
        if self.parameter is not None:
            _check_parameter(self.parameter)
            _check_listed("FixedValues", values)


@dataclass(frozen=True, slots=True)
class QueryParameter:
    """The client names the partitions, at most `at_most`, separated by commas. Whoever may open a
    stream may read every partition whose name it knows. `in_words` describes the pattern to a
    client whose value does not match."""

    name: str
    pattern: str = _ANY_NAME
    at_most: int = 3
    in_words: str | None = None

    def __post_init__(self) -> None:
        _check_parameter(self.name)
        _check_pattern(f"QueryParameter({self.name!r})", self.pattern)
        _check_at_most(f"QueryParameter({self.name!r})", self.at_most)
        if self.in_words is None:
            object.__setattr__(self, "in_words", _described(self.pattern))


def iam_caller(request: Request) -> str | None:
    """The IAM identity that the front door checked: a user's ARN, or a role's."""
    return request.caller_arn


@dataclass(frozen=True, slots=True)
class Caller:
    """One partition for each caller: what `partition_of` makes of the request. None means that the
    caller has no feed, and is answered with 403.

    By default the partition is the caller's ARN, which only a deployment with SSE_AUTH=iam knows.
    A function of your own must check what it reads: anybody can send any header.
    """

    partition_of: PartitionOf = iam_caller

    def __post_init__(self) -> None:
        if not callable(self.partition_of):
            raise ValueError(
                f"Caller(partition_of={self.partition_of!r}): give a function of the Request that"
                " returns the partition's name, or None for a caller that has no feed"
            )

    @property
    def needs_iam(self) -> bool:
        return self.partition_of is iam_caller

    def partition(self, request: Request) -> str | None:
        """Raises TypeError where `partition_of` gives neither a text nor None."""
        name: object = self.partition_of(request)
        if name is None:
            return None
        if not isinstance(name, str):
            raise TypeError(
                f"partition_of returned a {type(name).__name__}: it has to return a text or None"
            )
        return name if is_key(name) else None


ChosenBy: TypeAlias = FixedValues | QueryParameter | Caller


@dataclass(frozen=True, slots=True)
class Filter:
    """Lets items pass by a text attribute: those whose value is among the ones that a client names
    in `parameter` (by default the attribute's name), separated by commas. An item without the
    attribute matches no filter. A number counts as the text that DynamoDB has for it (`5`, `0.25`).

    A client's values are of `values`, or match `pattern`, which `in_words` describes to a client
    whose value does not. With `uppercase` both the client's and the item's count as upper case.
    `stored_as` is the attribute of a saved configuration, by default the parameter's name.
    """

    attribute: str
    parameter: str | None = None
    values: Sequence[str] | None = None
    pattern: str | None = None
    at_most: int = 50
    uppercase: bool = False
    stored_as: str | None = None
    in_words: str | None = None

    def __post_init__(self) -> None:
        _check_attribute("Filter", self.attribute)
        where = f"Filter({self.attribute!r})"
        if self.parameter is None:
            object.__setattr__(self, "parameter", self.attribute)
        _check_parameter(self.name)
        if (self.values is None) == (self.pattern is None):
            raise ValueError(
                f"{where} needs values=(…), the ones that a client may name, or"
                f" pattern=r'{_ANY_NAME}', and not both"
            )
        if self.values is not None:
            values = _texts(where, self.values)
            _check_listed(where, values)
            if self.uppercase and any(value != value.upper() for value in values):
                raise ValueError(f"{where} has uppercase=True: write its values in upper case")
            object.__setattr__(self, "values", values)
        if self.pattern is not None:
            _check_pattern(where, self.pattern)
            if self.in_words is None:
                object.__setattr__(self, "in_words", _described(self.pattern))
        _check_at_most(where, self.at_most)
        if self.stored_as is None:
            object.__setattr__(self, "stored_as", self.parameter)

    @property
    def name(self) -> str:
        """Of the query parameter."""
        return self.parameter or self.attribute

    @property
    def column(self) -> str:
        """Of a saved configuration."""
        return self.stored_as or self.name


@dataclass(frozen=True, slots=True)
class FeedSchema:
    """A feed: every new item of a table, in order of time, as an event.

    event: the name of an item's event.
    partition, time: the attributes (S and N) that `index`, a secondary index of the table, has as
      its hash and its range key.
    chosen_by: who chooses the partitions of a stream: FixedValues, QueryParameter or Caller.
    item_id: an attribute (S). It tells items apart in the whole table, not in one partition only;
      one item's versions are told apart by their time, so an update has to raise it.
    time_unit: `ms` or `s`, since the epoch. Positions are milliseconds in both cases. An item
      stamped in whole seconds may be a second younger than its stamp says: it becomes visible that
      much later after it, so SSE_OVERLAP_SECONDS has to be above one second. And an item can be
      updated once a second.
    filters: what a client may narrow its stream by; an item has to match all that it names.
    """

    event: str
    partition: str
    chosen_by: ChosenBy
    time: str
    item_id: str
    time_unit: TimeUnit = field(default="ms", kw_only=True)
    filters: tuple[Filter, ...] = field(default=(), kw_only=True)
    index: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        _check_event(self.event)
        for name in ("partition", "time", "item_id"):
            _check_attribute(name, getattr(self, name))
        if len({self.partition, self.time, self.item_id}) < 3:
            raise ValueError(
                "partition, time and item_id are three attributes, not one or two:"
                f" {self.partition!r}, {self.time!r}, {self.item_id!r}"
            )
        if not isinstance(self.chosen_by, FixedValues | QueryParameter | Caller):
            raise ValueError(
                f"chosen_by={self.chosen_by!r}: give FixedValues((…)), QueryParameter('…') or"
                " Caller()"
            )
        _check_time_unit(self.time_unit)
        object.__setattr__(self, "filters", _filters(self.filters))
        for one in self.filters:
            if one.attribute in (self.partition, self.time):
                raise ValueError(
                    f"Filter({one.attribute!r}): a filter is for an attribute beside the partition"
                    " and the time; partitions are chosen by chosen_by"
                )
        _check_apart("query parameters", [*self.parameters, BACKFILL_PARAMETER])
        _check_apart(
            "attributes of a saved configuration", [*self.columns.values(), *_STORED_COLUMNS]
        )
        if not self.index:
            object.__setattr__(self, "index", f"by_{self.partition}")
        if not _INDEX.fullmatch(self.index):
            raise ValueError(
                f"index={self.index!r} is no name of an index: give index= with 3 to 255 of"
                " letters, digits, _ . -"
            )

    @property
    def ms_per_unit(self) -> int:
        return _MS_PER_UNIT[self.time_unit]

    @property
    def partition_parameter(self) -> str | None:
        """The query parameter that chooses partitions, if one does."""
        match self.chosen_by:
            case FixedValues(parameter=name) | QueryParameter(name=name):
                return name
            case _:
                return None

    @property
    def fixed_values(self) -> tuple[str, ...] | None:
        chosen_by = self.chosen_by
        return tuple(chosen_by.values) if isinstance(chosen_by, FixedValues) else None

    @property
    def parameters(self) -> tuple[str, ...]:
        """The query parameters that choose partitions and filter."""
        name = self.partition_parameter
        return (*([name] if name else []), *(one.name for one in self.filters))

    @property
    def columns(self) -> dict[str, str]:
        """By query parameter, the attribute of a saved configuration that stands for it."""
        name = self.partition_parameter
        return ({name: name} if name else {}) | {one.name: one.column for one in self.filters}

    def declaration(self) -> dict[str, Any]:
        """As JSON has it, for what makes the table: Terraform, the local stack."""
        kinds = {FixedValues: "fixed", QueryParameter: "query", Caller: "caller"}
        values = self.fixed_values
        return {
            "event": self.event,
            "partition": self.partition,
            "values": list(values) if values is not None else None,
            "chosen_by": kinds[type(self.chosen_by)],
            "parameter": self.partition_parameter,
            "time": self.time,
            "time_unit": self.time_unit,
            "item_id": self.item_id,
            "index": self.index,
            "filters": [
                {
                    "attribute": one.attribute,
                    "parameter": one.name,
                    "values": list(one.values) if one.values is not None else None,
                }
                for one in self.filters
            ],
        }


def is_key(text: str) -> bool:
    """Whether DynamoDB takes the text as a partition key
    (docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html)."""
    try:
        return 1 <= len(text.encode()) <= _MAX_KEY_BYTES
    except UnicodeEncodeError:
        return False  # half of a surrogate pair


# Checks


def _check_event(event: object) -> None:
    if not isinstance(event, str) or not _EVENT.fullmatch(event):
        raise ValueError(
            f"event={event!r} is no name of an event: 1 to 64 of letters, digits, _ . -, beginning"
            " with a letter"
        )
    if event.lower() in RESERVED_EVENTS:
        raise ValueError(
            f"event={event!r} is an event of every stream or of EventSource itself"
            f" ({', '.join(sorted(RESERVED_EVENTS))}): name it after what an item is, as in 'order'"
        )


def _check_attribute(what: str, name: object) -> None:
    if not isinstance(name, str) or not name or not name.isprintable():
        raise ValueError(f"{what}: {name!r} is no name of an attribute of the table")
    if len(name.encode()) > _MAX_ATTRIBUTE_NAME_BYTES:
        raise ValueError(f"{what}: DynamoDB takes attribute names of 255 bytes at most")
    if name == LATENCY_ATTRIBUTE:
        raise ValueError(
            f"{what}: {LATENCY_ATTRIBUTE!r} is added to every item by the service and replaces the"
            " table's; use another attribute"
        )


def _check_parameter(name: object) -> None:
    if not isinstance(name, str) or not _PARAMETER.fullmatch(name):
        raise ValueError(
            f"{name!r} is no name of a query parameter: 1 to 64 of letters, digits, _ . -,"
            " beginning with a letter; a filter takes one in parameter="
        )
    lower = name.lower()
    is_position = re.sub("[_.-]", "", lower) == "lasteventid"
    if is_position or lower == BACKFILL_PARAMETER or lower.startswith(SIGNATURE_PREFIX):
        raise ValueError(
            f"the query parameter {name!r} has a meaning of its own (a position, a backfill, the"
            " signature of a URL): give the parameter another name"
        )


def _check_pattern(where: str, pattern: object) -> None:
    try:
        re.compile(pattern)  # type: ignore[call-overload]
    except (re.error, TypeError) as error:
        raise ValueError(
            f"{where}: pattern={pattern!r} is no regular expression: {error}"
        ) from None


def _check_at_most(where: str, at_most: object) -> None:
    if not isinstance(at_most, int) or isinstance(at_most, bool) or at_most < 1:
        raise ValueError(f"{where}: at_most={at_most!r} has to be a whole number from 1")


def _check_time_unit(unit: object) -> None:
    if unit not in _MS_PER_UNIT:
        raise ValueError(
            f"time_unit={unit!r}: 'ms' or 's', the time being a number since the epoch. Texts as"
            " in ISO 8601 do not sort by time where their precisions or offsets differ"
            " ('…:00.5Z' sorts before '…:00Z'), so items would be lost: write the time as a number"
            " into another attribute beside the text, and name that one"
        )


def _check_listed(where: str, values: Iterable[str]) -> None:
    """A client writes them with commas between."""
    for value in values:
        if "," in value or value != value.strip():
            raise ValueError(
                f"{where}: {value!r} cannot be named in a query, where commas separate values and"
                " blanks around them are dropped"
            )


def _texts(where: str, values: object) -> tuple[str, ...]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ValueError(f"{where}: give the values as a tuple of texts, as in ('eu', 'us')")
    texts = tuple(values)
    if not texts or not all(isinstance(text, str) and is_key(text) for text in texts):
        raise ValueError(f"{where}: give one or more texts that are not empty, as in ('eu', 'us')")
    _check_apart(f"values of {where}", texts)
    return texts


def _filters(filters: object) -> tuple[Filter, ...]:
    if isinstance(filters, Filter):
        return (filters,)
    given = tuple(filters) if isinstance(filters, Iterable) else (filters,)
    for one in given:
        if not isinstance(one, Filter):
            raise ValueError(f"filters: {one!r} is no Filter; write Filter('status', values=(…))")
    return given


def _check_apart(what: str, names: Sequence[str]) -> None:
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise ValueError(f"two {what} are called {sorted(repeated)[0]!r}: name one differently")


def _described(pattern: str) -> str:
    return _ANY_NAME_IN_WORDS if pattern == _ANY_NAME else f"matching {pattern}"
