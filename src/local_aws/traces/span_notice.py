"""A notice in the terminal: streams end and their spans do not arrive."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from local_aws.traces.store import TraceStore
from local_aws.traces.trace_header import Trace
from local_aws.traces.xray import limits
from local_aws.traces.xray.verdicts import Severity

# How the function's messages about exports begin (lambda_streaming/tracing/export/buffer.py).
_EXPORT_PREFIX = "the collector "


class SpanNotice:
    """Given once, and again only after spans have arrived in between."""

    def __init__(
        self,
        store: TraceStore,
        say: Callable[[str], None],
        *,
        configured: Mapping[str, str],
        passed_on: Mapping[str, str],
        collector_url: str,
    ) -> None:
        """`configured` are the function's settings, `passed_on` those of them that replace the
        stack's own values; `collector_url` is the stack's, which they may replace.
        """
        self._store = store
        self._say = say
        elsewhere = passed_on.get("OTEL_EXPORTER_OTLP_ENDPOINT")
        parts = urlsplit(elsewhere or collector_url)
        # Userinfo, path and query may hold secrets.
        self._collector = f"{parts.hostname}:{parts.port or 80}"
        if configured.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
            self._reason = "OTEL_SDK_DISABLED is true"
        elif elsewhere:
            self._reason = (
                f"the function sends its spans to {self._collector} (OTEL_EXPORTER_OTLP_ENDPOINT)"
            )
        else:
            self._reason = "LOCAL_LOG=1 shows what the function writes"
        self._has_said = False

    def answered(self, trace: Trace, log: Sequence[str]) -> None:
        """An invocation was answered; `log` is what its environment has written.

        The flush belongs to the invocation, so what has not come by now comes with the next flush
        of the environment or never.
        """
        if not trace.sampled:
            return
        root = trace.root
        records = self._store.records(root)
        verdicts = limits.missing_phase([record.evidence() for record in records])
        if any(verdict.severity is Severity.LOST for verdict in verdicts):
            if not self._has_said:
                self._say(self._text(root, _export_message(log)))
            self._has_said = True
        elif any(record.source == "otel" for record in records):
            self._has_said = False

    def _text(self, trace_id: str, problem: str | None) -> str:
        if problem is None:
            return f"Trace {trace_id} lacks the streaming phase: {self._reason}."
        return (
            f"Trace {trace_id} lacks the streaming phase: the collector at {self._collector} does"
            f" not take the function's spans. The function's log: {problem}."
        )


def _export_message(log: Sequence[str]) -> str | None:
    """The function's latest log message about an export; it logs one JSON object a line."""
    for line in reversed(log):
        if _EXPORT_PREFIX in line:
            try:
                message = json.loads(line)["message"]
            except (ValueError, TypeError, KeyError):
                continue
            if isinstance(message, str) and message.startswith(_EXPORT_PREFIX):
                return message
    return None
