from __future__ import annotations

import re
from pathlib import Path

import pytest

from lambdas.sse_streaming import settings as lambdas_settings
from local_aws.feed.function import DEFAULT_HEARTBEAT_SECONDS
from local_aws.feed.sentiment.declaration import SENTIMENT
from local_aws.settings import (
    REPOSITORY_ROOT,
    SettingError,
    Settings,
    of_feed,
    unknown_settings,
)
from tests.fakes.declared_feeds import JOBS

STREAMS = {"STREAMING_INVOKE_MODE": "stream"}
"""The REST API at hand does."""


def test_nothing_set_gives_the_documented_defaults() -> None:
    settings = Settings.from_environ({})
    assert (settings.port, settings.console_port) == (8080, 8081)
    assert (settings.concurrency, settings.timeout_seconds, settings.sampled) == (25, 60.0, True)
    assert (settings.show_disconnect, settings.limits, settings.index_lag_ms) == (False, False, 0)
    assert settings.items_per_second == 1.0
    assert settings.function.environment["SSE_MAX_CONNECTIONS"] == "15"


def test_the_console_expects_heartbeats_as_often_as_the_function_sends_them() -> None:
    function = lambdas_settings.Settings.from_environ(
        Settings.from_environ({}).function.environment
    )
    assert function.heartbeat_seconds == DEFAULT_HEARTBEAT_SECONDS


def test_an_empty_variable_counts_as_unset() -> None:
    assert Settings.from_environ({"PORT": "", "LOCAL_LIMITS": ""}) == Settings.from_environ({})


def test_port_zero_frees_the_console_too() -> None:
    assert Settings.from_environ({"PORT": "0"}).console_port == 0


def test_only_the_functions_own_variables_are_passed_on() -> None:
    environ = {"SSE_A": "1", "OTEL_B": "2", "POWERTOOLS_C": "3", "AWS_PROFILE": "x", "HOME": "/"}
    passed_on = Settings.from_environ(environ).function.passed_on
    assert passed_on == {"SSE_A": "1", "OTEL_B": "2", "POWERTOOLS_C": "3"}


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("PORT", "http", "give a number"),
        ("PORT", "65535", "from 0 to 65534"),
        ("LOCAL_CONCURRENCY", "0", "from 1 to 1000"),
        ("LOCAL_CONCURRENCY", "1.5", "give a whole number"),
        ("LOCAL_TIMEOUT_SECONDS", "nan", "from 0.1 to 900"),
        ("LOCAL_SAMPLED", "yes", "give 1"),
        ("LOCAL_DYNAMODB_URL", "localhost:8000", "http://host:port"),
        ("LOCAL_CONSOLE_HOSTS", "http://box:9000", "give host or host:port"),
        ("LOCAL_DYNOXIDE", "/no/such/file", "no such file"),
        ("LOCAL_TASK_ROOT", "/no/such/folder", "no such folder"),
    ],
)
def test_a_bad_value_is_refused_with_its_name_and_what_to_give(
    name: str, value: str, advice: str
) -> None:
    with pytest.raises(SettingError) as refused:
        Settings.from_environ({name: value})
    assert name in str(refused.value)
    assert repr(value) in str(refused.value)
    assert advice in str(refused.value)


def test_the_consoles_other_names_are_separated_by_commas() -> None:
    settings = Settings.from_environ({"LOCAL_CONSOLE_HOSTS": "box.example:9000, [fd00::1]:80,"})
    assert settings.console_hosts == ("box.example:9000", "[fd00::1]:80")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("LOCAL_CONCURENCY", "LOCAL_CONCURRENCY"),
        ("LOCAL_STATEFILE", "LOCAL_STATE_FILE"),
        ("local_log", "LOCAL_LOG"),
        ("LOCAL_HANDLERS", "LOCAL_HANDLER"),
        ("LOCAL_WEATHER_STATION", None),
        ("LOCAL_", None),
    ],
)
def test_a_variable_that_no_setting_is_read_from_is_found_with_the_nearest_one(
    name: str, nearest: str | None
) -> None:
    assert unknown_settings({"PATH": "/bin", "LOCAL_LOG": "1", name: "1"}) == [(name, nearest)]


def test_every_setting_that_the_guide_names_is_known() -> None:
    named = re.findall(r"`(LOCAL_[A-Z_]+)`", (REPOSITORY_ROOT / "docs/local-stack.md").read_text())
    assert len(named) > 10
    assert unknown_settings(dict.fromkeys(named, "")) == []


def test_paths_are_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "engine").touch()
    monkeypatch.chdir(tmp_path)
    assert Settings.from_environ({"LOCAL_DYNOXIDE": "engine"}).dynoxide == tmp_path / "engine"


# an app of its own


def test_an_app_is_run_where_its_author_starts_the_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_environ({"APP": "shop.main:handler", "SSE_A": "1", "STREAMING_B": "2"})
    assert settings.function.handler == "shop.main.handler"
    assert settings.function.task_root == tmp_path
    assert settings.function.name == "shop-main"
    assert settings.function.environment == STREAMS
    assert settings.function.passed_on == {"STREAMING_B": "2"}
    assert settings.watched == tmp_path
    assert settings.feed is None
    assert (
        Settings.from_environ({"APP": "shop.main:handler", "LOCAL_RELOAD": "off"}).watched is None
    )


def test_a_project_brings_its_folder_its_requirements_and_its_variables(tmp_path: Path) -> None:
    project = tmp_path / "chat"
    project.mkdir()
    (project / ".env").write_text("MODEL=m\n", encoding="utf-8")
    environ = {"APP": "main:h", "APP_DIR": str(project), "ENV_FILE": str(project / ".env")}
    settings = Settings.from_environ(environ)
    assert (settings.function.name, settings.function.task_root) == ("chat", project)
    assert settings.function.environment == {**STREAMS, "MODEL": "m"}
    assert settings.requirements is None
    (project / "requirements.txt").touch()
    assert Settings.from_environ(environ).requirements == project / "requirements.txt"
    own = Settings.from_environ({**environ, "LOCAL_PYTHON": "/bin/sh"})
    assert own.requirements is None, "an interpreter that is named has what it has"


def test_an_apps_function_url_has_cors_where_its_setting_says_so(tmp_path: Path) -> None:
    file = tmp_path / "variables"
    file.write_text("STREAMING_URL_CORS=true\n", encoding="utf-8")
    app = {"APP": "main:h"}
    assert not Settings.from_environ(app).url_cors
    assert Settings.from_environ({**app, "STREAMING_URL_CORS": "true"}).url_cors
    assert Settings.from_environ({**app, "ENV_FILE": str(file)}).url_cors
    assert Settings.from_environ({}).url_cors, "the service's has"


def test_the_service_by_its_name_is_the_service() -> None:
    settings = Settings.from_environ({"APP": "lambdas.sse_streaming.entrypoint:handler"})
    assert settings.feed == SENTIMENT
    assert settings.function.environment == Settings.from_environ({}).function.environment


def test_an_app_that_serves_a_feed_is_configured_for_it(tmp_path: Path) -> None:
    variables = tmp_path / ".env"
    variables.write_text("SSE_ITEMS_TABLE=jobs\nMODEL=m\n", encoding="utf-8")
    environ = {"APP": "jobs.app:handler", "ENV_FILE": str(variables), "SSE_POLL_SECONDS": "0.5"}
    app = Settings.from_environ(environ)

    settings = of_feed(app, JOBS, environ)

    configured = settings.function.configured
    assert settings.feed == JOBS
    assert settings.url_cors, "its page is of another origin, as the console's is"
    assert configured["SSE_ITEMS_TABLE"] == "jobs"
    assert configured["SSE_POLL_SECONDS"] == "0.5"
    assert configured["SSE_AUTH"] == "iam", "a partition for each caller needs callers"
    assert configured["OTEL_SERVICE_NAME"] == configured["POWERTOOLS_SERVICE_NAME"] == "jobs-app"
    assert configured["MODEL"] == "m"
    assert "SSE_POLL_SECONDS" not in app.function.configured


@pytest.mark.parametrize(
    ("environ", "advice"),
    [
        ({"APP": "main"}, "APP='main': give module:attribute"),
        ({"APP_DIR": "."}, "give the app too"),
        ({"APP": "main:h", "ENV_FILE": "/no/such/file"}, "no such file"),
    ],
)
def test_an_app_that_cannot_be_run_is_refused(environ: dict[str, str], advice: str) -> None:
    with pytest.raises(SettingError, match=advice):
        Settings.from_environ(environ)


def test_a_bad_env_file_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\nsk-secret\n", encoding="utf-8")
    with pytest.raises(SettingError, match=r"\.env': line 2 is not NAME=value"):
        Settings.from_environ({"ENV_FILE": str(tmp_path / ".env")})
