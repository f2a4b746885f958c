"""How an app is set up: arguments, `STREAMING_*` variables, and what is wrong with either."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from functools import partial, wraps
from typing import Any

import pytest

from lambda_streaming import EventStream, asgi, streaming
from lambda_streaming.bridge.types import Receive, Scope, Send
from lambda_streaming.doors.door import InvokeMode
from lambda_streaming.environ import SettingsError
from lambda_streaming.requests import Request
from lambda_streaming.serving.settings import AppSettings, unknown_settings
from tests.unit.documentation.pages import quoted, rows_of, text_of


async def app(scope: Scope, receive: Receive, send: Send) -> None: ...


def function(request: Request) -> str:
    return request.path


def settings(environ: dict[str, str], **given: Any) -> AppSettings:
    return AppSettings.from_environ(environ, given)


VALUES: dict[str, tuple[str, object, object, object]] = {
    "INVOKE_MODE": ("STREAM", InvokeMode.STREAM, "buffer", InvokeMode.BUFFER),
    "LIFESPAN": ("off", "off", "on", "on"),
    "ROOT_PATH": ("/prod", "/prod", "/dev", "/dev"),
    "MAX_STREAM_SECONDS": ("60.5", 60.5, 10, 10),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_setting_is_read_from_its_variable_and_an_argument_wins(name: str) -> None:
    text, value, argument, wanted = VALUES[name]
    environ, field = {f"STREAMING_{name}": text}, name.lower()

    assert getattr(settings(environ), field) == value
    assert getattr(settings(environ, **{field: None}), field) == value
    assert getattr(settings(environ, **{field: argument}), field) == wanted
    assert settings({f"STREAMING_{name}": " "}) == AppSettings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INVOKE_MODE", "RESPONSE_STREAM"),
        ("LIFESPAN", "true"),
        ("MAX_STREAM_SECONDS", "5m"),
        ("MAX_STREAM_SECONDS", "901"),
        ("MAX_STREAM_SECONDS", "-1"),
        ("ERROR_STATUS", "5xx"),
        ("ERROR_STATUS", "500-"),
        ("ERROR_STATUS", "500;501"),
    ],
)
def test_a_bad_value_is_told_with_its_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"STREAMING_{name}='{value}' is not valid"):
        settings({f"STREAMING_{name}": value})


def test_error_statuses_are_statuses_and_ranges_of_them() -> None:
    wanted = settings({"STREAMING_ERROR_STATUS": "403, 500-502"})

    assert [status for status in range(100, 600) if wanted.is_error(status)] == [403, 500, 501, 502]
    assert not settings({}).is_error(500)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("STREAMING_ROOTPATH", "STREAMING_ROOT_PATH"),
        ("STREAMING_MAX_SECONDS", "STREAMING_MAX_STREAM_SECONDS"),
        ("STREAMING_FLUSH_MS", "STREAMING_FLUSH_SECONDS"),
        ("STREAMING_lifespan", "STREAMING_LIFESPAN"),
        ("STREAMING_XYZ", None),
    ],
)
def test_a_misspelt_variable_is_told_with_the_one_most_like_it(
    name: str, nearest: str | None
) -> None:
    assert unknown_settings({name: "1", "STREAMING_APP": "main:app"}) == [(name, nearest)]


def test_every_setting_of_the_library_is_known() -> None:
    names = (
        *("APP", "LIFESPAN", "ROOT_PATH", "INVOKE_MODE", "ERROR_STATUS", "URL_CORS"),
        *("MAX_STREAM_SECONDS", "TRACE_DETAIL", "TRACE_SPAN_BUDGET", "TRACE_SLOW_MS"),
        *("FLUSH_SECONDS", "CLOSE_TABLE"),
    )

    assert unknown_settings({f"STREAMING_{name}": "" for name in names}) == []


BAD_ARGUMENTS: list[tuple[dict[str, Any], str]] = [
    ({"invoke_mode": "RESPONSE_STREAM"}, "invoke_mode must be one of auto, stream, buffer"),
    ({"root_path": 7}, "root_path must be a str"),
    ({"max_stream_seconds": 0}, "max_stream_seconds must be a number of seconds, above 0"),
    (
        {"max_stream_seconds": "5m"},
        "max_stream_seconds must be a number of seconds, above 0, not '5m'",
    ),
    ({"deadline_margin_seconds": -1}, "deadline_margin_seconds must be a number of seconds"),
    ({"max_stream_seconds": -1}, "max_stream_seconds must be a number of seconds"),
    ({"max_stream_seconds": True}, "max_stream_seconds must be a number of seconds"),
    ({"deadline_margin_seconds": None}, "deadline_margin_seconds must be a number of seconds"),
    ({"stall_seconds": 0}, "stall_seconds must be a number of seconds, above 0, not 0"),
    ({"stall_seconds": None}, "stall_seconds must be a number of seconds"),
    ({"stall_seconds": "30"}, "stall_seconds must be a number of seconds"),
    ({"stall_seconds": float("nan")}, "stall_seconds must be a number of seconds"),
    ({"trusted_hops": -1}, "trusted_hops must be 0 or more"),
    ({"tracing": "on"}, "tracing must be join, own or off"),
    ({"on_restore": 7}, "on_restore must be a function"),
    ({"exclude_headers": "x-a"}, "exclude_headers must be a list"),
    ({"text_mime_types": "text/"}, "text_mime_types must be a list"),
    ({"custom_handlers": []}, "custom_handlers is Mangum's.*events="),
    ({"rootpath": "/"}, "unexpected keyword argument 'rootpath'"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_ARGUMENTS)
def test_an_argument_that_cannot_be_used_is_refused_where_it_is_written(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        asgi(app, **arguments)
    with pytest.raises((TypeError, ValueError), match=message):
        streaming(function, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lifespan": "yes"}, "lifespan must be one of auto, on, off"),
        ({"background_seconds": -1}, "background_seconds must be a number of seconds"),
        ({"root_path": "/a", "api_gateway_base_path": "/b"}, "give one of them"),
    ],
)
def test_an_argument_of_asgi_alone_is_refused_where_it_is_written(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        asgi(app, **arguments)


# Settings at work


async def tokens(request: Request) -> AsyncIterator[str]:
    yield "token"


def lines(request: Request) -> Iterator[str]:
    yield "line"


class Tokens:
    async def __call__(self, request: Request) -> AsyncIterator[str]:
        yield "token"


@pytest.mark.parametrize("function", [tokens, lines, Tokens(), partial(tokens)])
def test_a_generator_function_is_refused_with_the_line_to_write(function: Any) -> None:
    name = getattr(function, "__name__", "events")
    with pytest.raises(TypeError) as refused:
        streaming(function)

    assert f"streaming(lambda request: EventStream({name}(request)))" in str(refused.value)


def test_what_wraps_a_generator_function_may_make_an_answer_of_it() -> None:
    @wraps(tokens)
    def wrapped(request: Request) -> EventStream:
        return EventStream(tokens(request))

    streaming(wrapped)


def event(path: str) -> dict[str, Any]:
    return {"httpMethod": "GET", "path": path, "headers": {}}


def test_the_root_path_comes_from_argument_or_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMING_ROOT_PATH", "/prod")

    assert streaming(lambda one: one.root_path)(event("/prod/x"))["body"] == '"/prod"'
    assert streaming(lambda one: one.root_path, root_path="/v1")(event("/v1"))["body"] == '"/v1"'


async def described(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"text/x-own"), (b"x-inside", b"1"), (b"x-kept", b"1")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": f"{scope['root_path']}".encode()})


def test_mangums_names_do_what_they_do_there() -> None:
    handler = asgi(
        described,
        lifespan="off",
        api_gateway_base_path="/base",
        exclude_headers=["X-Inside"],
        text_mime_types=["text/x-own"],
    )

    answer = handler(event("/base/x"))

    assert answer["body"] == "/base"
    assert answer["isBase64Encoded"] is False
    assert {"x-inside", "x-kept"} & {*answer["headers"]} == {"x-kept"}


def test_what_has_no_app_or_another_handler_says_what_to_write() -> None:
    handler = asgi(app)

    with pytest.raises(Exception, match="is a handler already"):
        asgi(handler)  # type: ignore[arg-type]
    with pytest.raises(Exception, match=f'"{__name__}:made" is a handler already'):
        asgi(f"{__name__}:made")(event("/"))
    with pytest.raises(Exception, match="STREAMING_APP is to name it, as in main:app"):
        asgi("")(event("/"))


made = asgi(app)


def test_reading_the_settings_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    settings({"STREAMING_LIFESPAN": "on"})

    assert caplog.text == ""


@pytest.mark.parametrize(
    ("value", "sent"), [("", b"1\r\n\n\r\n"), ("BYTE", b"1\r\n\n\r\n"), ("none", b"")]
)
def test_the_byte_of_an_empty_body_can_be_switched_off(value: str, sent: bytes) -> None:
    settings = AppSettings.from_environ({"STREAMING_EMPTY_BODY": value}, {})
    assert settings.empty_body == sent


def test_every_setting_is_known_by_its_name() -> None:
    names = [quoted(row[0])[0] for row in rows_of(text_of("docs/apps.md"), "variable")]
    assert unknown_settings(dict.fromkeys(names, "1")) == []
