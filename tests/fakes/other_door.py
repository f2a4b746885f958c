"""A front door that behaves otherwise than AWS is assumed to: every answer of the probe differs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from tests.fakes.http_stand_in import HttpStandIn

_BROKEN_CHUNK = b"1\r\n1\r\n"
_STRAY_BODY = b"1\r\n\n\r\n0\r\n\r\n"
_ECHO = {
    "raw_path": "/changed",
    "event_names": ["requestContext.responseTransferMode"],
    "runtime_api_names": [],
    "variables": [],
    "trace_header": "Root=1-00000000-000000000000000000000000;Sampled=0",
    "handler": None,
    "other_events": [["completion", "requestId"]],
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asks_for_signature = False
    silence_seconds = ""

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        options = {name: value for name, (value,) in parse_qs(address.query).items()}
        if self.asks_for_signature and "Authorization" not in self.headers:
            self._whole(403, b'{"message":"Forbidden"}')
            return
        match address.path.strip("/").partition("/")[0]:
            case "bytes" if options["count"] == "0":
                self._whole(int(options["status"]), b"")
            case "bytes":
                self._head(int(options["status"]), [])
                self.wfile.write(_STRAY_BODY)
            case "prelude":
                self._whole(200, b"whole")
            case "headers" if options["form"] == "length":
                self._whole(200, b"whole")
            case "headers":
                self._whole(200, b"whole", [("x-probe", "one"), ("x-probe", "three")])
            case "silence" if options["seconds"] == self.silence_seconds:
                self._break_off()
            case "silence":
                self._whole(200, b"12")
            case "late" if options["seconds"] == self.silence_seconds:
                self.close_connection = True
            case "late" | "fail":
                self._whole(200, b"{}")
            case "break":
                self._break_off()
            case _:
                self._whole(200, json.dumps(_ECHO).encode())

    do_HEAD = do_GET  # noqa: N815  (the names are http.server's)

    def _head(self, status: int, fields: Sequence[tuple[str, str]]) -> None:
        self.send_response_only(status)
        for name, value in fields:
            self.send_header(name, value)
        self.end_headers()

    def _whole(self, status: int, body: bytes, fields: Sequence[tuple[str, str]] = ()) -> None:
        length = [] if status in (204, 304) else [("content-length", str(len(body)))]
        self._head(status, [*fields, *length])
        self.wfile.write(body)

    def _break_off(self) -> None:
        self._head(200, [("transfer-encoding", "chunked")])
        self.wfile.write(_BROKEN_CHUNK)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def other_door(*, silence_seconds: float, asks_for_signature: bool = False) -> Iterator[str]:
    """Its address. It cuts off where the function is silent for so long."""
    handler = type(
        "Handler",
        (_Handler,),
        {"silence_seconds": f"{silence_seconds:g}", "asks_for_signature": asks_for_signature},
    )
    with HttpStandIn(handler) as server:
        yield server.url
