"""Where the X-Ray SDK finds the current segment and subsegment.

The SDK's own context for Lambda keeps them per thread and reads the trace header from the process
environment (aws_xray_sdk/core/lambda_launcher.py, 2.15.0). So tasks of one thread would share one
stack of subsegments, and invocations that run at the same time would share one trace.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from aws_xray_sdk import global_sdk_config
from aws_xray_sdk.core.exceptions.exceptions import AlreadyEndedException
from aws_xray_sdk.core.lambda_launcher import LambdaContext
from aws_xray_sdk.core.models.dummy_entities import DummySegment
from aws_xray_sdk.core.models.facade_segment import FacadeSegment
from aws_xray_sdk.core.models.trace_header import TraceHeader as SdkTraceHeader

from lambda_streaming.tracing.invocations import Invocations, RunningInvocation


@dataclass(frozen=True, slots=True)
class _Entities:
    """The segment of one invocation and the subsegments around one piece of code, outermost
    first. Never changed in place, because tasks and threads get a copy of the context."""

    invocation: RunningInvocation | None
    segment: Any
    subsegments: tuple[Any, ...] = ()


class XRayContext(LambdaContext):  # type: ignore[misc]  # the SDK has no types
    """Keeps entities per task, and per thread that copies a context. Give it to
    `xray_recorder.configure(context=…)`."""

    def __init__(self, invocations: Invocations) -> None:
        super().__init__()
        self._invocations = invocations
        self._entities: ContextVar[_Entities | None] = ContextVar("xray_entities", default=None)

    def put_subsegment(self, subsegment: Any) -> None:
        entities = self._current()
        if isinstance(entities.segment, DummySegment):
            return  # without an invocation, or with one whose header has no usable parent
        try:
            self._innermost(entities).add_subsegment(subsegment)
        except AlreadyEndedException:  # by another thread, a moment ago
            entities = self._current()
            self._innermost(entities).add_subsegment(subsegment)
        self._set(entities, (*entities.subsegments, subsegment))

    def end_subsegment(self, end_time: float | None = None) -> bool:
        entities = self._current()
        if not entities.subsegments:
            return False
        entities.subsegments[-1].close(end_time)
        self._set(entities, entities.subsegments[:-1])
        return True

    def get_trace_entity(self) -> Any:
        return self._innermost(self._current())

    def set_trace_entity(self, trace_entity: Any) -> None:
        is_subsegment = self._is_subsegment(trace_entity)
        segment = trace_entity.parent_segment if is_subsegment else trace_entity
        subsegments = (trace_entity,) if is_subsegment else ()
        self._entities.set(_Entities(self._invocations.current(), segment, subsegments))

    def clear_trace_entities(self) -> None:
        self._entities.set(None)

    def _current(self) -> _Entities:
        """Without subsegments that have ended meanwhile: a task may outlive the subsegment that
        it was started in."""
        invocation = self._invocations.current()
        entities = self._entities.get()
        if entities is None or entities.invocation is not invocation:
            entities = _Entities(invocation, _segment(invocation))
            self._entities.set(entities)
        if all(one.in_progress for one in entities.subsegments):
            return entities
        return self._set(entities, tuple(one for one in entities.subsegments if one.in_progress))

    @staticmethod
    def _innermost(entities: _Entities) -> Any:
        return entities.subsegments[-1] if entities.subsegments else entities.segment

    def _set(self, entities: _Entities, subsegments: tuple[Any, ...]) -> _Entities:
        changed = _Entities(entities.invocation, entities.segment, subsegments)
        self._entities.set(changed)
        return changed


def _segment(invocation: RunningInvocation | None) -> Any:
    """Stands for the segment that Lambda makes of the invocation."""
    normalised = None if invocation is None else invocation.header.normalised()
    header = SdkTraceHeader.from_header_str(normalised)
    if invocation is None or invocation.header.trace_id is None or header.parent is None:
        segment = DummySegment()
    else:
        segment = FacadeSegment(
            name="facade",
            traceid=header.root,
            entityid=header.parent,
            sampled=invocation.header.records and global_sdk_config.sdk_enabled(),
        )
    segment.save_origin_trace_header(header)
    return segment
