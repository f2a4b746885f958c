"""What can go wrong between this process and the Runtime API."""

from __future__ import annotations


class RuntimeApiError(Exception):
    """The Runtime API, or the way to it, failed us."""


class ConnectionLostError(RuntimeApiError):
    """The connection could not be made, or ended before the exchange was complete."""


class MalformedReplyError(RuntimeApiError):
    """The Runtime API sent something that is no HTTP/1.1 reply, or lacks what it must have."""


class RefusedError(RuntimeApiError):
    """The Runtime API answered with a status that is no success."""

    def __init__(self, what: str, status: int) -> None:
        super().__init__(f"the Runtime API answered {status} to {what}")
        self.status = status
