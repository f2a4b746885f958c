"""What a front door is, and when it gets a streamed answer."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from lambda_streaming.doors.answering import AnswerOptions
    from lambda_streaming.requests import Request
    from lambda_streaming.responses import Response


class Streams(enum.Enum):
    """Whether a front door passes on a streamed answer."""

    ALWAYS = "always"
    """Unless it was set up to buffer."""
    BY_SETTING = "by setting"
    """Only where it was set up to stream."""
    NEVER = "never"


class InvokeMode(enum.StrEnum):
    """How the front doors before the function were set up."""

    AUTO = "auto"
    """As they are unless somebody changes it: a Function URL of the library's own Terraform
    streams, a REST API buffers."""
    STREAM = "stream"
    BUFFER = "buffer"


class Door(Protocol):
    """A front door: each module of this package that has these names is one."""

    NAME: str
    STREAMS: Streams

    def recognises(self, event: Mapping[str, Any]) -> bool: ...

    def read_request(self, event: Mapping[str, Any], context: object) -> Request:
        """The request of an event that this door recognises. Raises BadRequest."""

    def answer(
        self, response: Response, event: Mapping[str, Any], options: AnswerOptions = ...
    ) -> dict[str, Any]:
        """The JSON object that the door takes for a buffered answer to this event.

        Raises AnswerTooLarge, and ValueError or TypeError for a status or header that cannot stand
        on the wire.
        """


def streams(door: Door, mode: InvokeMode) -> bool:
    """Whether the answer to an event of this door is streamed."""
    if door.STREAMS is Streams.ALWAYS:
        return mode is not InvokeMode.BUFFER
    return door.STREAMS is Streams.BY_SETTING and mode is InvokeMode.STREAM
