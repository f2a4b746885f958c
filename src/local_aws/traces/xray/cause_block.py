"""The `cause` block of an X-Ray document; see cause.go of the exporter."""

from __future__ import annotations

import re
import secrets
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from local_aws.traces.xray.otel_attributes import Attributes, plain, text

Document = dict[str, Any]

_REMOTE_KINDS = (Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_PRODUCER)
_STACK_FRAME = re.compile(r'  File "(?P<path>[^,]*)", line (?P<line>\d+), in (?P<label>[^,]*)')
_CHAINED = "During handling of the above exception, another exception occurred:"


def split_cause(
    found: Attributes, span: Span, *, language: str
) -> tuple[Attributes, Document | None]:
    """The attributes that are left for the other blocks, and the `cause` block."""
    events = [e for e in span.events if e.name == "exception"]
    if events:
        remote = span.kind in _REMOTE_KINDS
        exceptions: list[Document] = []
        for event in events:
            exceptions += _exceptions(plain(event.attributes), remote=remote, language=language)
        return found, {"exceptions": exceptions}
    if span.status.code != Status.STATUS_CODE_ERROR:
        return found, None
    message = span.status.message or text(found, "http.status_text")
    left = {k: v for k, v in found.items() if k != "http.status_text"}
    if not message:
        return left, None
    return left, {"exceptions": [{"id": secrets.token_hex(8), "message": message, "type": ""}]}


def _exceptions(event: Attributes, *, remote: bool, language: str) -> list[Document]:
    """One exception, and one for each of the chain that Python joins by "During handling of".

    `raise … from …` is joined by other words, which the exporter does not know: its frames run
    into the outer exception's and its own type and message are gone.
    """
    current: Document = {
        "id": secrets.token_hex(8),
        "message": text(event, "exception.message"),
        "type": text(event, "exception.type"),
        "remote": remote,
    }
    chain = [current]
    if language != "python":
        return chain
    lines = text(event, "exception.stacktrace").split("\n")[:-1]
    while lines:
        line = lines.pop()
        if frame := _STACK_FRAME.fullmatch(line):
            current.setdefault("stack", []).append(
                {"path": frame["path"], "line": int(frame["line"]), "label": frame["label"]}
            )
        elif line.startswith(_CHAINED):
            after_frame = [i for i, one in enumerate(lines) if one.startswith("  File ")]
            if not after_frame:
                break
            message = "\n".join(lines[after_frame[-1] + 2 : -1])
            kind, colon, said = message.partition(":")
            if not colon:
                break
            del lines[after_frame[-1] + 1 :]
            inner: Document = {
                "id": secrets.token_hex(8),
                "message": said[1:],
                "type": kind,
                "remote": remote,
            }
            current["cause"] = inner["id"]
            chain.append(inner)
            current = inner
    return chain
