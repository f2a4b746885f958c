"""Every variable: its default, its bounds, and what a bad value says."""

from __future__ import annotations

import re
from dataclasses import fields
from inspect import getsource

import pytest

import lambdas.sse_streaming.settings as settings_module
from lambda_streaming.environ import SettingsError
from lambdas.sse_streaming.settings import Settings, unknown_settings
from tests.fakes.streams import REQUIRED

MINIMAL = {name: value for name, value in REQUIRED.items() if name != "SSE_ID_KEY"}


def settings(**overrides: str) -> Settings:
    return Settings.from_environ({**MINIMAL, **overrides})


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as raised:
        Settings.from_environ(environ)
    return str(raised.value)


def test_the_defaults() -> None:
    read = settings()

    assert {field.name: getattr(read, field.name) for field in fields(read)} == {
        "items_table": "items",
        "items_index": "by_sentiment",
        "connections_table": "connections",
        "configurations_table": None,
        "id_key": None,
        "id_key_previous": None,
        "poll_seconds": 1,
        "poll_max_seconds": 5,
        "overlap_seconds": 10,
        "replay_seconds": 3600,
        "heartbeat_seconds": 15,
        "retry_ms": 3000,
        "max_stream_seconds": 300,
        "deadline_margin_seconds": 5,
        "max_connections": 100,
        "lease_seconds": 30,
        "max_stream_bytes": 5_000_000,
        "stall_seconds": 30,
        "aws_timeout_seconds": 2,
        "metrics_namespace": "SSEStreaming",
        "metrics_seconds": 60,
        "trace_full_detail": False,
        "trace_span_budget": 120,
        "trace_slow_ms": 500,
        "trace_route": False,
        "flush_seconds": 1.5,
        "auth": "none",
        "service_name": "sse-streaming",
        "otlp_endpoint": "http://localhost:4318",
        "otel_disabled": False,
    }


@pytest.mark.parametrize("name", sorted(MINIMAL))
@pytest.mark.parametrize("empty", ["unset", "", "   "])
def test_what_is_required_is_named(name: str, empty: str) -> None:
    environ = {key: value for key, value in MINIMAL.items() if key != name}
    if empty != "unset":
        environ[name] = empty

    assert f"{name} is not set" in refusal(environ)


@pytest.mark.parametrize("name", ["SSE_POLL_SECONDS", "SSE_RETRY_MS", "SSE_TRACE_DETAIL"])
def test_an_empty_variable_is_an_unset_one(name: str) -> None:
    """Terraform sets what it has no value for to an empty string."""
    assert settings(**{name: " "}) == settings()


NUMBERS = {
    "SSE_POLL_SECONDS": (0.05, 60),
    "SSE_POLL_MAX_SECONDS": (0.05, 300),
    "SSE_OVERLAP_SECONDS": (0.1, 300),
    "SSE_REPLAY_SECONDS": (1, 604_800),
    "SSE_HEARTBEAT_SECONDS": (0.05, 300),
    "SSE_RETRY_MS": (1, 3_600_000),
    "SSE_MAX_STREAM_SECONDS": (0.2, 900),
    "SSE_DEADLINE_MARGIN_SECONDS": (0.2, 120),
    "SSE_MAX_CONNECTIONS": (1, 60_000),
    "SSE_LEASE_SECONDS": (0.3, 900),
    "SSE_MAX_STREAM_BYTES": (1, 200_000_000),
    "SSE_STALL_SECONDS": (0.1, 900),
    "SSE_AWS_TIMEOUT_SECONDS": (0.05, 60),
    "SSE_METRICS_SECONDS": (0.1, 3600),
    "SSE_TRACE_SPAN_BUDGET": (0, 10_000),
    "SSE_TRACE_SLOW_MS": (0, 3_600_000),
    "SSE_FLUSH_SECONDS": (0.05, 60),
}
ROOM = {
    "SSE_POLL_SECONDS": "0.05",
    "SSE_POLL_MAX_SECONDS": "300",
    "SSE_OVERLAP_SECONDS": "0.1",
    "SSE_REPLAY_SECONDS": "604800",
}
"""Leaves every single variable free to take its whole range."""


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_may_lie_on_its_bounds(name: str) -> None:
    for bound in NUMBERS[name]:
        read = settings(**{**ROOM, name: str(bound)})
        assert getattr(read, name.removeprefix("SSE_").lower()) == bound


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "value", ["below", "above", "x", "nan", "inf", "-inf", "1,5", "1 s", "0x1", "1_0", "2#"]
)
def test_a_bad_number_names_variable_and_value(name: str, value: str) -> None:
    low, high = NUMBERS[name]
    given = {"below": str(low - 1), "above": str(high + 1)}.get(value, value)

    message = refusal({**MINIMAL, **ROOM, name: given})

    assert message.startswith(f"{name}={given!r} is not valid: a number from {low:g} to {high:g}")


@pytest.mark.parametrize(
    "name",
    ["SSE_MAX_CONNECTIONS", "SSE_MAX_STREAM_BYTES", "SSE_TRACE_SPAN_BUDGET"],
)
def test_what_is_counted_has_no_fractions(name: str) -> None:
    assert refusal({**MINIMAL, name: "1000.5"}).startswith(f"{name}='1000.5'")
    assert getattr(settings(**{name: "1000.0"}), name.removeprefix("SSE_").lower()) == 1000


@pytest.mark.parametrize("name", ["SSE_POLL_SECONDS", "SSE_STALL_SECONDS", "SSE_FLUSH_SECONDS"])
def test_durations_may_be_fractions(name: str) -> None:
    assert getattr(settings(**{name: "0.25"}), name.removeprefix("SSE_").lower()) == 0.25


@pytest.mark.parametrize(
    "name",
    ["SSE_ITEMS_TABLE", "SSE_ITEMS_INDEX", "SSE_CONNECTIONS_TABLE", "SSE_CONFIGURATIONS_TABLE"],
)
@pytest.mark.parametrize("value", ["ab", "a" * 256, "a b", "a/b", "tabl\u00e9", "arn:aws:x"])
def test_a_table_has_a_name_that_dynamodb_takes(name: str, value: str) -> None:
    assert refusal({**MINIMAL, name: value}).startswith(f"{name}=")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SSE_TRACE_DETAIL", "everything"),
        ("SSE_TRACE_ROUTE", "true"),
        ("SSE_AUTH", "cognito"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://localhost:4317"),
    ],
)
def test_a_value_that_is_no_choice_is_named(name: str, value: str) -> None:
    message = refusal({**MINIMAL, name: value})

    assert name in message
    assert value in message


@pytest.mark.parametrize("value", ["full", "FULL", " full "])
def test_choices_are_read_without_regard_to_case(value: str) -> None:
    assert settings(SSE_TRACE_DETAIL=value).trace_full_detail


def test_an_endpoint_loses_its_last_slash() -> None:
    endpoint = "http://127.0.0.1:9999/otlp/"

    assert settings(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint).otlp_endpoint == endpoint[:-1]


@pytest.mark.parametrize(
    ("value", "disabled"), [("true", True), (" TRUE ", True), ("false", False), ("1", False)]
)
def test_the_kill_switch_is_opentelemetrys_own(value: str, disabled: bool) -> None:
    assert settings(OTEL_SDK_DISABLED=value).otel_disabled is disabled


# Secrets


@pytest.mark.parametrize("size", [16, 64])
def test_a_key_has_sixteen_to_sixtyfour_bytes(size: int) -> None:
    assert settings(SSE_ID_KEY="k" * size).id_key == b"k" * size


@pytest.mark.parametrize("key", ["s3cr3t", "s3cr3t" * 11, "s3cr3t\u00e9"])
def test_a_bad_key_is_not_shown(key: str) -> None:
    message = refusal({**MINIMAL, "SSE_ID_KEY": key})

    assert message.startswith("SSE_ID_KEY=(hidden) is not valid: 16 to 64 bytes")
    assert "s3cr3t" not in message


def test_a_key_is_not_shown_by_the_settings_themselves() -> None:
    """They may end up in a traceback's locals or a debug line."""
    assert "k" * 16 not in repr(settings(SSE_ID_KEY="k" * 16))


def test_a_id_key_previous_needs_the_present_one() -> None:
    both = settings(SSE_ID_KEY="k" * 16, SSE_ID_KEY_PREVIOUS="p" * 16)

    assert both.id_key_previous == b"p" * 16
    assert "p" * 16 not in repr(both)
    message = refusal({**MINIMAL, "SSE_ID_KEY_PREVIOUS": "p" * 16})
    assert message.startswith("SSE_ID_KEY_PREVIOUS is set and SSE_ID_KEY is not")
    assert "p" * 16 not in message


@pytest.mark.parametrize(
    "endpoint",
    ["http://me:s3cr3t@host:4318", "http://s3cr3t@host", "http://host:4318?token=s3cr3t"],
)
def test_an_endpoint_with_credentials_is_refused_without_showing_them(endpoint: str) -> None:
    message = refusal({**MINIMAL, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})

    assert message.startswith("OTEL_EXPORTER_OTLP_ENDPOINT=(hidden)")
    assert "s3cr3t" not in message


# Rules between variables


def test_both_phases_are_one_service() -> None:
    message = refusal({**MINIMAL, "OTEL_SERVICE_NAME": "other"})

    assert "OTEL_SERVICE_NAME='other'" in message
    assert "POWERTOOLS_SERVICE_NAME='sse-streaming'" in message


@pytest.mark.parametrize("value", ["/opt/otel-instrument", "/opt/bootstrap"])
def test_an_exec_wrapper_is_refused_first(value: str) -> None:
    assert refusal({"AWS_LAMBDA_EXEC_WRAPPER": value}).startswith("AWS_LAMBDA_EXEC_WRAPPER is set")


def test_jwt_is_said_not_to_be_built() -> None:
    assert "not built yet" in refusal({**MINIMAL, "SSE_AUTH": "jwt"})


@pytest.mark.parametrize("auth", ["none", "iam", "IAM"])
def test_the_ways_to_authenticate(auth: str) -> None:
    assert settings(SSE_AUTH=auth).auth == auth.lower()


def test_an_idle_stream_polls_never_more_often() -> None:
    message = refusal({**MINIMAL, "SSE_POLL_SECONDS": "2", "SSE_POLL_MAX_SECONDS": "1"})

    assert "SSE_POLL_MAX_SECONDS=1" in message
    assert "SSE_POLL_SECONDS=2" in message


def test_an_id_lives_longer_than_the_overlap() -> None:
    message = refusal({**MINIMAL, "SSE_REPLAY_SECONDS": "10", "SSE_OVERLAP_SECONDS": "10"})

    assert "SSE_REPLAY_SECONDS=10" in message
    assert "SSE_OVERLAP_SECONDS=10" in message


@pytest.mark.parametrize(
    ("name", "value", "other", "adjusted"),
    [
        ("SSE_POLL_SECONDS", "10", "poll_max_seconds", 10),
        ("SSE_POLL_MAX_SECONDS", "0.5", "poll_seconds", 0.5),
        ("SSE_REPLAY_SECONDS", "5", "overlap_seconds", 2.5),
    ],
)
def test_a_default_is_adjusted_to_what_is_set(
    name: str, value: str, other: str, adjusted: float
) -> None:
    assert getattr(settings(**{name: value}), other) == adjusted


@pytest.mark.parametrize(
    "endpoint",
    ["http://localhost:abc", "http://localhost:99999", "http://:4318", "http://[::1", "localhost"],
)
def test_an_endpoint_that_nothing_could_reach_is_refused(endpoint: str) -> None:
    message = refusal({**MINIMAL, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})

    assert message.startswith(f"OTEL_EXPORTER_OTLP_ENDPOINT={endpoint!r} is not valid")


@pytest.mark.parametrize("namespace", ["AWS/Lambda", "a\nb", ":a", "a" * 256])
def test_a_namespace_that_cloudwatch_would_refuse_is_refused(namespace: str) -> None:
    assert refusal({**MINIMAL, "SSE_METRICS_NAMESPACE": namespace}).startswith(
        "SSE_METRICS_NAMESPACE="
    )


def test_a_message_shows_what_was_given_as_it_was_given() -> None:
    assert refusal({**MINIMAL, "SSE_TRACE_DETAIL": "BOGUS"}).startswith("SSE_TRACE_DETAIL='BOGUS'")


def test_durations_are_also_given_in_milliseconds() -> None:
    read = settings(SSE_OVERLAP_SECONDS="0.15", SSE_REPLAY_SECONDS="1.5")

    assert (read.overlap_ms, read.replay_ms) == (150, 1500)


# Names that no setting has


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("SSE_POLL_SECOND", "SSE_POLL_SECONDS"),
        ("SSE_IDKEY", "SSE_ID_KEY"),
        ("SSE_CONNECTION_TABLE", "SSE_CONNECTIONS_TABLE"),
        ("sse_poll_seconds", "SSE_POLL_SECONDS"),
        ("SSE_COLOUR", None),
        ("SSE_FOOT", None),
        ("SSE_", None),
    ],
)
def test_a_variable_that_no_setting_is_read_from_is_found_with_the_nearest_one(
    name: str, nearest: str | None
) -> None:
    assert unknown_settings({**MINIMAL, name: "1"}) == [(name, nearest)]


def test_unknown_variables_are_found_in_an_environment_that_would_be_refused() -> None:
    environ = {"SSE_POLL_SECONDS": "never", "SSE_B": "", "SSE_A": "", "PATH": "/bin"}

    assert unknown_settings(environ) == [("SSE_A", None), ("SSE_B", None)]


def test_every_variable_that_is_read_is_known() -> None:
    """Also one that is read only if another is set."""
    named = re.findall(r'"(SSE_[A-Z_]+)"', getsource(settings_module))

    assert len(set(named)) > 20
    assert unknown_settings(dict.fromkeys(named, "")) == []
