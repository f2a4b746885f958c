"""Who records an AWS request: X-Ray in the handler phase, OpenTelemetry in the streaming phase.

Powertools patches botocore for the whole process, so without a gate every request of the
streaming phase would be recorded twice. The gate is one context variable that surrounds each
streaming-phase operation *in the thread that runs it*: whether a span happens to record says
nothing, since rolled-up operations and the kill switch record none, and thread pools do not copy
contexts. Every patch of the X-Ray SDK that matters here funnels through the recorder's
`record_subsegment` (aws_xray_sdk/ext/botocore/patch.py, ext/requests/patch.py, 2.15.0).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from lambdas.sse_streaming.tracing.aws_errors import CONDITION_FAILED, is_throttle

if TYPE_CHECKING:
    from lambdas.sse_streaming.tracing.operation import Operation

_streaming_operation: ContextVar[Operation | None] = ContextVar("streaming_operation", default=None)

_GATE_MARK = "_sse_streaming_gate"


class Recorder(Protocol):
    """The part of aws_xray_sdk's recorder that its patches call."""

    record_subsegment: Callable[..., Any]
    record_subsegment_async: Callable[..., Any]

    def clear_trace_entities(self) -> None: ...
    def current_subsegment(self) -> Any: ...


class EventEmitter(Protocol):
    """botocore's client.meta.events."""

    def register(self, event_name: str, handler: Callable[..., None]) -> None: ...


@contextmanager
def streaming_requests(operation: Operation) -> Iterator[None]:
    """AWS requests made inside, in this thread, belong to `operation` and not to X-Ray's SDK."""
    token = _streaming_operation.set(operation)
    try:
        yield
    finally:
        _streaming_operation.reset(token)


def current_operation() -> Operation | None:
    """The operation of the streaming phase that this thread is inside of."""
    return _streaming_operation.get()


def in_streaming_phase() -> bool:
    """Whether this thread is inside an operation of the streaming phase."""
    return current_operation() is not None


def install_gate(recorder: Recorder) -> None:
    """Make the X-Ray recorder step aside inside streaming-phase operations. Idempotent."""
    if getattr(recorder, _GATE_MARK, False):
        return
    record, record_async = recorder.record_subsegment, recorder.record_subsegment_async

    def gated(wrapped: Any, instance: Any, args: Any, kwargs: Any, *rest: Any, **named: Any) -> Any:
        if in_streaming_phase():
            return wrapped(*args, **kwargs)
        return record(wrapped, instance, args, kwargs, *rest, **_judging(named))

    async def gated_async(
        wrapped: Any, instance: Any, args: Any, kwargs: Any, *rest: Any, **named: Any
    ) -> Any:
        if in_streaming_phase():
            return await wrapped(*args, **kwargs)
        return await record_async(wrapped, instance, args, kwargs, *rest, **_judging(named))

    recorder.record_subsegment = gated
    recorder.record_subsegment_async = gated_async
    setattr(recorder, _GATE_MARK, True)


def _judging(named: dict[str, Any]) -> dict[str, Any]:
    """The recorder's arguments, with its describer of AWS requests corrected.

    The SDK's makes a fault of each ClientError, expected refusals too, and takes no notice of a
    request without an answer (aws_xray_sdk/ext/boto_utils.py, _aws_error_handler, 2.15.0).
    """
    describe = named.get("meta_processor")
    if named.get("namespace") != "aws" or not callable(describe):
        return named

    def describe_rightly(*, exception: Any, subsegment: Any, **more: Any) -> None:
        response = getattr(exception, "response", None)
        if not isinstance(response, Mapping):
            describe(exception=exception, subsegment=subsegment, **more)
            if exception is not None:
                subsegment.add_exception(exception, more.get("stack"), True)
            return
        code = str(response.get("Error", {}).get("Code", ""))
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0
        if code == CONDITION_FAILED:
            answered: Any = {**more, "return_value": response}
            describe(exception=None, subsegment=subsegment, **answered)
            subsegment.error = False
            subsegment.http = {}  # its 400 would be read as an error
            return
        describe(exception=exception, subsegment=subsegment, **more)
        if 400 <= status < 500:
            subsegment.fault, subsegment.error = False, True
            subsegment.throttle = is_throttle(code, status)

    return {**named, "meta_processor": describe_rightly}


def observe_requests(
    events: EventEmitter, service: str, region: str, now_ns: Callable[[], int]
) -> None:
    """Report each request of a botocore client to the operation around it, if there is one.

    Hooks on the client see paginators and calls from any thread alike. `service` is the name
    that the X-Ray SDK gives the same service, so that both phases land on one node.
    """

    def begin(model: Any, params: Any, context: dict[str, Any], **_: Any) -> None:
        if in_streaming_phase():
            context["sse_streaming_started_ns"] = now_ns()

    def answered(
        http_response: Any, parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: Any
    ) -> None:
        finish(context, model.name, http_response.status_code, parsed, None)

    def failed(exception: Exception, context: dict[str, Any], event_name: str, **_: Any) -> None:
        finish(context, event_name.rpartition(".")[2], None, {}, exception)

    def finish(
        context: dict[str, Any],
        operation_name: str,
        status: int | None,
        parsed: dict[str, Any],
        error: Exception | None,
    ) -> None:
        operation = current_operation()
        started_ns = context.pop("sse_streaming_started_ns", None)
        if operation is None or started_ns is None:
            return
        metadata = parsed.get("ResponseMetadata", {})
        operation.add_request(
            service=service,
            region=region,
            name=operation_name,
            started_ns=started_ns,
            ended_ns=now_ns(),
            status=status,
            request_id=metadata.get("RequestId"),
            table=context.get("sse_streaming_table"),
            error_code=parsed.get("Error", {}).get("Code"),
            error_message=parsed.get("Error", {}).get("Message"),
            error=error,
        )

    def name_table(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        if isinstance(table := params.get("TableName"), str):
            context["sse_streaming_table"] = table

    events.register("before-parameter-build", name_table)
    events.register("before-call", begin)
    events.register("after-call", answered)
    events.register("after-call-error", failed)
