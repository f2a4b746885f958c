"""How large the X-Ray document of a span will be, told before the span exists.

The collector's exporter writes the document, so this follows its form
(exporter/awsxrayexporter/internal/translator of
https://github.com/open-telemetry/opentelemetry-collector-contrib) and is held against documents
that it made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache

from lambda_streaming.tracing.drafts import SpanDraft
from lambda_streaming.tracing.failures import ExceptionRecord
from lambda_streaming.tracing.step import Scalar

_ID = "5000000000000001"
_TRACE_ID = "1-6afd86c0-000000000000000000000001"

_FRAME_BYTES = len(
    f'{{"name":"","id":"{_ID}","start_time":1795000000.001999,"trace_id":"{_TRACE_ID}",'
    '"end_time":1795000000.003999,"fault":false,"error":false,"throttle":false,'
    '"aws":{"xray":{"sdk":"opentelemetry for python","sdk_version":"1.45.2",'
    '"auto_instrumentation":false}},"metadata":{"default":},'
    f'"parent_id":"{_ID}","type":"subsegment"}}\n'
)
ACCOUNT_BYTES = len(',"account_id":"123456789012"')
_NAMESPACE_BYTES = len('"namespace":"aws",')
# Four attributes move to the `aws` block under shorter names.
_AWS_BLOCK_BYTES = -4 * len("aws.")
_STATUS_ATTRIBUTES_BYTES = len('"http.status_code":200,"http.response.status_code":200,')
_STATUS_BLOCK_BYTES = len('"http":{"request":{},"response":{"status":200,"content_length":0}},')
_CAUSE_BYTES = len('"cause":{"exceptions":[]},')
_EXCEPTION_BYTES = len(f'{{"id":"{_ID}","message":,"type":,"remote":false}},')
_STACK_BYTES = len(',"stack":[]')
_FRAME_OF_STACK_BYTES = len('{"path":,"line":,"label":},')
_ANNOTATIONS_BYTES = len('"annotations":{},')
_LINK_BYTES = len(f'"links":[{{"trace_id":"{_TRACE_ID}","id":"{_ID}"}}],')

_FRAME_OF_STACK = re.compile(r'^  File "([^,\n]*)", line (\d+), in ([^,\n]*)$', re.MULTILINE)


def estimated_bytes(draft: SpanDraft) -> int:
    """Size of the documents of a step and its requests, to within a few percent."""
    total = _FRAME_BYTES + _attributes_bytes(draft.attributes)
    if draft.service is None:
        total += len(draft.name)
    else:
        total += len(draft.service) + _NAMESPACE_BYTES + _AWS_BLOCK_BYTES
        if "http.status_code" in draft.attributes:
            total += _STATUS_BLOCK_BYTES - _STATUS_ATTRIBUTES_BYTES
    if draft.chain:
        total += _CAUSE_BYTES + sum(map(_exception_bytes, draft.chain))
    for request in draft.requests:
        total += estimated_bytes(request)
    return total


def estimated_root_bytes(draft: SpanDraft, *, has_link: bool) -> int:
    """The root's: some of its attributes become annotations, and it may have a link."""
    return estimated_bytes(draft) + _ANNOTATIONS_BYTES + (_LINK_BYTES if has_link else 0)


def _exception_bytes(link: ExceptionRecord) -> int:
    total = _EXCEPTION_BYTES + _text_bytes(link.message) + _text_bytes(link.type)
    frames = _FRAME_OF_STACK.findall(link.stack)
    if frames:
        total += _STACK_BYTES
    for path, line, label in frames:
        total += _FRAME_OF_STACK_BYTES + _text_bytes(path) + len(line) + _text_bytes(label)
    return total


def _attributes_bytes(attributes: Mapping[str, Scalar]) -> int:
    total = 1 + 2 * len(attributes)
    for name, value in attributes.items():
        size = _text_bytes(value) if isinstance(value, str) else len(repr(value))
        total += size + _text_bytes(name)
    return total


@lru_cache(maxsize=256)
def _text_bytes(text: str) -> int:
    """As Go writes it: UTF-8, and six bytes for what HTML or JavaScript could take for its own.

    Source: https://pkg.go.dev/encoding/json#Marshal. Control characters cost in Go what they cost
    in Python; U+FFFD may stand for bytes that are not UTF-8, which Go escapes.
    """
    written = json.dumps(text, ensure_ascii=False)
    total = len(written) + 5 * (written.count("<") + written.count(">") + written.count("&"))
    if not written.isascii():
        total += len(written.encode("utf-8", "replace")) - len(written)
        total += 3 * sum(map(written.count, "\u2028\u2029\ufffd"))
    return total
