"""One invocation as `/invocation/next` hands it over, and the context object a handler sees."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

logger = logging.getLogger(__name__)

REMAINING_MS_WITHOUT_DEADLINE = 900_000
"""`get_remaining_time_in_millis` where no deadline is known: Lambda's longest timeout."""

_LONGEST_TIMEOUT_SECONDS = 900.0
_CLOCK_SLACK_SECONDS = 60.0
_MAX_DEADLINE_DIGITS = 16


@dataclass(frozen=True, slots=True)
class FunctionEnvironment:
    """What the execution environment says of itself, read once."""

    api: str
    function_name: str = ""
    function_version: str = "$LATEST"
    memory_limit_in_mb: str = ""
    log_group_name: str = ""
    log_stream_name: str = ""
    initialization_type: str = "on-demand"
    max_concurrency: str | None = None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> FunctionEnvironment:
        """Raises ValueError where AWS_LAMBDA_RUNTIME_API is missing."""
        api = environ.get("AWS_LAMBDA_RUNTIME_API", "")
        if not api:
            raise ValueError(
                "AWS_LAMBDA_RUNTIME_API is not set: this process was not started by Lambda "
                "or an emulator of it"
            )
        return cls(
            api=api,
            function_name=environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
            function_version=environ.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            memory_limit_in_mb=environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", ""),
            log_group_name=environ.get("AWS_LAMBDA_LOG_GROUP_NAME", ""),
            log_stream_name=environ.get("AWS_LAMBDA_LOG_STREAM_NAME", ""),
            initialization_type=environ.get("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            max_concurrency=environ.get("AWS_LAMBDA_MAX_CONCURRENCY"),
        )


@dataclass(frozen=True, slots=True)
class ClientContext:
    """What a mobile client or another service sent along; attribute names are Lambda's."""

    client: Any = None
    custom: Any = None
    env: Any = None


@dataclass(frozen=True, slots=True)
class CognitoIdentity:
    """The caller's Amazon Cognito identity; both None where there is none."""

    cognito_identity_id: str | None = None
    cognito_identity_pool_id: str | None = None


@dataclass(frozen=True, slots=True)
class Invocation:
    """One event and what came with it. `deadline` is an instant on the monotonic clock.

    `path_id` is the request id, whatever bytes it has, as a path segment. `invocation_id` can stand
    in a request's field as it is.
    """

    request_id: str
    path_id: str
    event: bytes = field(repr=False)
    deadline: float | None = None
    trace_header: str | None = None
    function_arn: str = ""
    client_context: ClientContext | None = field(default=None, repr=False)
    cognito_identity: CognitoIdentity = field(default=CognitoIdentity(), repr=False)
    invocation_id: str | None = None
    tenant_id: str | None = None


@dataclass(frozen=True, slots=True)
class LambdaContext:
    """The context object of the Python runtime, plus `deadline` on the monotonic clock and the
    invocation's trace header as it came."""

    aws_request_id: str
    invoked_function_arn: str
    function_name: str
    function_version: str
    memory_limit_in_mb: str
    log_group_name: str
    log_stream_name: str
    identity: CognitoIdentity
    client_context: ClientContext | None
    tenant_id: str | None
    deadline: float | None
    trace_header: str | None
    monotonic: Callable[[], float] = field(repr=False)

    @classmethod
    def of(
        cls,
        invocation: Invocation,
        environment: FunctionEnvironment,
        monotonic: Callable[[], float],
    ) -> LambdaContext:
        return cls(
            aws_request_id=invocation.request_id,
            invoked_function_arn=invocation.function_arn,
            function_name=environment.function_name,
            function_version=environment.function_version,
            memory_limit_in_mb=environment.memory_limit_in_mb,
            log_group_name=environment.log_group_name,
            log_stream_name=environment.log_stream_name,
            identity=invocation.cognito_identity,
            client_context=invocation.client_context,
            tenant_id=invocation.tenant_id,
            deadline=invocation.deadline,
            trace_header=invocation.trace_header,
            monotonic=monotonic,
        )

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds to the deadline, never negative; without one, 900,000 at any time."""
        if self.deadline is None:
            return REMAINING_MS_WITHOUT_DEADLINE
        return max(0, int((self.deadline - self.monotonic()) * 1000))


def deadline_of(context: object, now: float) -> float | None:
    """An invocation's deadline on the monotonic clock, which says `now`.

    Of the managed runtime's own context, too, which tells only how much time is left; None for
    whatever else a test hands over as a context.
    """
    deadline = getattr(context, "deadline", None)
    if isinstance(deadline, int | float):
        return deadline
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    if isinstance(context, LambdaContext) or not callable(remaining):
        return None
    try:
        milliseconds = remaining()
    except Exception:  # a test's context that stops at what nobody asked for until now
        return None
    if not isinstance(milliseconds, int | float) or milliseconds <= 0:
        return None
    return now + milliseconds / 1000


def margin_before(deadline: float, now: float, margin_seconds: float) -> float:
    """How long before its deadline an answer ends; of an invocation shorter than twice the margin,
    half is for the answer."""
    return max(0.0, min(margin_seconds, (deadline - now) / 2))


def parse_deadline(
    header: str | None, *, wall_clock: Callable[[], float], monotonic: Callable[[], float]
) -> float | None:
    """The deadline header (epoch milliseconds) as an instant on the monotonic clock.

    Converted once, because the wall clock may step while the invocation runs. None where it is
    missing or absurd: emulators are known to send a constant in 1970, and a deadline that this
    machine's clock has passed says only that the clocks differ.
    """
    text = (header or "").strip()
    if not (text.isascii() and text.isdigit()) or len(text) > _MAX_DEADLINE_DIGITS:
        return None
    remaining_seconds = int(text) / 1000 - wall_clock()
    latest = _LONGEST_TIMEOUT_SECONDS + _CLOCK_SLACK_SECONDS
    if not 0 < remaining_seconds <= latest:
        return None
    return monotonic() + remaining_seconds


def parse_client_context(header: str | None) -> ClientContext | None:
    """None where it is missing or not a JSON object; the latter is logged."""
    document = _json_object(header, "Lambda-Runtime-Client-Context")
    if document is None:
        return None
    return ClientContext(document.get("client"), document.get("custom"), document.get("env"))


def parse_cognito_identity(header: str | None) -> CognitoIdentity:
    """Both ids None where the header is missing or not a JSON object; the latter is logged."""
    document = _json_object(header, "Lambda-Runtime-Cognito-Identity") or {}
    return CognitoIdentity(document.get("cognitoIdentityId"), document.get("cognitoIdentityPoolId"))


def _json_object(text: str | None, header_name: str) -> dict[str, Any] | None:
    if not text:
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = text
    if document is None:
        return None
    if not isinstance(document, dict):
        logger.warning("ignoring %s: not a JSON object", header_name)
        return None
    return document
