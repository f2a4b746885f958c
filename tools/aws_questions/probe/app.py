"""Answers each path in one way that AWS documents nowhere; `make verify-aws APP=probe` asks it.

It tells nothing that is secret: of variables, headers and events the names alone. What a request
may cost is bounded. Still, give it AWS_IAM, and remove it afterwards.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn
from urllib.parse import parse_qsl

from lambda_streaming.serving.take_over import LambdaHandler, arm
from tools.aws_questions.probe.runtime_call import Invocation, RuntimeCalls

MAX_SECONDS = 600.0
MAX_BYTES = 128 * 1024
_JSON = {"content-type": "application/json"}
_TEXT = {"content-type": "text/plain"}


class Asked(NamedTuple):
    """A request, as far as the probe reads it. `raw_path` is the path as the event has it."""

    raw_path: str
    options: Mapping[str, str]
    is_streamed: bool

    @property
    def what(self) -> str:
        return self.raw_path.strip("/").partition("/")[0]

    def number(self, name: str, most: float, default: float = 0.0) -> float:
        return max(0.0, min(float(self.options.get(name, default)), most))


def asked(event: Mapping[str, Any]) -> Asked | None:
    """None for an event that is no request."""
    match event:
        case {"rawPath": str(path), "rawQueryString": str(query)}:
            domain = event.get("requestContext", {}).get("domainName", "")
            return Asked(path, dict(parse_qsl(query)), ".lambda-url." in domain)
        case {"path": str(path), "httpMethod": str()}:
            is_rest = "version" not in event  # an HTTP API's events of format 1.0 have it
            return Asked(path, dict(event.get("queryStringParameters") or {}), is_rest)
    return None


class Probe:
    """The function's life in one execution environment."""

    def __init__(
        self, calls: RuntimeCalls, environ: Mapping[str, str], sleep: Callable[[float], None]
    ) -> None:
        self._calls = calls
        self._environ = environ
        self._sleep = sleep
        self._invocations = 0
        self._other_events: list[list[str]] = []
        self._ways: Mapping[str, Callable[[Invocation, Asked], None]] = {
            "bytes": self._bytes,
            "prelude": self._prelude,
            "headers": self._headers,
            "silence": self._silence,
            "late": self._late,
            "fail": self._fail,
            "break": self._break,
        }

    def serve(self) -> NoReturn:
        while True:
            invocation = self._calls.next()
            self._invocations += 1
            request = asked(invocation.event)
            if request is None:
                self._other_events.append(sorted(invocation.event))
                self._calls.answer_whole(invocation, {})
                continue
            try:
                self._ways.get(request.what, self._echo)(invocation, request)
            except (KeyError, ValueError):  # an option that is none, read before the answer
                self._calls.fail(invocation)

    def _echo(self, invocation: Invocation, request: Asked) -> None:
        """What arrived, and with which names around it."""
        event = invocation.event
        document = {
            "raw_path": request.raw_path,
            "raw_query": event.get("rawQueryString"),
            "event_names": sorted(_names(event)),
            "runtime_api_names": sorted(invocation.fields),
            "trace_header": invocation.fields.get("lambda-runtime-trace-id"),
            "variables": sorted(self._environ),
            "handler": self._environ.get("_HANDLER"),
            "invocations": self._invocations,
            "other_events": self._other_events,
        }
        self._reply(invocation, request, document)

    def _reply(self, invocation: Invocation, request: Asked, document: Mapping[str, Any]) -> None:
        text = json.dumps(document)
        if not request.is_streamed:
            whole = {"statusCode": 200, "headers": _JSON, "body": text}
            self._calls.answer_whole(invocation, whole)
            return
        stream = self._calls.stream(invocation)
        stream.prelude({"statusCode": 200, "headers": _JSON})
        stream.send(text.encode())
        stream.end()

    def _bytes(self, invocation: Invocation, request: Asked) -> None:
        """A body of so many bytes, below any status."""
        status = int(request.number("status", 599, 200))
        body = b"\n" * int(request.number("count", MAX_BYTES))
        stream = self._calls.stream(invocation)
        stream.prelude({"statusCode": status, "headers": _TEXT})
        stream.send(body)
        stream.end()

    def _prelude(self, invocation: Invocation, request: Asked) -> None:
        """A prelude of so many bytes."""
        size_bytes = int(request.number("size", MAX_BYTES))
        stream = self._calls.stream(invocation)
        stream.prelude({"statusCode": 200, "headers": _TEXT}, size_bytes)
        stream.send(b"whole")
        stream.end()

    def _headers(self, invocation: Invocation, request: Asked) -> None:
        """Headers in a form that not every front door documents."""
        forms: Mapping[str, Mapping[str, Any]] = {
            "array": {"headers": {**_TEXT, "x-probe": ["one", "two"]}},
            "multi": {"headers": _TEXT, "multiValueHeaders": {"x-probe": ["one", "two"]}},
            "length": {"headers": {**_TEXT, "content-length": "5"}},
        }
        form = forms[request.options.get("form", "array")]
        stream = self._calls.stream(invocation)
        stream.prelude({"statusCode": 200, **form})
        stream.send(b"whole")
        stream.end()

    def _silence(self, invocation: Invocation, request: Asked) -> None:
        """One byte, a silence, another byte."""
        seconds = request.number("seconds", MAX_SECONDS)
        stream = self._calls.stream(invocation)
        stream.prelude({"statusCode": 200, "headers": _TEXT})
        stream.send(b"1")
        self._sleep(seconds)
        stream.send(b"2")
        stream.end()

    def _late(self, invocation: Invocation, request: Asked) -> None:
        """A silence before everything."""
        self._sleep(request.number("seconds", MAX_SECONDS))
        self._reply(invocation, request, {})

    def _fail(self, invocation: Invocation, request: Asked) -> None:
        self._calls.fail(invocation)

    def _break(self, invocation: Invocation, request: Asked) -> None:
        """A body that fails after its first byte."""
        stream = self._calls.stream(invocation)
        stream.prelude({"statusCode": 200, "headers": _TEXT})
        stream.send(b"1")
        stream.end(failed=True)


def _names(event: object, above: str = "") -> set[str]:
    """Of every field, those of headers included, and no value."""
    if not isinstance(event, Mapping):
        return set()
    named = {f"{above}{name}" for name in event}
    return named.union(*(_names(value, f"{above}{name}.") for name, value in event.items()))


def _serve() -> NoReturn:
    calls = RuntimeCalls(os.environ["AWS_LAMBDA_RUNTIME_API"])
    Probe(calls, os.environ, time.sleep).serve()


handler = arm(LambdaHandler(_serve), os.environ, sys.argv, __name__)
