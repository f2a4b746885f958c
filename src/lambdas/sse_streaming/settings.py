"""Every environment variable the function reads: read once, validated, frozen.

A bad value fails init with the variable's name and the value given; the value of anything that
could be a secret is never shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from lambda_streaming.environ import EnvironReader, SettingsError, unknown_names
from lambda_streaming.tracing.settings import TracingSettings, exec_wrapper_problem

_TABLE_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}")  # DynamoDB naming rules, AWS developer guide
# docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
_NAMESPACE = re.compile(r"[A-Za-z0-9._/#-][A-Za-z0-9._/#:-]{0,254}")
_AUTH_MODES = ("none", "iam")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a deployment can set. Durations are in seconds unless the name says otherwise."""

    items_table: str
    items_index: str
    connections_table: str
    configurations_table: str | None
    id_key: bytes | None = field(repr=False)
    id_key_previous: bytes | None = field(repr=False)
    poll_seconds: float
    poll_max_seconds: float
    overlap_seconds: float
    replay_seconds: float
    heartbeat_seconds: float
    retry_ms: int
    max_stream_seconds: float
    deadline_margin_seconds: float
    max_connections: int
    lease_seconds: float
    max_stream_bytes: int
    stall_seconds: float
    aws_timeout_seconds: float
    metrics_namespace: str
    metrics_seconds: float
    trace_full_detail: bool
    trace_span_budget: int
    trace_slow_ms: float
    trace_route: bool
    flush_seconds: float
    auth: str
    service_name: str
    otlp_endpoint: str
    otel_disabled: bool

    @property
    def overlap_ms(self) -> int:
        return round(self.overlap_seconds * 1000)

    @property
    def replay_ms(self) -> int:
        return round(self.replay_seconds * 1000)

    @property
    def tracing(self) -> TracingSettings:
        return TracingSettings(
            service_name=self.service_name,
            otlp_endpoint=self.otlp_endpoint,
            is_disabled=self.otel_disabled,
            is_full_detail=self.trace_full_detail,
            span_budget=self.trace_span_budget,
            slow_ms=self.trace_slow_ms,
            flush_seconds=self.flush_seconds,
        )

    @classmethod
    def from_environ(
        cls, environ: Mapping[str, str], *, items_index: str = "by_sentiment"
    ) -> Settings:
        """Read and check everything. `items_index` is the default of SSE_ITEMS_INDEX.

        Raises SettingsError naming the first variable that is missing or wrong.
        """
        return cls.read(EnvironReader(environ), items_index)

    @classmethod
    def read(cls, read: EnvironReader, items_index: str = "by_sentiment") -> Settings:
        """The same from a reader. Raises SettingsError."""
        if (problem := exec_wrapper_problem(read)) is not None:
            raise SettingsError(problem)
        poll_seconds, poll_max_seconds = _poll_intervals(read)
        overlap_seconds, replay_seconds = _windows(read)
        return cls(
            items_table=_table(read, "SSE_ITEMS_TABLE"),
            items_index=_table(read, "SSE_ITEMS_INDEX", items_index),
            connections_table=_table(read, "SSE_CONNECTIONS_TABLE"),
            configurations_table=_optional_table(read, "SSE_CONFIGURATIONS_TABLE"),
            id_key=read.secret_bytes("SSE_ID_KEY", 16, 64),
            id_key_previous=_previous_id_key(read),
            poll_seconds=poll_seconds,
            poll_max_seconds=poll_max_seconds,
            overlap_seconds=overlap_seconds,
            replay_seconds=replay_seconds,
            heartbeat_seconds=read.number("SSE_HEARTBEAT_SECONDS", 15, 0.05, 300),
            retry_ms=round(read.number("SSE_RETRY_MS", 3000, 1, 3_600_000)),
            max_stream_seconds=read.number("SSE_MAX_STREAM_SECONDS", 300, 0.2, 900),
            deadline_margin_seconds=read.number("SSE_DEADLINE_MARGIN_SECONDS", 5, 0.2, 120),
            max_connections=read.whole("SSE_MAX_CONNECTIONS", 100, 1, 60_000),
            lease_seconds=read.number("SSE_LEASE_SECONDS", 30, 0.3, 900),
            max_stream_bytes=read.whole("SSE_MAX_STREAM_BYTES", 5_000_000, 1, 200_000_000),
            stall_seconds=read.number("SSE_STALL_SECONDS", 30, 0.1, 900),
            aws_timeout_seconds=read.number("SSE_AWS_TIMEOUT_SECONDS", 2, 0.05, 60),
            metrics_namespace=_namespace(read, "SSE_METRICS_NAMESPACE", "SSEStreaming"),
            metrics_seconds=read.number("SSE_METRICS_SECONDS", 60, 0.1, 3600),
            trace_full_detail=read.choice("SSE_TRACE_DETAIL", ("budget", "full")) == "full",
            trace_span_budget=read.whole("SSE_TRACE_SPAN_BUDGET", 120, 0, 10_000),
            trace_slow_ms=read.number("SSE_TRACE_SLOW_MS", 500, 0, 3_600_000),
            trace_route=read.choice("SSE_TRACE_ROUTE", ("off", "on")) == "on",
            flush_seconds=read.number("SSE_FLUSH_SECONDS", 1.5, 0.05, 60),
            auth=_auth(read),
            service_name=_service_name(read),
            otlp_endpoint=read.base_url("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318"),
            otel_disabled=read.flag("OTEL_SDK_DISABLED"),
        )


def unknown_settings(environ: Mapping[str, str]) -> list[tuple[str, str | None]]:
    """Each SSE_* variable that no setting is read from, and the setting most like it, if any."""
    return unknown_names(environ, "SSE_", Settings.read)


def _table(read: EnvironReader, name: str, default: str | None = None) -> str:
    value = read.text(name, default)
    if not _TABLE_NAME.fullmatch(value):
        raise read.invalid(name, "3 to 255 of letters, digits, dot, dash, underscore")
    return value


def _optional_table(read: EnvironReader, name: str) -> str | None:
    return None if read.optional(name) is None else _table(read, name)


def _namespace(read: EnvironReader, name: str, default: str) -> str:
    value = read.text(name, default)
    if not _NAMESPACE.fullmatch(value) or value.startswith("AWS/"):
        raise read.invalid(
            name, "1 to 255 of letters, digits, . - _ / # and :, not beginning with : or AWS/"
        )
    return value


def _poll_intervals(read: EnvironReader) -> tuple[float, float]:
    """SSE_POLL_MAX_SECONDS defaults to at least SSE_POLL_SECONDS, and that one to at most it."""
    shortest = read.number("SSE_POLL_SECONDS", 1, 0.05, 60)
    longest = read.number("SSE_POLL_MAX_SECONDS", max(5, shortest), 0.05, 300)
    if read.optional("SSE_POLL_SECONDS") is None:
        shortest = min(shortest, longest)
    if longest < shortest:
        raise SettingsError(
            f"SSE_POLL_MAX_SECONDS={longest:g} is below SSE_POLL_SECONDS={shortest:g}: an idle"
            " stream polls less often, never more often"
        )
    return shortest, longest


def _windows(read: EnvironReader) -> tuple[float, float]:
    """Overlap and replay. SSE_OVERLAP_SECONDS defaults to at most half of SSE_REPLAY_SECONDS."""
    replay = read.number("SSE_REPLAY_SECONDS", 3600, 1, 7 * 86400)
    overlap = read.number("SSE_OVERLAP_SECONDS", min(10, replay / 2), 0.1, 300)
    if replay <= overlap:
        raise SettingsError(
            f"SSE_REPLAY_SECONDS={replay:g} is not above SSE_OVERLAP_SECONDS={overlap:g}: every"
            " id would be expired when it is minted"
        )
    return overlap, replay


def _previous_id_key(read: EnvironReader) -> bytes | None:
    previous = read.secret_bytes("SSE_ID_KEY_PREVIOUS", 16, 64)
    if previous is not None and read.optional("SSE_ID_KEY") is None:
        raise SettingsError(
            "SSE_ID_KEY_PREVIOUS is set and SSE_ID_KEY is not: give the new key as SSE_ID_KEY, or"
            " the only one there"
        )
    return previous


def _auth(read: EnvironReader) -> str:
    if (read.optional("SSE_AUTH") or "").lower() == "jwt":
        raise read.invalid("SSE_AUTH", "jwt is not built yet; use none or iam")
    return read.choice("SSE_AUTH", _AUTH_MODES)


def _service_name(read: EnvironReader) -> str:
    """Both phases must show as one service, or X-Ray draws two nodes for one function."""
    powertools = read.text("POWERTOOLS_SERVICE_NAME")
    otel = read.text("OTEL_SERVICE_NAME")
    if powertools != otel:
        raise SettingsError(
            f"OTEL_SERVICE_NAME={otel!r} differs from POWERTOOLS_SERVICE_NAME={powertools!r}:"
            " set both to the same name, or X-Ray shows one function as two services"
        )
    return powertools
