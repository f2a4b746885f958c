"""The tables of settings, of the function and of the local stack, are what the code reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import pytest

from lambda_streaming.environ import SettingsError
from lambda_streaming.serving.settings import AppSettings
from lambda_streaming.tracing.settings import TracingSettings
from lambdas.sse_streaming.settings import Settings
from local_aws import settings as local_settings
from local_aws.feed.sentiment.function import ENVIRONMENT
from local_aws.settings import REPOSITORY_ROOT
from local_aws.state_file import state_file
from tests.fakes.streams import REQUIRED, make_settings
from tests.unit.documentation.pages import (
    PAGES,
    ROOT,
    code_of,
    prose_of,
    quoted,
    rows_of,
    text_of,
)

SETTINGS, LOCAL_STACK = "docs/settings.md", "docs/local-stack.md"
FUNCTION_ROWS = {
    quoted(name)[0]: (default, allowed)
    for name, default, allowed, _ in rows_of(text_of(SETTINGS), "variable")
}
LOCAL_ROWS = {
    quoted(name)[0]: default for name, default, _ in rows_of(text_of(LOCAL_STACK), "variable")
}
BARE = {name: value for name, value in REQUIRED.items() if name != "SSE_ID_KEY"}


class Recording(dict[str, str]):
    """An environment that notes what it was asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.asked.add(name)
        return super().get(name, default)


def asked_by(read: Callable[[Mapping[str, str]], object], values: Mapping[str, str]) -> set[str]:
    environ = Recording(values)
    read(environ)
    return environ.asked


def refusal(name: str, value: str) -> str:
    """Empty where the function takes the value."""
    try:
        Settings.from_environ({**BARE, name: value})
    except SettingsError as error:
        return str(error)
    return ""


def test_every_variable_of_the_function_has_its_row() -> None:
    asked = asked_by(Settings.from_environ, BARE)
    assert asked - {"AWS_LAMBDA_EXEC_WRAPPER"} == set(FUNCTION_ROWS)
    assert "`AWS_LAMBDA_EXEC_WRAPPER` must not be set" in text_of(SETTINGS)


@pytest.mark.parametrize("name", FUNCTION_ROWS)
def test_a_default_is_the_functions(name: str) -> None:
    default, _ = FUNCTION_ROWS[name]
    if default == "required":
        without = {other: value for other, value in BARE.items() if other != name}
        with pytest.raises(SettingsError, match=f"{name} is not set"):
            Settings.from_environ(without)
    elif default == "none":
        assert getattr(Settings.from_environ(BARE), name.removeprefix("SSE_").lower()) is None
    else:
        (value,) = quoted(default)
        assert Settings.from_environ({**BARE, name: value}) == Settings.from_environ(BARE)


@pytest.mark.parametrize("name", FUNCTION_ROWS)
def test_a_range_is_the_functions(name: str) -> None:
    _, allowed = FUNCTION_ROWS[name]
    said = refusal(name, "x")
    if bounds := re.search(r"a number from (\S+) to (\S+)", said):
        low, high = re.findall(r"[\d.]+", allowed)
        assert (float(low), float(high)) == (float(bounds[1]), float(bounds[2]))
        is_whole = "a whole number" in refusal(name, str(float(low) + 0.5))
        assert allowed.endswith(", whole") == is_whole or "_MS" in name  # those are rounded
    elif choices := re.search(r"one of (.+)", said):
        assert quoted(allowed) == choices[1].split(", ")
    elif sizes := re.search(r"(\d+ to \d+ bytes)", said):
        assert allowed == sizes[1]
    else:
        assert allowed == ""


def test_what_one_value_makes_of_the_others_default_is_so() -> None:
    examples = re.findall(
        r"`(SSE_\w+)=([\d.]+)`\s+makes\s+`SSE_(\w+)`\s+(\d+(?:\.\d+)?)", prose_of(SETTINGS)
    )
    assert len(examples) == 3
    for name, value, other, becomes in examples:
        assert getattr(make_settings(**{name: value}), other.lower()) == float(becomes)


def test_every_variable_of_an_app_has_its_row() -> None:
    asked = asked_by(lambda environ: AppSettings.from_environ(environ, {}), {})
    asked |= asked_by(TracingSettings.from_environ, {})
    streaming = {name for name in asked if name.startswith("STREAMING_")} | {"STREAMING_APP"}
    page = rows_of(text_of("docs/apps.md"), "variable")
    rows = {quoted(row[0])[0]: quoted(row[1]) for row in page}
    assert set(rows) == streaming
    stated = {name: default[0] for name, default in rows.items() if default}
    assert AppSettings.from_environ(stated, {}) == AppSettings.from_environ({}, {})
    assert TracingSettings.from_environ(stated) == TracingSettings.from_environ({})


def test_every_switch_of_the_local_stack_has_its_row() -> None:
    asked = asked_by(local_settings.Settings.from_environ, {})
    assert asked <= set(LOCAL_ROWS)
    source = "".join(path.read_text() for path in (ROOT / "src/local_aws").rglob("*.py"))
    assert [name for name in LOCAL_ROWS if f'"{name}"' not in source] == []


@pytest.mark.parametrize("name", LOCAL_ROWS)
def test_a_default_is_the_local_stacks(name: str) -> None:
    read = local_settings.Settings.from_environ
    if name == "LOCAL_STATE_FILE":
        assert (
            str(state_file(read({}), port=read({}).port).relative_to(REPOSITORY_ROOT))
            == quoted(LOCAL_ROWS[name])[0]
        )
    elif LOCAL_ROWS[name] not in ("none", "found"):
        assert read({name: quoted(LOCAL_ROWS[name])[0]}) == read({})


def test_the_local_stacks_other_defaults_are_named() -> None:
    required = {
        name: value
        for name, value in ENVIRONMENT.items()
        if name.endswith(("_TABLE", "SERVICE_NAME"))
    }
    plain = Settings.from_environ(required)
    other = [
        f"`{name}={value}`"
        for name, value in ENVIRONMENT.items()
        if Settings.from_environ({**required, name: value}) != plain
    ]
    assert len(other) == 3
    assert [one for one in other if one not in text_of(LOCAL_STACK)] == []


@pytest.mark.parametrize("page", PAGES)
def test_no_page_names_a_variable_that_nobody_reads(page: str) -> None:
    inputs = {name.removeprefix("SSE_").lower() for name in FUNCTION_ROWS}
    for code in code_of(page):
        named = set(re.findall(r"\b(?:SSE|LOCAL|OTEL)_[A-Z_]*[A-Z]\b(?!_)", code))
        assert named <= {*FUNCTION_ROWS, *LOCAL_ROWS}, code
        assert set(re.findall(r"\bsettings\.([a-z_]+)\b", code)) <= inputs, code
