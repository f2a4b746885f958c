"""One record per AWS request, whoever made the client.

Every botocore request of the process passes `BaseClient._make_api_call`, and one wrapper there
decides by the phase that the calling code belongs to (step.py):

- inside a step: the request is the step's, as a CLIENT span or a place in a roll-up;
- in the streaming phase without a step: a CLIENT span below the root, or a place in a roll-up;
- in the handler phase: one X-Ray subsegment.

The X-Ray SDK's own patches, which Powertools installs, go through the recorder's
`record_subsegment` (aws_xray_sdk/ext/*/patch.py, 2.15.0). A gate there passes calls of botocore
clients through unrecorded, since the wrapper records them, and everything in the streaming phase.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import partial
from typing import Any, Protocol
from urllib.parse import quote
from weakref import WeakSet

from lambda_streaming.tracing.failures import (
    CONDITION_FAILED,
    Failure,
    answer_status,
    aws_answer,
    first_line,
    is_throttle,
)
from lambda_streaming.tracing.step import AwsRequest, current_step, current_trace

_MARK = "_records_each_request_once"

_IN_TRACE_HEADER = "-=;:+&[]{}\"',"
"""What botocore leaves unquoted in it (botocore/handlers.py, add_recursion_detection_header)."""

_is_exporting: ContextVar[bool] = ContextVar("is_exporting", default=False)


class Recorder(Protocol):
    """The part of aws_xray_sdk's recorder that its patches call."""

    record_subsegment: Callable[..., Any]
    record_subsegment_async: Callable[..., Any]


@contextmanager
def unrecorded() -> Iterator[None]:
    """Requests made inside are in no trace: the exporter's own."""
    token = _is_exporting.set(True)
    instrumentation = sys.modules.get("opentelemetry.instrumentation.utils")
    try:
        with (
            nullcontext() if instrumentation is None else instrumentation.suppress_instrumentation()
        ):
            yield
    finally:
        _is_exporting.reset(token)


def record_aws_requests(
    recorder: Recorder | None,
    now_ns: Callable[[], int],
    client_class: Any = None,
    trace_header: Callable[[], str | None] = lambda: None,
) -> None:
    """Record every botocore request of this process from now on. Idempotent.

    Without a recorder, requests of the handler phase are not recorded. `client_class` is botocore's
    BaseClient. `trace_header` is of the invocation that the calling code belongs to: requests take
    it with them, as botocore does where it finds it in the environment, so that other services join
    the trace and Lambda recognises a loop
    (https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html).
    """
    if client_class is None:
        from botocore.client import BaseClient

        client_class = BaseClient
    call = client_class._make_api_call
    if getattr(call, _MARK, False):
        return
    record = None if recorder is None else recorder.record_subsegment
    known: WeakSet[Any] = WeakSet()

    def add_trace_header(params: dict[str, Any], **_more: Any) -> None:
        header = None if _is_exporting.get() else trace_header()
        if header is not None:
            params["headers"].setdefault("X-Amzn-Trace-Id", quote(header, safe=_IN_TRACE_HEADER))

    def make_api_call(client: Any, operation_name: str, api_params: dict[str, Any]) -> Any:
        if client not in known:
            known.add(client)
            client.meta.events.register_first("before-call", add_trace_header)
        step, trace = current_step(), current_trace()
        owner = step if step is not None else trace
        if trace is not None and trace.holds_app_spans and _is_instrumented_otherwise():
            return call(client, operation_name, api_params)
        if owner is not None:
            started_ns = now_ns()
            try:
                answer = call(client, operation_name, api_params)
            except Exception as error:
                request = _failed(client, operation_name, api_params, started_ns, now_ns(), error)
                owner.add_request(request)
                raise
            owner.add_request(
                _answered(client, operation_name, api_params, started_ns, now_ns(), answer)
            )
            return answer
        if record is None or _is_exporting.get() or not _is_sdk_enabled():
            return call(client, operation_name, api_params)
        return record(
            partial(call, client),
            client,
            (operation_name, api_params),
            {},
            name=client.meta.service_model.endpoint_prefix,
            namespace="aws",
            meta_processor=_describe,
        )

    setattr(make_api_call, _MARK, True)
    client_class._make_api_call = make_api_call
    if recorder is not None:
        _install_gate(recorder, client_class)


def _install_gate(recorder: Recorder, client_class: type) -> None:
    record, record_async = recorder.record_subsegment, recorder.record_subsegment_async

    def passes_unrecorded(instance: Any) -> bool:
        is_streaming = current_step() is not None or current_trace() is not None
        return is_streaming or _is_exporting.get() or isinstance(instance, client_class)

    def gated(wrapped: Any, instance: Any, args: Any, kwargs: Any, *rest: Any, **named: Any) -> Any:
        if passes_unrecorded(instance):
            return wrapped(*args, **kwargs)
        return record(wrapped, instance, args, kwargs, *rest, **named)

    async def gated_async(
        wrapped: Any, instance: Any, args: Any, kwargs: Any, *rest: Any, **named: Any
    ) -> Any:
        # aiobotocore's clients have a `_make_api_call` of their own, so the wrapper sees none of
        # their requests: the SDK records them in the handler phase.
        is_streaming = current_step() is not None or current_trace() is not None
        if is_streaming or _is_exporting.get():
            return await wrapped(*args, **kwargs)
        if named.get("namespace") == "aws":
            named["meta_processor"] = _describe
        return await record_async(wrapped, instance, args, kwargs, *rest, **named)

    recorder.record_subsegment = gated
    recorder.record_subsegment_async = gated_async


def _is_instrumented_otherwise() -> bool:
    """Whether OpenTelemetry's own instrumentation of botocore makes a span of each request: the
    app's author chose it, and one span is enough."""
    module = sys.modules.get("opentelemetry.instrumentation.botocore")
    return module is not None and module.BotocoreInstrumentor().is_instrumented_by_opentelemetry


def _is_sdk_enabled() -> bool:
    from aws_xray_sdk import global_sdk_config

    return bool(global_sdk_config.sdk_enabled())


# The streaming phase


def _answered(
    client: Any,
    operation: str,
    params: Mapping[str, Any],
    started_ns: int,
    ended_ns: int,
    answer: Any,
    failure: Failure | None = None,
    *,
    is_expected: bool = True,
) -> AwsRequest:
    model = client.meta.service_model
    metadata = answer.get("ResponseMetadata", {}) if isinstance(answer, Mapping) else {}
    table = params.get("TableName") if isinstance(params, Mapping) else None
    return AwsRequest(
        service_id=str(model.service_id),
        service=str(model.endpoint_prefix),
        operation=operation,
        region=client.meta.region_name or "",
        started_ns=started_ns,
        ended_ns=ended_ns,
        status=answer_status({"ResponseMetadata": metadata}) if is_expected else None,
        request_id=metadata.get("RequestId"),
        table=table if isinstance(table, str) else None,
        failure=failure,
    )


def _failed(
    client: Any,
    operation: str,
    params: Mapping[str, Any],
    started_ns: int,
    ended_ns: int,
    error: Exception,
) -> AwsRequest:
    answer = aws_answer(error)
    times = started_ns, ended_ns
    if answer is None:
        return _answered(client, operation, params, *times, {}, Failure.of(error))
    code = str(answer["Error"].get("Code", ""))
    if code == CONDITION_FAILED:
        return _answered(client, operation, params, *times, answer, is_expected=False)
    message = str(answer["Error"].get("Message", ""))
    status = answer_status(answer) or 500
    failure = Failure.of_answer(operation, code, message, status)
    return _answered(client, operation, params, *times, answer, failure)


# The handler phase


def _describe(*, exception: Any, subsegment: Any, **more: Any) -> None:
    """Describes an AWS request on its subsegment.

    The SDK's describer makes a fault of each ClientError, expected refusals too, and leaves out
    the exception of a request without an answer (aws_xray_sdk/ext/boto_utils.py,
    _aws_error_handler, 2.15.0).
    """
    from aws_xray_sdk.ext.boto_utils import aws_meta_processor as describe

    answer = None if exception is None else aws_answer(exception)
    if answer is None:
        describe(exception=exception, subsegment=subsegment, **more)
        if exception is not None:
            subsegment.add_exception(exception, more.get("stack"), True)
    else:
        code, status = str(answer["Error"].get("Code", "")), answer_status(answer) or 0
        if code == CONDITION_FAILED:
            answered: Any = {**more, "return_value": answer}
            describe(exception=None, subsegment=subsegment, **answered)
            subsegment.error = False
            subsegment.http = {}  # its 400 would be read as an error
            return
        describe(exception=exception, subsegment=subsegment, **more)
        if 400 <= status < 500:
            subsegment.fault, subsegment.error = False, True
            subsegment.throttle = is_throttle(code, status)
    cause = subsegment.cause
    for recorded in cause.get("exceptions", ()) if isinstance(cause, dict) else ():
        if isinstance(getattr(recorded, "message", None), str):
            recorded.message = first_line(recorded.message)
