from __future__ import annotations

from typing import Any

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
