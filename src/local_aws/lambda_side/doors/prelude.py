"""The prelude of a streamed HTTP response: JSON, eight NULs, then the body as it is.

AWS keeps no chunk boundaries, so the parser takes the bytes in any cut. See the Lambda developer
guide, "Response streaming for Lambda functions", and aws-lambda-nodejs-runtime-interface-client,
HttpResponseStream.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

INTEGRATION_CONTENT_TYPE = "application/vnd.awslambda.http-integration-response"
SEPARATOR = b"\0" * 8
# API Gateway documents 16 KB for metadata and separator; Function URLs document nothing, so the
# stricter of the two holds here.
MAX_PRELUDE_BYTES = 16 * 1024


class PreludeError(ValueError):
    """The function sent a prelude that AWS could not read: the function's fault."""


@dataclass(frozen=True, slots=True)
class Prelude:
    """`multi_value_headers` count for API Gateway alone: Function URLs document none."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    cookies: tuple[str, ...] = ()
    multi_value_headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class PreludeParser:
    """Takes every chunk and returns the body bytes in it. `prelude` is None until complete."""

    prelude: Prelude | None = None
    _head: bytearray = field(default_factory=bytearray)

    def feed(self, chunk: bytes) -> bytes:
        """Raises PreludeError."""
        if self.prelude is not None:
            return chunk
        searched = max(0, len(self._head) - len(SEPARATOR) + 1)
        self._head += chunk
        end = self._head.find(SEPARATOR, searched)
        if end + len(SEPARATOR) > MAX_PRELUDE_BYTES or (
            end < 0 and len(self._head) > MAX_PRELUDE_BYTES
        ):
            raise PreludeError(f"no separator in the first {MAX_PRELUDE_BYTES} bytes")
        if end < 0:
            return b""
        self.prelude = parse_prelude(bytes(self._head[:end]))
        body = bytes(self._head[end + len(SEPARATOR) :])
        self._head.clear()
        return body


def parse_prelude(text: bytes) -> Prelude:
    """Raises PreludeError, saying what is wrong."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise PreludeError(f"the prelude is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise PreludeError("the prelude is not a JSON object")
    status = document.get("statusCode", 200)
    if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:
        raise PreludeError(f"statusCode {status!r} is no HTTP status from 200 to 599")
    headers = document.get("headers", {})
    if not isinstance(headers, dict) or not all(isinstance(v, str) for v in headers.values()):
        raise PreludeError("headers is not an object of strings")
    cookies = document.get("cookies", [])
    if not isinstance(cookies, list) or not all(isinstance(c, str) for c in cookies):
        raise PreludeError("cookies is not a list of strings")
    repeated = document.get("multiValueHeaders", {})
    if not isinstance(repeated, dict) or not all(
        isinstance(values, list) and all(isinstance(v, str) for v in values)
        for values in repeated.values()
    ):
        raise PreludeError("multiValueHeaders is not an object of lists of strings")
    pairs = tuple((name, value) for name, values in repeated.items() for value in values)
    return Prelude(status, tuple(headers.items()), tuple(cookies), pairs)
