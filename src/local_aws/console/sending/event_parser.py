"""Server-Sent Events as a developer wants to see them: comments and all fields too.

The lines and fields are those of https://html.spec.whatwg.org/multipage/server-sent-events.html
(section 9.2.6), for which a block without data is no event: here it is one that says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"
_MAX_LINE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Comment:
    text: str


@dataclass(slots=True)
class Block:
    """The fields between two blank lines; None: not given. Without `data` no browser fires it."""

    event: str | None = None
    id: str | None = None
    retry: str | None = None
    data: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return self == Block()


class EventParser:
    """Takes the bytes in any cut."""

    def __init__(self) -> None:
        self._rest = b""
        self._block = Block()
        self._has_begun = False

    def feed(self, data: bytes) -> Iterator[Comment | Block]:
        """What has become whole. Of a line only the first 256 KB are kept."""
        looked_at = max(0, len(self._rest) - 1)  # but a CR at the end, whose LF was on the way
        self._rest += data
        if not self._has_begun:
            if len(self._rest) < len(_BOM) and _BOM.startswith(self._rest):
                return
            self._has_begun = True
            self._rest = self._rest.removeprefix(_BOM)
            looked_at = 0
        at = 0
        while end := _LINE_END.search(self._rest, max(at, looked_at)):
            if end.group() == b"\r" and end.end() == len(self._rest):
                break  # its LF may be on the way
            yield from self._line(self._rest[at : end.start()].decode(errors="replace"))
            at = end.end()
        self._rest = self._rest[at:][:_MAX_LINE_BYTES]

    @property
    def has_unfinished_block(self) -> bool:
        """Whether the stream would end inside a block, which browsers then drop."""
        return bool(self._rest.strip(b"\r\n")) or not self._block.is_empty

    def _line(self, line: str) -> Iterator[Comment | Block]:
        if not line:
            if not self._block.is_empty:
                yield self._block
            self._block = Block()
        elif line.startswith(":"):
            yield Comment(line[1:].removeprefix(" "))
        else:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            match name:
                case "data":
                    self._block.data.append(value)
                case "event":
                    self._block.event = value
                case "id" if "\0" not in value:
                    self._block.id = value
                case "retry":
                    self._block.retry = value
