"""A function that does what its request tells it to, over raw sockets.

Started as `python -m awslambdaric scripted.handler`; it asks for events itself, from its import on.
The request's query, or a field of an event that is no request, holds `script`, a JSON list of
steps:

    {"head": {NAME: VALUE}}   begins POST /response (chunked) with these headers on a new connection
    {"chunk": TEXT}           one chunk, latin-1, so that any byte can be given
    {"pour": BYTES}           chunks of 16 KiB, that many bytes in all
    {"end": {NAME: VALUE}}    the terminating chunk, with these trailers; prints the reply's status
    {"close": true}           closes the connection as it is
    {"post": PATH, "headers": {…}, "body": TEXT}   a whole POST; prints the reply
    {"next": true}            asks /next on a second connection and prints the request id it got
    {"sleep": SECONDS}        {"print": TEXT}        {"exit": STATUS}

Without a script it streams its event and its environment back, with a prelude of status 200.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote_plus

INTEGRATION = "application/vnd.awslambda.http-integration-response"
ROOT = "/2018-06-01/runtime"
HOST, PORT = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")


class Call:
    """One HTTP exchange with the Runtime API on a connection of its own."""

    def __init__(self) -> None:
        self.sock = socket.create_connection((HOST, int(PORT)))
        self._file = self.sock.makefile("rb")

    def head(self, method: str, path: str, headers: Mapping[str, str]) -> None:
        lines = [f"{method} {ROOT}{path} HTTP/1.1", f"Host: {HOST}:{PORT}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.sock.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def chunk(self, data: bytes) -> None:
        self.sock.sendall(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self, trailers: Mapping[str, str]) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in trailers.items())
        self.sock.sendall(f"0\r\n{lines}\r\n".encode("latin-1"))

    def reply(self) -> tuple[int, dict[str, str], bytes]:
        status = int(self._file.readline().split()[1])
        headers = {}
        while line := self._file.readline().strip().decode("latin-1"):
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        return status, headers, self._file.read(int(headers.get("content-length", "0")))


def post(path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
    call = Call()
    call.head("POST", path, {"Content-Length": str(len(body)), **headers})
    call.sock.sendall(body)
    status, _, answer = call.reply()
    return status, answer


def ask_next() -> tuple[dict[str, str], bytes]:
    call = Call()
    call.head("GET", "/invocation/next", {})
    _, headers, event = call.reply()
    return headers, event


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def perform(steps: list[dict[str, Any]], request_id: str) -> None:
    call: Call | None = None
    for step in steps:
        match step:
            case {"head": headers}:
                call = Call()
                call.head(
                    "POST",
                    f"/invocation/{request_id}/response",
                    {"Transfer-Encoding": "chunked", **headers},
                )
            case {"chunk": text} if call:
                call.chunk(text.encode("latin-1"))
            case {"pour": size} if call:
                for sent in range(0, size, 16384):
                    call.chunk(b"x" * 16384)
                    if sent % (1 << 20) == 0:
                        say(f"poured {sent}")
                say(f"poured {size}")
            case {"end": trailers} if call:
                call.end(trailers)
                status, _, body = call.reply()
                say(f"reply {status} {body.decode().strip()}")
            case {"close": True} if call:
                call.sock.close()
                call._file.close()
            case {"post": path, "headers": headers, "body": body}:
                status, answer = post(path.replace("{id}", request_id), headers, body.encode())
                say(f"reply {status} {answer.decode().strip()}")
            case {"next": True}:
                say(f"next {ask_next()[0].get('lambda-runtime-aws-request-id')}")
            case {"sleep": seconds}:
                time.sleep(seconds)
            case {"print": text}:
                say(text)
            case {"exit": status}:
                os._exit(status)
            case other:
                raise ValueError(f"no such step here: {other}")


def echo(headers: Mapping[str, str], event: bytes, request_id: str) -> None:
    answer = {"event": json.loads(event), "runtime": dict(headers), "environ": dict(os.environ)}
    perform(
        [
            {
                "head": {
                    "Content-Type": INTEGRATION,
                    "Lambda-Runtime-Function-Response-Mode": "streaming",
                }
            },
            {"chunk": '{"statusCode":200,"headers":{"content-type":"application/json"}}'},
            {"chunk": "\0" * 8},
            {"chunk": json.dumps(answer)},
            {"end": {}},
        ],
        request_id,
    )


def script_of(event: Any) -> list[dict[str, Any]] | None:
    match event:
        case {"rawQueryString": str(query)}:  # payload 2.0
            text = parse_qs(query).get("script", [None])[0]
        case {"multiValueQueryStringParameters": {"script": [text]}, "resource": _}:  # REST API
            pass
        case {"multiValueQueryStringParameters": {"script": [text]}} | {
            "queryStringParameters": {"script": text}
        }:  # ALB leaves it encoded
            text = unquote_plus(text)
        case {"script": list(steps)}:
            return steps
        case _:
            text = None
    return None if text is None else list(json.loads(text))


def loop() -> None:
    while True:
        headers, event = ask_next()
        request_id = headers["lambda-runtime-aws-request-id"]
        script = script_of(json.loads(event))
        if script is None:
            echo(headers, event, request_id)
        else:
            perform(script, request_id)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    loop()
