"""Every environment variable the function reads: read once, validated, frozen.

A bad value fails init with the variable's name and the value given; the value of anything that
could be a secret is never shown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from lambdas.sse_streaming.errors import SettingsError
from lambdas.sse_streaming.tracing.settings import TracingSettings, exec_wrapper_problem

_TABLE_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}")  # DynamoDB naming rules, AWS developer guide
_SECRET_SUFFIXES = ("_KEY", "_SECRET", "_TOKEN", "_PASSWORD")
_CREDENTIALS = re.compile(r"[@?#]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
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
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Read and check everything.

        Raises SettingsError naming the first variable that is missing or wrong.
        """
        read = _Reader(environ)
        if (problem := exec_wrapper_problem(environ)) is not None:
            raise SettingsError(problem)
        poll_seconds, poll_max_seconds = read.poll_intervals()
        overlap_seconds, replay_seconds = read.windows()
        return cls(
            items_table=read.table("SSE_ITEMS_TABLE"),
            items_index=read.table("SSE_ITEMS_INDEX", "by_sentiment"),
            connections_table=read.table("SSE_CONNECTIONS_TABLE"),
            configurations_table=read.optional_table("SSE_CONFIGURATIONS_TABLE"),
            id_key=read.secret_bytes("SSE_ID_KEY", 16, 64),
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
            metrics_namespace=read.namespace("SSE_METRICS_NAMESPACE", "SSEStreaming"),
            metrics_seconds=read.number("SSE_METRICS_SECONDS", 60, 0.1, 3600),
            trace_full_detail=read.choice("SSE_TRACE_DETAIL", ("budget", "full")) == "full",
            trace_span_budget=read.whole("SSE_TRACE_SPAN_BUDGET", 120, 0, 10_000),
            trace_slow_ms=read.number("SSE_TRACE_SLOW_MS", 500, 0, 3_600_000),
            trace_route=read.choice("SSE_TRACE_ROUTE", ("off", "on")) == "on",
            flush_seconds=read.number("SSE_FLUSH_SECONDS", 1.5, 0.05, 60),
            auth=read.auth(),
            service_name=read.service_name(),
            otlp_endpoint=read.url("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318"),
            otel_disabled=environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true",
        )


class _Reader:
    """Reads single variables; an unset one and an empty one are the same."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def _raw(self, name: str) -> str | None:
        return self._environ.get(name, "").strip() or None

    def _bad(self, name: str, wanted: str) -> SettingsError:
        value = self._raw(name) or ""
        may_hold_credentials = name.endswith("_ENDPOINT") and _CREDENTIALS.search(value)
        is_secret = name.endswith(_SECRET_SUFFIXES) or may_hold_credentials
        shown = "(hidden)" if is_secret else repr(value[:200])
        return SettingsError(f"{name}={shown} is not valid: {wanted}")

    def text(self, name: str, default: str | None = None) -> str:
        value = self._raw(name) or default
        if value is None:
            raise SettingsError(f"{name} is not set: the function cannot start without it")
        return value

    def table(self, name: str, default: str | None = None) -> str:
        value = self.text(name, default)
        if not _TABLE_NAME.fullmatch(value):
            raise self._bad(name, "3 to 255 of letters, digits, dot, dash, underscore")
        return value

    def optional_table(self, name: str) -> str | None:
        return None if self._raw(name) is None else self.table(name)

    def number(self, name: str, default: float, low: float, high: float) -> float:
        raw = self._raw(name)
        if raw is None:
            return default
        value = float(raw) if _NUMBER.fullmatch(raw) else math.nan
        if not low <= value <= high:
            raise self._bad(name, f"a number from {low:g} to {high:g}")
        return value

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        value = self.number(name, default, low, high)
        if value != int(value):
            raise self._bad(name, f"a whole number from {low} to {high}")
        return int(value)

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name, allowed[0]).lower()
        if value not in allowed:
            raise self._bad(name, "one of " + ", ".join(allowed))
        return value

    def secret_bytes(self, name: str, low: int, high: int) -> bytes | None:
        raw = self._raw(name)
        if raw is None:
            return None
        value = raw.encode()
        if not low <= len(value) <= high:
            raise self._bad(name, f"{low} to {high} bytes of UTF-8, given {len(value)}")
        return value

    def url(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if not _is_base_url(value):
            raise self._bad(name, "http://HOST:PORT, without credentials or query")
        return value.rstrip("/")

    def namespace(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if not _NAMESPACE.fullmatch(value) or value.startswith("AWS/"):
            raise self._bad(
                name, "1 to 255 of letters, digits, . - _ / # and :, not beginning with : or AWS/"
            )
        return value

    def poll_intervals(self) -> tuple[float, float]:
        """The shortest and the longest; a default makes way for the other one that is set."""
        shortest = self.number("SSE_POLL_SECONDS", 1, 0.05, 60)
        longest = self.number("SSE_POLL_MAX_SECONDS", max(5, shortest), 0.05, 300)
        if self._raw("SSE_POLL_SECONDS") is None:
            shortest = min(shortest, longest)
        if longest < shortest:
            raise SettingsError(
                f"SSE_POLL_MAX_SECONDS={longest:g} is below SSE_POLL_SECONDS={shortest:g}: an idle"
                " stream polls less often, never more often"
            )
        return shortest, longest

    def windows(self) -> tuple[float, float]:
        """Overlap and replay; the default overlap makes way for a short replay that is set."""
        replay = self.number("SSE_REPLAY_SECONDS", 3600, 1, 7 * 86400)
        overlap = self.number("SSE_OVERLAP_SECONDS", min(10, replay / 2), 0.1, 300)
        if replay <= overlap:
            raise SettingsError(
                f"SSE_REPLAY_SECONDS={replay:g} is not above SSE_OVERLAP_SECONDS={overlap:g}: every"
                " id would be expired when it is minted"
            )
        return overlap, replay

    def auth(self) -> str:
        if (self._raw("SSE_AUTH") or "").lower() == "jwt":
            raise self._bad("SSE_AUTH", "jwt is not built yet; use none or iam")
        return self.choice("SSE_AUTH", _AUTH_MODES)

    def service_name(self) -> str:
        """Both phases must show as one service, or X-Ray draws two nodes for one function."""
        powertools = self.text("POWERTOOLS_SERVICE_NAME")
        otel = self.text("OTEL_SERVICE_NAME")
        if powertools != otel:
            raise SettingsError(
                f"OTEL_SERVICE_NAME={otel!r} differs from POWERTOOLS_SERVICE_NAME={powertools!r}:"
                " set both to the same name, or X-Ray shows one function as two services"
            )
        return powertools


def _is_base_url(text: str) -> bool:
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#@]*)?", text):
        return False
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False  # half of an IPv6 address, or a port beyond 65535
