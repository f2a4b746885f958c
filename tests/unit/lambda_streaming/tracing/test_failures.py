"""What an exception is to X-Ray: its type, whether it is a fault, its chain, its text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from lambda_streaming.tracing.failures import Failure
from lambdas.sse_streaming.aws.errors import AwsRefused, AwsThrottled, AwsUnavailable

TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE"


def client_error(code: str, status: int, message: str = "because") -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, "Query")


@pytest.mark.parametrize(
    ("error", "error_type", "is_fault"),
    [
        (AwsThrottled("ThrottlingException", "m"), "ThrottlingException", False),
        (AwsRefused("AccessDenied", "m"), "AccessDenied", False),
        (AwsUnavailable("ServiceUnavailable", "m"), "ServiceUnavailable", True),
        (TimeoutError("m"), "TimeoutError", True),
        (asyncio.CancelledError(), "CancelledError", False),
        (client_error("ThrottlingException", 400), "ThrottlingException", False),
        (client_error("InternalServerError", 500), "InternalServerError", True),
        (EndpointConnectionError(endpoint_url="http://x"), "EndpointConnectionError", True),
    ],
)
def test_a_failure_is_named_after_awss_code_for_it(
    error: BaseException, error_type: str, is_fault: bool
) -> None:
    failure = Failure.of(error)

    assert (failure.error_type, failure.is_fault) == (error_type, is_fault)


def test_an_error_raised_from_awss_answer_is_classified_by_the_answer() -> None:
    error = ValueError("no configuration")
    error.__cause__ = client_error("AccessDeniedException", 403)

    assert Failure.of(error).error_type == "AccessDeniedException"
    assert not Failure.of(error).is_fault


def test_a_defect_while_an_answer_was_handled_is_a_defect() -> None:
    error = KeyError("Item")
    error.__context__ = client_error("ThrottlingException", 400)

    assert (Failure.of(error).error_type, Failure.of(error).is_fault) == ("KeyError", True)


def test_no_record_repeats_a_signed_request() -> None:
    message = f"The signature does not match.\n\nThe Canonical String: x-amz-security-token:{TOKEN}"

    def fail() -> None:
        try:
            raise client_error("InvalidSignatureException", 403, message)
        except ClientError as error:
            raise RuntimeError(f"asking failed: {error}") from error

    with pytest.raises(RuntimeError) as raised:
        fail()
    chain = Failure.of(raised.value).chain

    assert "signature does not match" in chain[0].message
    assert "asking failed" in chain[1].message
    assert all(TOKEN not in record.message + record.stack for record in chain)


def test_a_chain_without_end_is_cut() -> None:
    first, second = ValueError("1"), ValueError("2")
    first.__cause__, second.__cause__ = second, first

    assert [link.message for link in Failure.of(first).chain] == ["2", "1"]

    deep: BaseException = ValueError("deepest")
    for number in range(20):
        effect = ValueError(str(number))
        effect.__cause__ = deep
        deep = effect
    assert [link.message for link in Failure.of(deep).chain] == ["deepest", "0", "17", "18", "19"]


def caught(run: Callable[[], None]) -> list[str]:
    """Messages of the chain of what a function raises, cause first."""
    try:
        run()
    except Exception as error:
        return [link.message for link in Failure.of(error).chain]
    raise AssertionError("it raised nothing")


def test_what_was_being_handled_is_a_cause_too() -> None:
    def handle() -> None:
        try:
            raise OSError("reset by peer")
        except OSError:
            raise ValueError("no usable answer")  # noqa: B904

    def hide() -> None:
        try:
            raise OSError("reset by peer")
        except OSError:
            raise ValueError("no usable answer") from None

    assert caught(handle) == ["reset by peer", "no usable answer"]
    assert caught(hide) == ["no usable answer"]


def test_a_group_names_its_first_member_as_a_cause() -> None:
    def fail() -> None:
        members = [ValueError("first"), KeyError("second")]
        raise ExceptionGroup("two tasks failed", members) from OSError("root")

    assert caught(fail) == ["root", "first", "two tasks failed (2 sub-exceptions)"]


def test_a_text_that_is_no_unicode_does_not_cost_its_batch() -> None:
    def fail() -> None:
        raise ValueError("lone \ud83d")

    with pytest.raises(ValueError, match="lone") as raised:
        fail()
    (link,) = Failure.of(raised.value).chain
    assert link.message == "lone ?"
    assert "ValueError: lone " in link.stack
    link.stack.encode()


def test_an_exception_without_a_text_breaks_nothing() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("a defect")

    (link,) = Failure.of(Mute()).chain
    assert link.message == "str() of it raised RuntimeError"


def test_a_stack_is_cut_at_its_beginning() -> None:
    """The last frames say where it happened."""

    def sink(depth: int) -> None:
        if depth == 0:
            raise ValueError("here")
        globals()["_other_sink" if depth % 2 else "_one_sink"](sink, depth - 1)

    with pytest.raises(ValueError, match="here") as raised:
        sink(300)
    (link,) = Failure.of(raised.value).chain

    assert len(link.stack) <= 6000
    assert link.stack.rstrip().endswith("ValueError: here")
    assert "test_failures.py" in link.place


def _one_sink(sink: Any, depth: int) -> None:
    sink(depth)


def _other_sink(sink: Any, depth: int) -> None:
    sink(depth)
