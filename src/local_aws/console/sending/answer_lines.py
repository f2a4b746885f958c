"""An answer as JSON for the console's page: its head, its chunks with their times, its events."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Any

import h11

from local_aws.console.sending.event_parser import Comment, EventParser

Line = dict[str, Any]

_SHOWN_CHARACTERS = 2_000  # of one chunk, and of one event's data
_SHOWN_BYTES = 96  # of one that is no text
_SHOWN_IN_ALL = 1_000_000
_TEXT = re.compile(
    r"text/|application/(json|javascript|xml|x-ndjson|x-www-form-urlencoded|[\w.-]+\+(json|xml))\b"
)
_CHARSET = re.compile(r"charset=\"?([\w.:-]+)", re.ASCII)


class AnswerLines:
    """Each line has `at_ms`, counted from the request; chunks and events `at` too, in epoch
    seconds, which places them in a trace.
    """

    def __init__(self, head: h11.Response) -> None:
        self.headers = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers
        ]
        self.status = head.status_code
        first = dict(reversed(self.headers))
        content_type = first.get("content-type", "").lower()
        is_encoded = first.get("content-encoding", "identity").lower() != "identity"
        is_text = bool(_TEXT.match(content_type)) and not is_encoded
        is_stream = content_type.partition(";")[0].strip() == "text/event-stream"
        self._events = EventParser() if is_stream and not is_encoded else None
        self._text = _decoder(content_type) if is_text and self._events is None else None
        self._left = _SHOWN_IN_ALL

    def head(self, *, at_ms: float) -> Line:
        return {
            "kind": "head",
            "at_ms": at_ms,
            "status": self.status,
            "headers": self.headers,
            "has_events": self._events is not None,
        }

    def chunk(self, data: bytes, *, at_ms: float, at: float) -> Iterator[Line]:
        """The chunk, and the events and comments that became whole with it."""
        when = {"at_ms": at_ms, "at": at}
        size = len(data)
        if self._events is None:
            yield {"kind": "chunk", **when, "size": size, **self._content(data)}
            return
        yield {"kind": "chunk", **when, "size": size}
        for one in self._events.feed(data):
            if isinstance(one, Comment):
                yield {"kind": "comment", **when, **self._cut(one.text)}
                continue
            fields = {"event": one.event, "id": one.id, "retry": one.retry}
            shown = self._cut("\n".join(one.data)) if one.data else {"text": None}
            yield {"kind": "event", **when, **fields, **shown}

    def end(self, *, at_ms: float) -> Line:
        unfinished = self._events is not None and self._events.has_unfinished_block
        return {"kind": "end", "at_ms": at_ms, "has_unfinished_event": unfinished}

    def _content(self, data: bytes) -> Line:
        if self._text is not None:
            return self._cut(self._text.decode(data))
        shown = data[: min(_SHOWN_BYTES, self._left)]
        self._left -= len(shown)
        return {"hex": shown.hex(" "), "is_cut": len(shown) < len(data)}

    def _cut(self, text: str) -> Line:
        shown = text[: min(_SHOWN_CHARACTERS, self._left)]
        self._left -= len(shown)
        return {"text": shown, "is_cut": len(shown) < len(text)}


def _decoder(content_type: str) -> codecs.IncrementalDecoder:
    """One that keeps the half of a character that a chunk ends with."""
    named = _CHARSET.search(content_type)
    try:
        return codecs.getincrementaldecoder(named[1] if named else "utf-8")("replace")
    except LookupError:
        return codecs.getincrementaldecoder("utf-8")("replace")
