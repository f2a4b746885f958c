from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from local_aws.lambda_side.environ import Wiring, function_environ
from local_aws.settings import FunctionSettings

WIRING = Wiring(
    dynamodb_url="http://d",
    cloudwatch_url="http://c",
    otlp_url="http://o",
    xray_daemon_address="127.0.0.1:2000",
)


def environ_of(**given: Any) -> dict[str, str]:
    return function_environ(
        FunctionSettings(**given), WIRING, runtime_api="127.0.0.1:1", environment_number=1
    )


def test_reserved_variables_cannot_be_configured_away() -> None:
    environ = environ_of(environment={"AWS_REGION": "mars", "MINE": "1"})
    assert (environ["AWS_REGION"], environ["MINE"]) == ("us-east-1", "1")


def test_the_wiring_replaces_what_was_configured_for_aws() -> None:
    environ = environ_of(environment={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"})
    assert environ["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://o"


def test_the_callers_own_variables_replace_everything() -> None:
    passed_on = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://mine", "AWS_REGION": "mars"}
    assert passed_on.items() <= environ_of(passed_on=passed_on).items()


def test_the_callers_account_is_reached_only_where_the_caller_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAMINE")
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    for name in ("AWS_REGION", "AWS_SESSION_TOKEN", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert environ_of()["AWS_ACCESS_KEY_ID"] != "AKIAMINE"
    assert "AWS_PROFILE" not in environ_of()
    real = environ_of(real_credentials=True)
    assert (real["AWS_ACCESS_KEY_ID"], real["AWS_PROFILE"]) == ("AKIAMINE", "mine")
    assert (real["AWS_REGION"], real["AWS_DEFAULT_REGION"]) == ("eu-west-1", "eu-west-1")
    assert "AWS_SESSION_TOKEN" not in real, "a stack's token would spoil the caller's key"
    assert "AWS_SHARED_CREDENTIALS_FILE" not in real


def test_the_library_is_searched_after_the_apps_own_folders() -> None:
    environ = environ_of(environment={"PYTHONPATH": "vendored"}, python_path=(Path("/library"),))
    assert environ["PYTHONPATH"] == f"vendored{os.pathsep}/library"
