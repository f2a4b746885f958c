"""How an app fails its answer, beside what it raises."""

from __future__ import annotations


class IncompleteResponse(Exception):
    """The app returned before the end of its answer."""
