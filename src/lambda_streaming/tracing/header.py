"""One reading of the trace header for both phases, so that they always agree. Pure.

Lambda passes `Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;Sampled=<0|1>` plus extra pairs such as
Lineage (its loop detector), Self, and possibly others. The X-Ray SDK and OpenTelemetry's
X-Ray propagator each fail on other malformed forms, and a propagator that finds no valid parent
starts a trace of its own. So the header is parsed here once, and both get the normalised form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lambda_streaming.requests import Request

_ROOT = re.compile(r"1-([0-9a-fA-F]{8})-([0-9a-fA-F]{24})")
_PARENT = re.compile(r"[0-9a-fA-F]{16}")
_ROOT_SLACK_SECONDS = 300
_ZERO_TRACE_ID = "0" * 32
_ZERO_SPAN_ID = "0" * 16


@dataclass(frozen=True, slots=True)
class TraceHeader:
    """`trace_id` has 32 and `parent_id` 16 lower-case hex digits, None where not well-formed.

    Only a header with a well-formed root and parent and exactly `Sampled=1` records.
    """

    trace_id: str | None = None
    parent_id: str | None = None
    sampled: bool = False
    extras: tuple[tuple[str, str], ...] = ()

    @property
    def records(self) -> bool:
        return self.sampled and self.trace_id is not None and self.parent_id is not None

    @property
    def root(self) -> str | None:
        """The trace id as X-Ray writes it."""
        return None if self.trace_id is None else xray_trace_id(self.trace_id)

    def normalised(self) -> str | None:
        """What both tracers may see: a form that both accept, None if nothing is left of it.

        The X-Ray SDK warns on every call about a header without a decision, so one that does not
        record says Sampled=0. Without a root the extra pairs stand alone: both tracers pass over
        them, and botocore hands them on.
        """
        if self.root is None:
            return ";".join(f"{name}={value}" for name, value in self.extras) or None
        pairs = [("Root", self.root)]
        if self.parent_id is not None:
            pairs.append(("Parent", self.parent_id))
        pairs.append(("Sampled", "1" if self.records else "0"))
        return ";".join(f"{name}={value}" for name, value in (*pairs, *self.extras))


def parse_trace_header(header: str | None) -> TraceHeader:
    """Read a header in any order, with blanks and empty pairs, keeping extra pairs.

    Extra pairs whose value holds `=` are dropped: OpenTelemetry's X-Ray propagator refuses the
    whole header over one. Never raises; what is not well-formed is None in the result.
    """
    trace_id: str | None = None
    parent_id: str | None = None
    sampled = False
    extras: list[tuple[str, str]] = []
    for pair in (header or "").split(";"):
        name, separator, value = (part.strip() for part in pair.partition("="))
        if name == "Root":
            match = _ROOT.fullmatch(value)
            joined = "".join(match.groups()).lower() if match else _ZERO_TRACE_ID
            trace_id = None if joined == _ZERO_TRACE_ID else joined
        elif name == "Parent":
            given = value.lower() if _PARENT.fullmatch(value) else _ZERO_SPAN_ID
            parent_id = None if given == _ZERO_SPAN_ID else given
        elif name == "Sampled":
            sampled = value == "1"
        elif name and separator and "=" not in value:
            extras.append((name, value))
    return TraceHeader(trace_id, parent_id, sampled, tuple(extras))


def is_from_client(request_header: str | None, received_ms: int | None) -> bool:
    """Whether a request's own X-Amzn-Trace-Id shows that its client wrote it. Lambda continues such
    a header: it chooses the trace, and whether it is recorded.

    Front doors write a root of the moment, some with a `Self`, and nothing else
    (https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html); a client's has a parent or
    a decision, or a root of another time than that at which the front door received the request. A
    client that writes a fresh root alone is not told from a front door.
    """
    if request_header and ("Parent=" in request_header or "Sampled=" in request_header):
        return True
    trace_id = parse_trace_header(request_header).trace_id
    if trace_id is None or received_ms is None:
        return False
    return abs(int(trace_id[:8], 16) - received_ms / 1000) > _ROOT_SLACK_SECONDS


def client_chose_trace(request: Request) -> bool:
    """`is_from_client` of the request's own header."""
    return is_from_client(request.headers.get("x-amzn-trace-id"), request.received_ms)


def is_root(text: str) -> bool:
    """Whether it is a trace id as X-Ray writes it."""
    return _ROOT.fullmatch(text) is not None


def xray_trace_id(trace_id: str) -> str:
    """32 hex digits -> `1-<8>-<24>`."""
    return f"1-{trace_id[:8]}-{trace_id[8:]}"


def hex_trace_id(xray_form: str) -> str:
    """`1-<8>-<24>` -> 32 hex digits."""
    return xray_form[2:].replace("-", "")
