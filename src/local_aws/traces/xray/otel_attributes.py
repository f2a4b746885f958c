"""OTLP attributes as plain Python values, read as leniently as by the collector."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

Attributes = dict[str, Any]


def plain_value(value: AnyValue) -> Any:
    match value.WhichOneof("value"):
        case "array_value":
            return [plain_value(v) for v in value.array_value.values]
        case "kvlist_value":
            return dict(sorted(plain(value.kvlist_value.values).items()))
        case None:
            return None
        case kind:
            return getattr(value, kind)


def plain(attributes: Iterable[KeyValue]) -> Attributes:
    return {a.key: plain_value(a.value) for a in attributes}


def text(attributes: Mapping[str, Any], key: str) -> str:
    value = attributes.get(key)
    return value if isinstance(value, str) else ""


def whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    """Drops what Go's `omitempty` drops; `{}` stays, since an empty struct is not empty to Go."""
    return {k: v for k, v in values.items() if v is not None and v not in ("", [])}
