"""How an app fails its answer, beside what it raises."""

from __future__ import annotations


class DeadlineReached(Exception):
    """A stream was cut off because the invocation's deadline came near."""

    public_type = "Deadline"


class StreamTooLong(Exception):
    """A body was open for `max_stream_seconds`, and is none that may end anywhere, as an event
    stream may."""

    public_type = "MaxStream"


class IncompleteResponse(Exception):
    """The app returned before the end of its answer."""
