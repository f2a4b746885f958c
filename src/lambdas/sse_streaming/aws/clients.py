"""AWS clients for a poller, and AWS's failures as errors of this package.

A poller asks again by itself, so the SDK's hidden retries would only hide throttling: one try,
short timeouts, connections kept between requests.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar

import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    MetadataRetrievalError,
)
from botocore.exceptions import ConnectionError as NoConnection
from botocore.parsers import ResponseParserError

from lambda_streaming.tracing.failures import CONDITION_FAILED, first_line, is_throttle
from lambdas.sse_streaming.aws.errors import AwsError, AwsRefused, AwsThrottled, AwsUnavailable

T = TypeVar("T")

_CONNECT_SECONDS = 1.0
_THREADS = 8
_LONGEST_REST_SECONDS = 5.0

_TRANSIENT = frozenset(
    {"ReplicatedWriteConflictException", "RequestTimeout", "RequestTimeoutException"}
)
"""4xx codes that are transient, like throttles."""


class ConditionFailed(Exception):
    """A conditional write was not made. `item` is what stands there instead, in AWS's form."""

    def __init__(self, item: Mapping[str, Any] | None) -> None:
        super().__init__("the condition of a write did not hold")
        self.item = item


class Lazy(Generic[T]):
    """A value that is built at its first use, once, also when several threads ask for it."""

    def __init__(self, build: Callable[[], T]) -> None:
        self._build = build
        self._lock = threading.Lock()
        self._built: T | None = None

    def __call__(self) -> T:
        if self._built is None:
            with self._lock:
                if self._built is None:
                    self._built = self._build()
        return self._built


class AwsClients:
    """Makes clients whose error messages are safe to log. Built once per process."""

    def __init__(self, environ: Mapping[str, str], timeout_seconds: float) -> None:
        region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION", "us-east-1")
        self._session = Lazy(botocore.session.get_session)
        self._config = Config(
            region_name=region,
            connect_timeout=min(_CONNECT_SECONDS, timeout_seconds),
            read_timeout=timeout_seconds,
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=_THREADS,
            tcp_keepalive=True,
            parameter_validation=False,
        )
        self._making = threading.Lock()
        self._made: list[Any] = []

    def make(self, service: str) -> Any:
        """A client of `service` ("dynamodb")."""
        with self._making:  # a session is not for several threads, the clients are (boto3's guide)
            client = self._session().create_client(service, config=self._config)
        shorten_errors(client.meta.events)  # before anybody reads them
        self._made.append(client)
        return client

    def thaw(self, rested_seconds: float) -> None:
        """An invocation begins, `rested_seconds` after the last one ended. After a long rest kept
        connections are closed: AWS may have dropped them while the environment was frozen, and with
        one try per request the first request would fail.
        """
        if rested_seconds > _LONGEST_REST_SECONDS:
            for client in self._made:
                client.close()


class EventEmitter(Protocol):
    """botocore's client.meta.events."""

    def register(self, event_name: str, handler: Callable[..., None]) -> None: ...


def shorten_errors(events: EventEmitter) -> None:
    """Redact the message of every error of a client.

    Here, before botocore makes an exception of the answer, because everybody formats exceptions:
    the X-Ray SDK, tracebacks of chained ones, our spans and log lines.
    """

    def answered(http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
        if http_response.status_code < 300:
            return
        for holder in (parsed, parsed.get("Error", {})):
            for key in ("Message", "message"):
                if isinstance(text := holder.get(key), str):
                    holder[key] = first_line(text)

    def failed(exception: Exception, **_: Any) -> None:
        text = str(exception)
        if first_line(text) != text:
            exception.args = (first_line(text),)

    events.register("after-call", answered)
    events.register("after-call-error", failed)


@contextmanager
def aws_failures() -> Iterator[None]:
    """Translate botocore's exceptions.

    Raises ConditionFailed, AwsThrottled, AwsUnavailable or AwsRefused in their place.
    """
    try:
        yield
    except ClientError as error:
        raise _translated(error) from error
    except (
        HTTPClientError,
        NoConnection,
        ResponseParserError,
        CredentialRetrievalError,
        MetadataRetrievalError,
    ) as error:
        raise AwsUnavailable(type(error).__name__, "no usable answer in time") from error
    except (AttributeError, UnicodeDecodeError) as error:
        # botocore's parser fails so on JSON that is no object and on bytes that are no text.
        raise AwsUnavailable(type(error).__name__, "no usable answer") from error
    except BotoCoreError as error:
        raise AwsRefused(type(error).__name__, first_line(str(error))) from error


def items_of(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A query's items. Raises AwsUnavailable for an answer without a list of items: DynamoDB sends
    one even for an empty index, so something else answered."""
    items = answer.get("Items")
    if not isinstance(items, list):
        raise AwsUnavailable("ResponseParserError", "an answer without items")
    return items


def _translated(error: ClientError) -> AwsError | ConditionFailed:
    details = error.response.get("Error", {})
    code = str(details.get("Code", "Unknown"))
    message = first_line(str(details.get("Message", "")))
    if code == CONDITION_FAILED:
        return ConditionFailed(error.response.get("Item"))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    if is_throttle(code, status) or code in _TRANSIENT or status == 408:
        return AwsThrottled(code, message)
    if status >= 500:
        return AwsUnavailable(code, message)
    return AwsRefused(code, message)
