from __future__ import annotations

import pytest

from lambda_streaming.runtime.invocation import (
    CognitoIdentity,
    FunctionEnvironment,
    Invocation,
    LambdaContext,
    parse_client_context,
    parse_cognito_identity,
    parse_deadline,
)

WALL_SECONDS = 1_800_000_000.0
MONOTONIC_SECONDS = 50.0


def deadline(header: str | None) -> float | None:
    return parse_deadline(
        header, wall_clock=lambda: WALL_SECONDS, monotonic=lambda: MONOTONIC_SECONDS
    )


def in_seconds(seconds: float) -> str:
    return str(int((WALL_SECONDS + seconds) * 1000))


@pytest.mark.parametrize("seconds", [0.001, 0.5, 3, 900, 959])
def test_a_deadline_is_an_instant_on_the_monotonic_clock(seconds: float) -> None:
    assert deadline(in_seconds(seconds)) == pytest.approx(MONOTONIC_SECONDS + seconds, abs=0.001)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "soon",
        "1e12",
        "-5",
        "1.5",
        "\u0661",
        "9" * 5000,
        "600000",
        in_seconds(961),
        in_seconds(-1),
        in_seconds(0),
    ],
)
def test_an_absurd_deadline_is_none(header: str | None) -> None:
    assert deadline(header) is None


def context(instant: float | None, now: float) -> LambdaContext:
    invocation = Invocation("r", "r", b"{}", deadline=instant)
    return LambdaContext.of(invocation, FunctionEnvironment(api="x"), lambda: now)


def test_remaining_time_is_never_negative() -> None:
    assert context(60.0, 50.0).get_remaining_time_in_millis() == 10_000
    assert context(60.0, 61.0).get_remaining_time_in_millis() == 0


def test_without_a_deadline_lambdas_longest_timeout_remains() -> None:
    assert context(None, 61.0).get_remaining_time_in_millis() == 900_000


@pytest.mark.parametrize("header", [None, "", "null"])
def test_no_client_context_is_none_and_no_news(
    header: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    assert parse_client_context(header) is None
    assert parse_cognito_identity(header) == CognitoIdentity()
    assert not caplog.records


@pytest.mark.parametrize("header", ["{", "[]", '"x"', "1", "[" * 100_000, "NaN"])
def test_a_client_context_that_is_no_object_is_none_and_logged(
    header: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert parse_client_context(header) is None
    assert parse_cognito_identity(header) == CognitoIdentity()
    assert len(caplog.records) == 2


def test_the_environment_needs_only_the_address_of_the_runtime_api() -> None:
    environment = FunctionEnvironment.from_environ({"AWS_LAMBDA_RUNTIME_API": "h:1"})
    assert environment == FunctionEnvironment(api="h:1")
    with pytest.raises(ValueError, match="AWS_LAMBDA_RUNTIME_API"):
        FunctionEnvironment.from_environ({})


def test_an_event_is_in_no_repr() -> None:
    assert "secret" not in repr(Invocation("r", "r", b"secret", trace_header=None))
