"""AWS's failures as the package's own: passing, throttled, or permanent until somebody acts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore import exceptions
from botocore.parsers import ResponseParserError

from lambda_streaming.runtime.error_report import error_report
from lambdas.sse_streaming.aws.clients import (
    ConditionFailed,
    Lazy,
    aws_failures,
    items_of,
    shorten_errors,
)
from lambdas.sse_streaming.aws.errors import AwsError, AwsRefused, AwsThrottled, AwsUnavailable


def answered(code: str, status: int, **more: Any) -> exceptions.ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": "why"},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **more,
    }
    return exceptions.ClientError(response, "Query")


def translated(error: Exception) -> AwsError:
    with pytest.raises(AwsError) as raised, aws_failures():
        raise error
    assert raised.value.__cause__ is error
    return raised.value


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (answered("ThrottlingException", 400), AwsThrottled),
        (answered("ProvisionedThroughputExceededException", 400), AwsThrottled),
        (answered("RequestLimitExceeded", 400), AwsThrottled),
        (answered("Throttling", 400), AwsThrottled),
        (answered("InternalServerError", 500), AwsUnavailable),
        (answered("ServiceUnavailable", 503), AwsUnavailable),
        (answered("AccessDeniedException", 400), AwsRefused),
        (answered("ResourceNotFoundException", 400), AwsRefused),
        (answered("ValidationException", 400), AwsRefused),
        (answered("ExpiredTokenException", 400), AwsRefused),
        (exceptions.ReadTimeoutError(endpoint_url="http://x"), AwsUnavailable),
        (exceptions.ConnectTimeoutError(endpoint_url="http://x"), AwsUnavailable),
        (exceptions.EndpointConnectionError(endpoint_url="http://x"), AwsUnavailable),
        (exceptions.ConnectionClosedError(endpoint_url="http://x"), AwsUnavailable),
        (exceptions.HTTPClientError(error=OSError("reset")), AwsUnavailable),
        (ResponseParserError("not JSON"), AwsUnavailable),
        (exceptions.NoCredentialsError(), AwsRefused),
        (exceptions.NoRegionError(), AwsRefused),
    ],
    ids=lambda value: getattr(value, "__name__", None) or type(value).__name__,
)
def test_a_failure_is_passing_or_permanent(error: Exception, kind: type[AwsError]) -> None:
    assert type(translated(error)) is kind


def test_aws_own_code_and_message_are_kept() -> None:
    error = translated(answered("ThrottlingException", 400))

    assert error.code == "ThrottlingException"
    assert str(error) == "ThrottlingException: why"


@pytest.mark.parametrize(
    ("code", "status"),
    [("AccessDeniedException", 400), ("ThrottlingException", 400), ("InternalServerError", 500)],
)
def test_awss_message_reaches_the_log_and_not_the_caller(code: str, status: int) -> None:
    raw = answered(code, status)
    text = "User: arn:aws:sts::123456789012:assumed-role/r/f is not authorized"
    raw.response["Error"]["Message"] = text
    error = translated(raw)

    report = json.loads(error_report(error))

    assert str(error) == f"{code}: {text}"
    assert report["errorType"] == type(error).__name__
    assert report["errorMessage"].startswith(f"{code}: ")
    assert not any(word in json.dumps(report) for word in ("arn:", "123456789012", "authorized"))


@pytest.mark.parametrize(
    "code", ["", "a b", "arn:aws:iam::123456789012:role/r", "x" * 65, "\u00e9"]
)
def test_a_code_that_is_none_is_not_repeated(code: str) -> None:
    assert AwsRefused(code, "why").public_message.startswith("Unknown: ")


@pytest.mark.parametrize(
    "tail",
    [
        "\n\nThe Canonical String for this request should have been\n'x-amz-security-token:T0K'",
        " The Canonical String for this request should have been 'T0K'",
        " Canonical request: T0K",
        "\r\n<html>T0K</html>",
    ],
)
def test_only_the_first_line_of_awss_message_is_kept(tail: str) -> None:
    """Behind it AWS may quote the request, with the session's token."""
    raw = answered("SignatureDoesNotMatch", 403)
    raw.response["Error"]["Message"] = "The signature does not match." + tail

    assert str(translated(raw)) == "SignatureDoesNotMatch: The signature does not match."


def test_an_answer_that_cannot_be_read_is_not_quoted_either() -> None:
    """botocore puts the whole body into the exception, which a log shows as the cause."""
    registered: dict[str, Callable[..., None]] = {}

    class Events:
        def register(self, event_name: str, handler: Callable[..., None]) -> None:
            registered[event_name] = handler

    shorten_errors(Events())
    error = ResponseParserError("Unable to parse response, invalid XML received:\n<page>T0K")
    registered["after-call-error"](exception=error)

    assert str(error) == "Unable to parse response, invalid XML received:"


def test_a_message_has_a_length() -> None:
    raw = answered("ValidationException", 400)
    raw.response["Error"]["Message"] = "x" * 10_000

    assert len(str(translated(raw))) < 1000


def test_a_failed_condition_carries_the_item_that_is_there() -> None:
    """It is an answer, not an error: nothing that catches AWS's errors may swallow it."""
    there = {"connection_id": {"S": "7.abc"}}

    with pytest.raises(ConditionFailed) as raised, aws_failures():
        raise answered("ConditionalCheckFailedException", 400, Item=there)

    assert raised.value.item == there
    assert not isinstance(raised.value, AwsError)


def test_what_botocore_chokes_on_is_no_usable_answer() -> None:
    """A 200 with a list, or with bytes that are no text, where DynamoDB's object should be."""
    for choked in (AttributeError("'list' object has no attribute 'get'"), _not_utf8()):
        with pytest.raises(AwsUnavailable), aws_failures():
            raise choked


def _not_utf8() -> UnicodeDecodeError:
    return UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")


@pytest.mark.parametrize("answer", [{}, {"Items": None}, {"message": "<html>"}])
def test_a_querys_answer_without_items_is_not_dynamodbs(answer: dict[str, Any]) -> None:
    with pytest.raises(AwsUnavailable, match="without items"):
        items_of(answer)


def test_what_is_no_failure_of_aws_passes_through() -> None:
    with pytest.raises(KeyError), aws_failures():
        raise KeyError("a defect")


def test_throttled_is_passing() -> None:
    assert issubclass(AwsThrottled, AwsUnavailable)
    assert not issubclass(AwsRefused, AwsUnavailable)


def test_something_lazy_is_built_once_and_only_when_used() -> None:
    built: list[object] = []

    def build() -> object:
        built.append(object())
        return built[-1]

    lazy = Lazy(build)

    assert built == []
    assert lazy() is lazy() is built[0]
    assert len(built) == 1
