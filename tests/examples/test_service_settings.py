"""The service's settings: each variable that is wrong is named, and no value is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient

from examples.service.app import create_app
from examples.service.settings import Settings
from tests.examples.ways import why_it_does_not_start


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEBUG", "hush-perhaps"),
        ("PROCESSOR", "hush"),
        ("IP_DATA__API_KEY", "hush"),
        ("DEPENDENCIES_SHA256", "hush"),
        ("POWERTOOLS_METRICS_NAMESPACE", "hush" * 64),
    ],
)
def test_a_bad_variable_is_named_and_its_value_is_not_told(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ValidationError, match=name) as raised:
        Settings()
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize("missing", ["AWS_REGION", "AWS_LAMBDA_FUNCTION_NAME"])
def test_lambdas_own_variables_are_demanded_in_lambda(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    lambdas = {"AWS_LAMBDA_RUNTIME_API", "AWS_REGION", "AWS_LAMBDA_FUNCTION_NAME"}
    for name in lambdas - {missing}:
        monkeypatch.setenv(name, "set")
    monkeypatch.delenv(missing, raising=False)

    with pytest.raises(ValidationError, match=f"{missing} is not set"):
        Settings()


def test_half_of_what_names_the_archive_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPENDENCIES_BUCKET", "packages")

    with pytest.raises(ValidationError, match="DEPENDENCIES_KEY, DEPENDENCIES_SHA256"):
        Settings()


@pytest.mark.parametrize("name", ["nowhere:process", "json:nothing", "json:__name__"])
def test_a_processor_that_is_not_there_fails_the_start(name: str) -> None:
    with pytest.raises(ImportError, match=f"PROCESSOR={name}"):
        create_app(Settings(processor=name))


def test_a_key_is_read_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IP_DATA__API_KEY", "hush-hush")
    settings = Settings()

    found = TestClient(create_app(settings)).get("/intel/address/127.0.0.1").json()

    assert found["provider"] == "configured"
    assert "hush" not in repr(settings)


def test_a_bad_variable_fails_the_init_with_its_name(tmp_path: Path) -> None:
    variables = tmp_path / "variables.env"
    variables.write_text("DEBUG=perhaps\nDEPENDENCIES_SHA256=short\n")

    why = why_it_does_not_start("examples.service.app:run", ENV_FILE=str(variables))

    assert "DEBUG\n" in why
    assert "DEPENDENCIES_SHA256\n" in why


def test_nothing_is_fetched_where_no_region_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    settings = Settings(
        dependencies_bucket="packages", dependencies_key="a.zip", dependencies_sha256="0" * 64
    )

    assert settings.archive is None
