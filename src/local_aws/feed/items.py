"""A feed's items: what they have to keep, by its declaration and by DynamoDB."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from decimal import Context, Decimal, DecimalException
from typing import Any

from boto3.dynamodb.types import DYNAMODB_CONTEXT

from local_aws.feed.declaration import Declaration

Check = Callable[[Mapping[str, Any]], None]

_MAX_EPOCH_MS = 253_402_300_799_999  # the end of the year 9999: more is not milliseconds

# Service, Account, and Table Quotas in Amazon DynamoDB: items, attributes, partition keys, numbers.
_MAX_ITEM_BYTES = 400 * 1024
_MAX_KEY_BYTES = 2048
_MAX_NAME_BYTES = 64 * 1024 - 1
_MAX_LEVELS = 32
_MAX_DIGITS = 38
_LEAST_EXPONENT, _GREATEST_EXPONENT = -130, 125
_OUT_OF_RANGE = "is out of DynamoDB's range of numbers, 1E-130 to 9.99E+125"

_PLAIN_NAME = re.compile(r"[\w-]{1,40}", re.ASCII)


class ItemError(ValueError):
    """An item breaks the data contract or a limit of DynamoDB; the text says where and how."""


class NotWrittenError(Exception):
    """DynamoDB did not write the item, and the item is not at fault; the text says why."""


def nothing_more(_: Mapping[str, Any]) -> None:
    """The check of a feed whose declaration says everything."""


def parse_item(text: bytes) -> dict[str, Any]:
    """The JSON object in a UTF-8 text, with or without a byte order mark; its numbers are exact.

    Raises ItemError.
    """
    try:
        item = json.loads(text.decode("utf-8-sig"), parse_int=_whole, parse_float=_decimal)
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise ItemError(f"not UTF-8: byte {error.start + 1} is 0x{byte:02x}") from None
    except json.JSONDecodeError as error:
        raise ItemError(f"not JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise ItemError(f"nested deeper than DynamoDB's {_MAX_LEVELS} levels") from None
    if not isinstance(item, dict):
        raise ItemError("not a JSON object")
    return item


def complete_item(
    given: Mapping[str, Any], *, feed: Declaration, now_ms: int, check: Check = nothing_more
) -> dict[str, Any]:
    """The item with its id and its time filled in where they are missing, fit for DynamoDB.
    `check` raises ItemError for what else the feed's items have to keep.

    Raises ItemError.
    """
    item = {feed.item_id: str(uuid.uuid4()), feed.time: now_ms // feed.ms_per_unit, **given}
    _check_text(item[feed.item_id], feed.item_id)
    if feed.partition not in given:
        raise ItemError(f"{feed.partition} is missing; the item has {_named(given)}")
    if feed.values is None:
        _check_text(item.get(feed.partition), feed.partition)
    elif item.get(feed.partition) not in feed.values:
        raise ItemError(f"{feed.partition} must be one of {', '.join(feed.values)}")
    time = item[feed.time]
    if isinstance(time, bool) or not isinstance(time, int):
        raise ItemError(f"{feed.time} must be a whole number of epoch {feed.unit_in_words}")
    if not 0 <= time <= _MAX_EPOCH_MS // feed.ms_per_unit:
        hint = " (are these milliseconds?)" if feed.time_unit == "s" else ""
        raise ItemError(f"{feed.time} is outside of epoch {feed.unit_in_words}{hint}")
    check(item)
    whole = {
        name: _storable(value, _checked_name(name, "the item"), level=1)
        for name, value in item.items()
    }
    size = sum(len(name.encode()) + _size(value) for name, value in whole.items())
    if size > _MAX_ITEM_BYTES:
        raise ItemError(f"the item has {size} bytes as DynamoDB counts, at most {_MAX_ITEM_BYTES}")
    return whole


def _named(given: Mapping[str, Any]) -> str:
    return ", ".join(_checked_name(name, "the item") for name in given) or "nothing"


def _check_text(value: Any, name: str) -> None:
    """Of an attribute that is a key, of the table or of its index."""
    if not isinstance(value, str) or not value:
        raise ItemError(f"{name} must be a string that is not empty")
    if _bytes_in(value, name) > _MAX_KEY_BYTES:
        raise ItemError(f"{name} has more than the {_MAX_KEY_BYTES} bytes of a partition key")


def _whole(text: str) -> int | Decimal:
    """Python refuses to read a whole number of thousands of digits; a Decimal may have them."""
    return int(text) if len(text) <= _GREATEST_EXPONENT else _decimal(text)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except DecimalException:
        raise ItemError(f"{text[:40]} {_OUT_OF_RANGE}") from None


def _storable(value: Any, name: str, *, level: int) -> Any:
    """The value as boto3 takes it. `level`: its depth; the item's attributes have 1."""
    if level > _MAX_LEVELS:
        raise ItemError(f"{name} is nested deeper than DynamoDB's {_MAX_LEVELS} levels")
    match value:
        case None | bool():
            return value
        case str():
            _bytes_in(value, name)
            return value
        case int() | float() | Decimal():
            return _number(value, name)
        case list():
            return [_storable(one, name, level=level + 1) for one in value]
        case dict():
            return {
                inner: _storable(one, f"{name}.{_checked_name(inner, name)}", level=level + 1)
                for inner, one in value.items()
            }
    raise ItemError(f"{name} is of a type that JSON lacks: {type(value).__name__}")


def _number(value: float | Decimal, name: str) -> int | Decimal:
    """DynamoDB knows decimals, not floats; JSON's NaN and Infinity are neither."""
    exact = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
    if not exact.is_finite():
        raise ItemError(f"{name}: NaN and Infinity cannot be stored")
    if not exact:
        return 0
    if not _LEAST_EXPONENT <= exact.adjusted() <= _GREATEST_EXPONENT:
        raise ItemError(f"{name} {_OUT_OF_RANGE}")
    digits = len(exact.as_tuple().digits)
    if digits > _MAX_DIGITS:
        exact = exact.normalize(Context(prec=digits))
    try:
        DYNAMODB_CONTEXT.create_decimal(exact)
    except DecimalException:
        raise ItemError(f"{name} has more digits than DynamoDB's {_MAX_DIGITS}") from None
    return value if isinstance(value, int) and digits <= _MAX_DIGITS else exact


def _bytes_in(text: str, name: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise ItemError(f"{name} holds half of a surrogate pair, which is no character") from None


def _checked_name(name: Any, where: str) -> str:
    """An attribute's name as a message can show it."""
    if not isinstance(name, str):
        raise ItemError(f"{where} has an attribute whose name is no string")
    if not 1 <= _bytes_in(name, f"the name of an attribute in {where}") <= _MAX_NAME_BYTES:
        raise ItemError(f"{where} has an attribute whose name is empty or above 64 KB")
    return name if _PLAIN_NAME.fullmatch(name) else json.dumps(name[:40])


def _size(value: Any) -> int:
    """Bytes as DynamoDB counts them: its developer guide, "DynamoDB item sizes and formats"."""
    match value:
        case None | bool():
            return 1
        case str():
            return len(value.encode())
        case list():
            return 3 + sum(1 + _size(one) for one in value)
        case dict():
            return 3 + sum(1 + len(name.encode()) + _size(one) for name, one in value.items())
    sign, digits, _ = Decimal(value).as_tuple()
    significant = len("".join(map(str, digits)).rstrip("0"))
    return 1 + (significant + 1) // 2 + sign
