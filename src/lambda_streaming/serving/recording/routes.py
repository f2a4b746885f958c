"""What a request's path is called in logs and traces.

Paths have secrets in them (reset links, session ids), and whoever sends requests chooses them: as
they are, they would be a name of their own in X-Ray for each request.
"""

from __future__ import annotations

import re

NO_ROUTE = "(no route)"

_MAX_LENGTH = 200
_WORD = re.compile(r"[A-Za-z._-]+\d{0,2}[A-Za-z._-]*")
_MAX_WORD_LENGTH = 24


def shortened(path: str) -> str:
    """Only short segments of letters are kept, with a version's one or two digits (`v1`)."""
    segments = path[: 4 * _MAX_LENGTH].split("/")
    return "/".join(map(_as_word, segments))[:_MAX_LENGTH]


def _as_word(segment: str) -> str:
    is_word = len(segment) <= _MAX_WORD_LENGTH and _WORD.fullmatch(segment)
    return segment if is_word or not segment else "{id}"
