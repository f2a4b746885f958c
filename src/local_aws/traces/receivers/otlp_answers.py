"""The answers of the collector's OTLP/HTTP receiver."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

PATH = "/v1/traces"
_PROTOBUF = "application/x-protobuf"
_INVALID_ARGUMENT = 3  # google.rpc.Code
_UNAVAILABLE = 14


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    content_type: str
    body: bytes


def read(
    method: str, path: str, headers: Mapping[str, str], body: bytes
) -> tuple[ExportTraceServiceRequest | None, Answer]:
    """The decoded export, None if it cannot be decoded, and the answer to it.

    `headers` by lower-case name.
    """
    if path != PATH:
        return None, _text(404, "404 page not found")
    if method != "POST":
        return None, _text(405, "405 method not allowed, supported: [POST]")
    if headers.get("content-type", "").partition(";")[0].strip() != _PROTOBUF:
        return None, _text(415, f"415 unsupported media type, supported: [{_PROTOBUF}]")
    try:
        request = ExportTraceServiceRequest.FromString(_plain(headers, body))
    except (DecodeError, OSError, EOFError, zlib.error, ValueError) as error:
        return None, failure(400, str(error), code=_INVALID_ARGUMENT)
    answer = ExportTraceServiceResponse().SerializeToString()
    return request, Answer(200, _PROTOBUF, answer)


def failure(status: int, message: str, *, code: int = _UNAVAILABLE) -> Answer:
    return Answer(status, _PROTOBUF, Status(code=code, message=message).SerializeToString())


def _plain(headers: Mapping[str, str], body: bytes) -> bytes:
    match headers.get("content-encoding", "identity"):
        case "gzip":
            return gzip.decompress(body)
        case "deflate":
            return zlib.decompress(body)
        case "identity" | "":
            return body
        case other:
            raise ValueError(f"unsupported Content-Encoding: {other}")


def _text(status: int, message: str) -> Answer:
    return Answer(status, "text/plain", message.encode())
