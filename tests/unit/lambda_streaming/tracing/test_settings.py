from __future__ import annotations

import pytest

from lambda_streaming.environ import SettingsError
from lambda_streaming.tracing.settings import TracingSettings


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({}, "orders-function"),
        ({"POWERTOOLS_SERVICE_NAME": "orders"}, "orders"),
        ({"OTEL_SERVICE_NAME": "orders"}, "orders"),
        ({"OTEL_SERVICE_NAME": "orders", "POWERTOOLS_SERVICE_NAME": "orders"}, "orders"),
    ],
)
def test_both_phases_have_one_name(environ: dict[str, str], name: str) -> None:
    environ = {"AWS_LAMBDA_FUNCTION_NAME": "orders-function", **environ}

    assert TracingSettings.from_environ(environ) == TracingSettings(name)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"OTEL_SERVICE_NAME": "a", "POWERTOOLS_SERVICE_NAME": "b"}, "OTEL_SERVICE_NAME='a'"),
        ({"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-handler"}, "AWS_LAMBDA_EXEC_WRAPPER is set"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector"}, "OTEL_EXPORTER_OTLP_ENDPOINT='collector'"),
        ({"STREAMING_TRACE_DETAIL": "some"}, "STREAMING_TRACE_DETAIL='some'"),
        ({"STREAMING_FLUSH_SECONDS": "0"}, "STREAMING_FLUSH_SECONDS='0'"),
    ],
)
def test_what_cannot_work_is_named(environ: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        TracingSettings.from_environ(environ)


@pytest.mark.parametrize(
    "wrapper", ["/opt/otel-instrument", "/opt/datadog_wrapper", "/opt/newrelic_wrapper"]
)
def test_a_wrapper_that_instruments_fails_the_init(wrapper: str) -> None:
    with pytest.raises(SettingsError, match="remove it"):
        TracingSettings.from_environ({"AWS_LAMBDA_EXEC_WRAPPER": wrapper})


def test_any_other_wrapper_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """It may load secrets, or set limits."""
    environ = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/secrets.sh"}

    assert TracingSettings.from_environ(environ) == TracingSettings("function")
    assert "AWS_LAMBDA_EXEC_WRAPPER=/opt/secrets.sh" in caplog.text


def test_every_setting_is_read() -> None:
    environ = {
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:1",
        "OTEL_SDK_DISABLED": "true",
        "STREAMING_TRACE_DETAIL": "full",
        "STREAMING_TRACE_SPAN_BUDGET": "7",
        "STREAMING_TRACE_SLOW_MS": "8",
        "STREAMING_FLUSH_SECONDS": "9",
    }

    assert TracingSettings.from_environ(environ) == TracingSettings(
        "f", "http://collector:1", True, True, 7, 8, 9
    )
