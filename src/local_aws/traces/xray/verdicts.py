"""A document that is sent to X-Ray, and a verdict on it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Severity(enum.Enum):
    LOST = "lost"  # X-Ray or the exporter drops it
    ALTERED = "altered"  # it arrives, but changed
    MISLEADING = "misleading"  # it arrives and says something wrong
    NOTE = "note"  # true so far; worth knowing


@dataclass(frozen=True, slots=True)
class Verdict:
    severity: Severity
    rule: str
    what: str
    why: str
    source: str
    span_id: str | None = None
    span_name: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "severity": self.severity.value,
            "rule": self.rule,
            "what": self.what,
            "why": self.why,
            "source": self.source,
            "span_id": self.span_id,
            "span_name": self.span_name,
        }


@dataclass(frozen=True, slots=True)
class Evidence:
    """One document for X-Ray, and the span it was made of; None if the X-Ray SDK sent it.

    `size_bytes` is None where it could not be encoded; `received_at` in epoch seconds.
    """

    document: Mapping[str, Any]
    size_bytes: int | None
    received_at: float
    span: Span | None = None

    @property
    def id(self) -> str:
        return str(self.document.get("id", ""))

    @property
    def name(self) -> str:
        return self.span.name if self.span is not None else str(self.document.get("name", ""))

    def verdict(
        self, severity: Severity, rule: str, what: str, *, why: str, source: str
    ) -> Verdict:
        return Verdict(severity, rule, what, why, source, self.id, self.name)
