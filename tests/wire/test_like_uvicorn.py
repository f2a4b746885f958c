"""The same app at a Function URL and under uvicorn: clients and the app see the same.

FUNCTION_URL and UNLIKE are all that differs, each with its reason.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_aws.background import BackgroundStack
from local_aws.settings import Settings
from tests.counts import count
from tests.fakes.functions import echo_app
from tests.fakes.functions.echo_app import FailsAt, Plan

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """Texts are bytes in Latin-1."""

    method: str = "GET"
    target: str = "/"
    headers: Pairs = ()
    body: str = ""
    plan: Plan = field(default_factory=Plan)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Pairs
    body: bytes
    is_cut: bool = False
    """The connection was closed before the end of the body."""


# What differs

UNLIKE = {
    "date": "both front ends write it",
    "server": "names uvicorn",
    "content-length": "a streamed answer has none",
    "transfer-encoding": "is between a front end and its client",
    "connection": "is between a front end and its client",
    "x-amzn-requestid": "Lambda's",
    "x-amzn-trace-id": "Lambda's",
    "x-amzn-remapped-content-length": "what Lambda makes of an app's Content-Length",
}
"""Headers of answers that are not compared."""

UNSEEN = {
    "host": "is each server's own address",
    "connection": "is between a front end and its client",
    "x-amzn-trace-id": "the front door's",
    "x-forwarded-for": "the front door's",
    "x-forwarded-port": "the front door's",
    "x-forwarded-proto": "the front door's",
}
"""Headers of requests that are not compared; nor are scheme, client and server of the scope."""


Told = tuple[dict[str, Any], str]
"""What the app saw, and the rest of its body."""


def told(answer: Answer) -> Told | None:
    if not answer.body.startswith(b'{"method"'):
        return None
    seen, end = json.JSONDecoder().raw_decode(text := answer.body.decode("latin-1"))
    return seen, text[end:]


def repeated_request_headers_are_joined(ask: Ask, answer: Answer) -> Answer:
    """The event has one value for each header, and cookies as a list, which RFC 6265 (section 5.4)
    joins by "; "."""
    if (found := told(answer)) is None:
        return answer
    seen, rest = found
    joined: dict[str, list[str]] = {}
    for name, value in seen["headers"]:
        values = [one.strip() for one in value.split(";")] if name == "cookie" else [value]
        joined.setdefault(name, []).extend(values)
    seen["headers"] = [
        (name, ("; " if name == "cookie" else ",").join(values)) for name, values in joined.items()
    ]
    return replace(answer, body=(json.dumps(seen) + rest).encode("latin-1"))


def repeated_headers_are_joined(ask: Ask, answer: Answer) -> Answer:
    """The prelude has one value for each header but Set-Cookie (RFC 9110, section 5.3), whose list
    has no empty elements (section 5.6.1)."""
    joined: dict[str, list[str]] = {}
    cookies = [("set-cookie", value) for name, value in answer.headers if name == "set-cookie"]
    for name, value in answer.headers:
        if name != "set-cookie":
            joined.setdefault(name, []).append(value)
    pairs = [(name, ", ".join(filter(None, values))) for name, values in joined.items()]
    return replace(answer, headers=(*pairs, *cookies))


def a_body_has_a_type(ask: Ask, answer: Answer) -> Answer:
    """The Function URL's own, where the app names none."""
    if any(name == "content-type" for name, _ in answer.headers):
        return answer
    own = ("content-type", "application/octet-stream")
    return replace(answer, headers=(*answer.headers, own))


def a_body_that_fails_has_an_end(ask: Ask, answer: Answer) -> Answer:
    """The error stands in the trailers of the answer to Lambda, which passes none of them on."""
    return replace(answer, is_cut=False)


def an_empty_body_is_a_newline(ask: Ask, answer: Answer) -> Answer:
    """A Function URL hangs where the prelude is all there is
    (https://github.com/aws/aws-lambda-nodejs-runtime-interface-client/issues/95)."""
    has_body = ask.method != "HEAD" and answer.status not in (204, 304)
    if answer.body or not has_body:
        return answer
    return replace(answer, body=b"\n")


def what_fails_before_the_body_is_a_500(ask: Ask, answer: Answer) -> Answer:
    """uvicorn has sent the head by then; here it waits for the body's first block."""
    plan = ask.plan
    has_blocks = bool(plan.blocks or plan.tells)
    if plan.fails_at != "started" and (
        has_blocks or plan.fails_at not in ("in_body", "unfinished")
    ):
        return answer
    body = b"" if ask.method == "HEAD" else b"Internal Server Error"
    return Answer(500, (("content-type", "text/plain; charset=utf-8"),), body)


FUNCTION_URL: tuple[Callable[[Ask, Answer], Answer], ...] = (
    what_fails_before_the_body_is_a_500,
    repeated_request_headers_are_joined,
    a_body_that_fails_has_an_end,
    an_empty_body_is_a_newline,
    a_body_has_a_type,
    repeated_headers_are_joined,
)


# The two servers


@contextmanager
def under_uvicorn() -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        echo_app.app, log_level="critical", lifespan="off", http="h11", access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    """uvicorn's, and the Function URL's."""
    environ = {
        "PORT": "0",
        "APP": "echo_app:handler",
        "APP_DIR": str(Path(echo_app.__file__).parent),
        "LOCAL_RELOAD": "off",
    }
    with under_uvicorn() as uvicorns, BackgroundStack(Settings.from_environ(environ)) as stack:
        yield uvicorns, int(stack.url.rpartition(":")[2].strip("/"))


def answered(port: int, ask: Ask) -> Answer:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.putrequest(ask.method, ask.target, skip_accept_encoding=True)
        for name, value in (*ask.headers, ("x-plan", ask.plan.encoded())):
            connection.putheader(name, value.encode("latin-1"))
        body = ask.body.encode("latin-1")
        if body or ask.method in ("POST", "PUT", "PATCH"):
            connection.putheader("content-length", str(len(body)))
        connection.endheaders(body or None)
        response = connection.getresponse()
        headers = tuple((name.lower(), value) for name, value in response.getheaders())
        received, is_cut = b"", False
        try:
            while block := response.read1():
                received += block
        except (HTTPException, OSError):
            is_cut = True
        return Answer(response.status, headers, received, is_cut)
    finally:
        connection.close()


# What is asked

VISIBLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
FIELD_VALUES = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_categories=["Cc"]), max_size=20
)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=10).map("x-{}".format)
PATHS = st.lists(
    st.one_of(
        st.text("abcXYZ019-._~!$&'()*+,;=:@", max_size=8),
        st.sampled_from(["%20", "%2F", "%c3%a9", "%ff", "%25", "%zz", "a%3Fb", "%E2%82%AC", ".."]),
    ),
    max_size=4,
).map(lambda parts: "/" + "/".join(parts))
QUERIES = st.one_of(
    st.just(""),
    st.lists(
        st.tuples(st.text("abc%20+", max_size=5), st.text("xyz%26+=", max_size=6)), max_size=4
    ).map(lambda pairs: "?" + "&".join(f"{name}={value}" for name, value in pairs)),
    st.text("ab=&?/;%+.[]{}|^", max_size=12).map("?{}".format),
)
COOKIES = st.lists(
    st.tuples(st.text("abc", min_size=1, max_size=3), st.text("xyz=0", max_size=5)),
    min_size=1,
    max_size=3,
).map(lambda pairs: ("cookie", "; ".join(f"{name}={value}" for name, value in pairs)))
REQUEST_HEADERS = st.lists(
    st.one_of(
        st.tuples(NAMES, FIELD_VALUES),
        st.tuples(st.sampled_from(["x-twice", "accept", "accept-language"]), FIELD_VALUES),
        st.sampled_from(
            [("content-type", "application/json"), ("content-type", "image/png"), ("accept", "*/*")]
        ),
        COOKIES,
    ),
    max_size=5,
).map(tuple)
SET_COOKIES = st.builds(
    "{}={}; Path=/; HttpOnly".format,
    st.text("abc", min_size=1, max_size=3),
    st.text("xyz0", max_size=5),
)
ANSWER_HEADERS = st.lists(
    st.one_of(
        st.tuples(NAMES, FIELD_VALUES),
        st.tuples(st.just("x-twice"), FIELD_VALUES),
        st.tuples(st.just("set-cookie"), SET_COOKIES),
        st.sampled_from(
            [
                ("content-type", "text/plain"),
                ("content-type", "text/event-stream"),
                ("location", "/elsewhere?a=b"),
                ("Cache-Control", "no-store"),
                ("content-encoding", "gzip"),
                ("vary", "Accept"),
                ("vary", "Cookie"),
                ("www-authenticate", 'Basic realm="a, b"'),
                ("etag", '"1"'),
            ]
        ),
    ),
    max_size=5,
).map(tuple)
STATUSES = st.sampled_from(
    [200] * 8
    + [201, 202, 203, 206, 204, 304, 300, 301, 302, 303, 307, 308]
    + [400, 401, 403, 404, 405, 409, 410, 418, 422, 429, 431, 451, 500, 501, 502, 503, 504, 599]
)
OCTETS = st.text(st.characters(min_codepoint=0, max_codepoint=0xFF), max_size=40)
FAILURES: list[FailsAt] = ["before", "silent", "started", "in_body", "unfinished"]


def as_an_app_may(plan: Plan) -> Plan:
    """uvicorn fails an app that gives a body to a status without one."""
    if plan.status not in (204, 304):
        return plan
    return replace(plan, blocks=(), tells=False, has_length=False)


PLANS = st.builds(
    Plan,
    status=STATUSES,
    headers=ANSWER_HEADERS,
    blocks=st.lists(OCTETS, max_size=4).map(tuple),
    tells=st.booleans(),
    is_one_message=st.booleans(),
    has_length=st.booleans(),
    fails_at=st.one_of(st.just(""), st.just(""), st.sampled_from(FAILURES)),
).map(as_an_app_may)
ASKS = st.builds(
    Ask,
    method=st.sampled_from(["GET", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]),
    target=st.builds("{}{}".format, PATHS, QUERIES),
    headers=REQUEST_HEADERS,
    body=OCTETS,
    plan=PLANS,
)


def comparable(answer: Answer) -> Any:
    """Without what is each server's own; the order of headers is theirs, too."""
    cookies = [value for name, value in answer.headers if name == "set-cookie"]
    headers = sorted(pair for pair in answer.headers if pair[0] not in {"set-cookie", *UNLIKE})
    body: bytes | Told = answer.body
    if (found := told(answer)) is not None:
        seen, rest = found
        kept = sorted(pair for pair in seen["headers"] if pair[0] not in UNSEEN)
        body = {**seen, "headers": kept}, rest
    return answer.status, headers, cookies, body, answer.is_cut


def test_a_function_url_answers_as_uvicorn_does(ports: tuple[int, int]) -> None:
    uvicorns, urls = ports

    @settings(max_examples=count(1000), deadline=None, suppress_health_check=list(HealthCheck))
    @given(ASKS)
    def alike(ask: Ask) -> None:
        wanted = answered(uvicorns, ask)
        for rule in FUNCTION_URL:
            wanted = rule(ask, wanted)

        assert comparable(answered(urls, ask)) == comparable(wanted)

    alike()
