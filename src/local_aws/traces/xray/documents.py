"""The X-Ray document that the `awsxray` exporter of the ADOT collector makes of one span.

Follows exporter/awsxrayexporter/internal/translator/{segment,cause,http,aws,sql,span_links}.go of
https://github.com/open-telemetry/opentelemetry-collector-contrib at v0.112, as far as a Python
function on Lambda can reach it: no EC2, ECS, EKS or Beanstalk blocks, no stack traces of other
languages, no SQL block, and no
`aws.span.kind`, which would split a span in two. The recorded pairs in
tests/data/xray-documents.jsonl pin it.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from local_aws.traces.xray import go_json
from local_aws.traces.xray.cause_block import split_cause
from local_aws.traces.xray.http_block import split_http
from local_aws.traces.xray.otel_attributes import Attributes, plain, text, whole, without_empty

Document = dict[str, Any]

ANNOTATIONS_ATTRIBUTE = "aws.xray.annotations"
_METADATA_PREFIX = "aws.xray.metadata."
_MAX_NAME_BYTES = 200
_NAME_PUNCTUATION = frozenset(" 0123456789_.:/%&#=+-@")
_KEY_REPLACED = re.compile(r"[^0-9A-Za-z.]")
_CALLING_KINDS = (Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_PRODUCER, Span.SPAN_KIND_CONSUMER)


def to_document(span: Span, resource: Resource) -> Document:
    """The document of one span, keys in the exporter's order; exceptions get new random ids."""
    found = plain(span.attributes)
    about = plain(resource.attributes)
    is_segment = span.kind == Span.SPAN_KIND_SERVER or not span.parent_span_id
    left, http = split_http(found, span)
    left, cause = split_cause(left, span, language=text(about, "telemetry.sdk.language"))
    left, aws = _split_aws(left, about)
    user = text(left, "enduser.id")
    left.pop("enduser.id", None)
    annotations, metadata = _sort_attributes(left, about if is_segment else {})
    version = text(about, "service.version") or text(about, "container.image.tag")
    error, fault, throttle = _flags(found, span)
    return without_empty(
        {
            "name": _name(span, found, about),
            "id": span.span_id.hex(),
            "start_time": _seconds(span.start_time_unix_nano),
            "service": {"version": version} if version else None,
            "user": user,
            "links": [_link(link) for link in span.links],
            "trace_id": xray_trace_id(span.trace_id.hex()),
            "end_time": _seconds(span.end_time_unix_nano),
            "http": http,
            "fault": fault,
            "error": error,
            "throttle": throttle,
            "cause": cause,
            "aws": aws,
            "annotations": annotations,
            "metadata": metadata,
            "namespace": _namespace(span, found),
            "parent_id": span.parent_span_id.hex(),
            "type": None if is_segment else "subsegment",
        }
    )


def document_bytes(document: Mapping[str, Any]) -> int:
    """Size of a document as the exporter hands it to X-Ray. Raises ValueError (NaN, infinity)."""
    return len(go_json.encode(document))


def xray_trace_id(trace_id: str) -> str:
    """`1-xxxxxxxx-…` from 32 hex digits; a trace id already in X-Ray's form stays as it is."""
    if trace_id.startswith("1-"):
        return trace_id
    return f"1-{trace_id[:8]}-{trace_id[8:]}"


def fixed_name(name: str) -> str:
    """A span's own name as X-Ray gets it: odd characters deleted, cut at 200 bytes."""
    kept = "".join(c for c in name if c in _NAME_PUNCTUATION or _is_letter(c)).encode()
    if len(kept) <= _MAX_NAME_BYTES:
        return kept.decode() or "span"
    return kept[:_MAX_NAME_BYTES].decode("utf-8", "replace")


def fixed_key(key: str) -> str:
    """An annotation's key as X-Ray gets it."""
    return _KEY_REPLACED.sub("_", key)


def _is_letter(char: str) -> bool:
    return unicodedata.category(char).startswith("L")


def _seconds(nanoseconds: int) -> float:
    # Both are rounded to a double first, as in timestampToFloatSeconds.
    return float(nanoseconds) / 1e9


def _link(link: Span.Link) -> dict[str, Any]:
    attributes = dict(sorted(plain(link.attributes).items()))
    return without_empty(
        {
            "trace_id": xray_trace_id(link.trace_id.hex()),
            "id": link.span_id.hex(),
            "attributes": attributes or None,
        }
    )


def _is_aws_sdk_call(found: Attributes) -> bool:
    return bool(found.get("rpc.system") == "aws-api")


def _name(span: Span, found: Attributes, about: Attributes) -> str:
    """The first attribute that names the callee; else the span's own name, cleaned."""
    names = []
    if span.kind == Span.SPAN_KIND_SERVER:
        names.append(text(found, "aws.local.service"))
    if span.kind in _CALLING_KINDS:
        remote = text(found, "aws.remote.service")
        if _is_aws_sdk_call(found):
            remote = remote.removeprefix("AWS.SDK.").removeprefix("AWS::")
        names.append(remote)
    names += [text(found, "peer.service"), text(found, "aws.service"), text(found, "db.name")]
    if span.kind == Span.SPAN_KIND_SERVER:
        names.append(text(about, "service.name"))
    names += [text(found, "rpc.service"), text(found, "http.host"), text(found, "net.peer.name")]
    return next(filter(None, names), "") or fixed_name(span.name)


def _namespace(span: Span, found: Attributes) -> str:
    if _is_aws_sdk_call(found):
        return "aws"
    named_by_service = not text(found, "peer.service") and not (
        span.kind in _CALLING_KINDS and text(found, "aws.remote.service")
    )
    if named_by_service and "aws.service" in found:
        return "aws"
    return "remote" if span.kind == Span.SPAN_KIND_CLIENT else ""


def _flags(found: Attributes, span: Span) -> tuple[bool, bool, bool]:
    """(error, fault, throttle). Only the old key counts up to v0.117; newer releases read both."""
    code = whole(found.get("http.status_code"))
    if 400 <= code <= 499:
        return True, False, code == 429
    if 500 <= code <= 599:
        return False, True, False
    return False, span.status.code == Status.STATUS_CODE_ERROR, False


_AWS_KEYS = {
    "aws.region": "region",
    "aws.request_id": "request_id",
    "aws.requestId": "request_id",
    "aws.queue_url": "queue_url",
    "aws.queue.url": "queue_url",
    "aws.table_name": "table_name",
    "aws.table.name": "table_name",
}


def _split_aws(found: Attributes, about: Attributes) -> tuple[Attributes, Document | None]:
    taken = {"rpc.method", "aws.operation", "aws.account_id", *_AWS_KEYS}
    left = {k: v for k, v in found.items() if k not in taken}
    if text(about, "cloud.provider") not in ("", "aws"):
        return left, None
    aws: Document = {_AWS_KEYS[k]: text(found, k) for k in found if k in _AWS_KEYS}
    if "messaging.url" in found:
        aws["queue_url"] = text(found, "messaging.url")
    tables = found.get("aws.dynamodb.table_names")
    if isinstance(tables, list) and len(tables) == 1:
        aws["table_name"] = tables[0]
    sdk, language = text(about, "telemetry.sdk.name"), text(about, "telemetry.sdk.language")
    xray = {
        "sdk": f"{sdk} for {language}" if sdk and language else sdk,
        "sdk_version": text(about, "telemetry.sdk.version"),
        "auto_instrumentation": bool(text(about, "telemetry.auto.version")),
    }
    operation = "aws.operation" if "aws.operation" in found else "rpc.method"
    return left, without_empty(
        {
            "xray": without_empty(xray),
            "account_id": text(found, "aws.account_id") or text(about, "cloud.account.id"),
            "operation": text(found, operation),
            "region": aws.get("region"),
            "request_id": aws.get("request_id"),
            "queue_url": aws.get("queue_url"),
            "table_name": aws.get("table_name"),
            "table_names": tables if isinstance(tables, list) and len(tables) > 1 else None,
        }
    )


def _sort_attributes(
    left: Attributes, resource: Attributes
) -> tuple[Attributes | None, Attributes | None]:
    """The annotations that the span names, and the metadata of all other attributes.

    A list that is named as an annotation is in neither.
    """
    listed = left.get(ANNOTATIONS_ATTRIBUTE)
    indexed: set[str] = set()
    if isinstance(listed, list):
        indexed = {k for k in listed if isinstance(k, str)}
        left = {k: v for k, v in left.items() if k != ANNOTATIONS_ATTRIBUTE}
    annotations: Attributes = {}
    default: Attributes = {}
    metadata: Attributes = {}
    for key, value in {f"otel.resource.{k}": v for k, v in resource.items()}.items():
        if key in indexed and isinstance(value, str | int | float):
            annotations[fixed_key(key)] = value
        elif value is not None:
            default[key] = value
    for key, value in left.items():
        if key in indexed:
            if isinstance(value, str | int | float):
                annotations[fixed_key(key)] = value
        elif key.startswith(_METADATA_PREFIX) and isinstance(value, str):
            namespace = key.removeprefix(_METADATA_PREFIX)
            parsed = _json_object(value)
            if parsed is None:
                default[key] = value
            elif namespace.lower() == "default":
                default.update(parsed)
            else:
                metadata[namespace] = parsed
        elif value is not None:
            default[key] = value
    if default:
        metadata["default"] = dict(sorted(default.items()))
    return dict(sorted(annotations.items())) or None, dict(sorted(metadata.items())) or None


def _json_object(source: str) -> dict[str, Any] | None:
    try:
        value = json.loads(source)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
