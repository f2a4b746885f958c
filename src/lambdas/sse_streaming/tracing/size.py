"""How large the X-Ray document of a span will be, told before the span exists.

The collector's exporter writes the document, so this follows its form
(exporter/awsxrayexporter/internal/translator of
https://github.com/open-telemetry/opentelemetry-collector-contrib) and is held against documents
that it made.
"""

from __future__ import annotations

import json
import re

from lambdas.sse_streaming.tracing.drafts import SpanDraft
from lambdas.sse_streaming.tracing.operation import ExceptionRecord

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
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def estimated_bytes(draft: SpanDraft) -> int:
    """Size of the documents of a step and its requests, to within a few percent."""
    total = _FRAME_BYTES + _json_bytes(draft.attributes)
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
    total = _EXCEPTION_BYTES + _json_bytes(link.message) + _json_bytes(link.type)
    frames = _FRAME_OF_STACK.findall(link.stack)
    if frames:
        total += _STACK_BYTES
    for path, line, label in frames:
        total += _FRAME_OF_STACK_BYTES + _json_bytes(path) + len(line) + _json_bytes(label)
    return total


def _json_bytes(value: object) -> int:
    """As Go writes it: UTF-8, and six bytes for what HTML could mistake for its own."""
    text = _encode(value)
    escaped = text.count("<") + text.count(">") + text.count("&")
    return len(text.encode("utf-8", "replace")) + 5 * escaped
