"""The handler phase: `## handler` below Lambda's segment, for sync and async handlers.

Powertools' `capture_lambda_handler` makes the same subsegment, but of a synchronous handler only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from lambda_streaming.tracing.invocations import Invocations

SUBSEGMENT = "## handler"
SWITCH = "POWERTOOLS_TRACE_DISABLED"
_YES = frozenset({"1", "y", "yes", "t", "true", "on"})
"""What Powertools takes for yes (aws_lambda_powertools/shared/functions.py, strtobool, 3.37.0)."""


def is_switched_off(environ: Mapping[str, str]) -> bool:
    return environ.get(SWITCH, "").lower() in _YES


class Recorder(Protocol):
    """The part of aws_xray_sdk's recorder that the handler phase needs."""

    def in_subsegment(self, name: str) -> Any: ...
    def current_subsegment(self) -> Any: ...


class HandlerPhase:
    """Records handlers with the annotations of Powertools: ColdStart once per environment, and
    Service. An exception is the subsegment's cause; answers and events are not recorded."""

    def __init__(
        self,
        recorder: Recorder,
        service_name: str,
        invocations: Invocations,
        environ: Mapping[str, str],
    ) -> None:
        self._recorder = recorder
        self._service_name = service_name
        self._invocations = invocations
        # Provisioned concurrency initialises before there is a request: nobody waited for it.
        kind = environ.get("AWS_LAMBDA_INITIALIZATION_TYPE", "")
        self._has_cold_starts = kind != "provisioned-concurrency"

    @contextmanager
    def recorded(self) -> Iterator[str | None]:
        """Gives the subsegment's id, None where nothing is recorded. May surround an `await`."""
        with self._recorder.in_subsegment(SUBSEGMENT) as subsegment:
            is_cold_start = self._has_cold_starts and self._invocations.is_first()
            if subsegment is not None:
                subsegment.put_annotation("ColdStart", is_cold_start)
                subsegment.put_annotation("Service", self._service_name)
            yield subsegment_id(subsegment)


def subsegment_id(subsegment: Any) -> str | None:
    """None where nothing is recorded: an unsampled subsegment has an id of zeros."""
    return subsegment.id if getattr(subsegment, "sampled", False) else None
