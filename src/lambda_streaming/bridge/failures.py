"""How an app fails its answer, beside what it raises."""

from __future__ import annotations


class StreamTooLong(Exception):
    """A body was open for `max_stream_seconds`, and is none that may end anywhere, as an event
    stream may."""

    public_type = "MaxStream"


class IncompleteResponse(Exception):
    """The app returned before the end of its answer."""
