"""Durations that are given as arguments."""

from __future__ import annotations


def check_seconds(name: str, seconds: object, *, may_be_zero: bool = False) -> None:
    """Raises ValueError for what is no such number of seconds."""
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not (is_number and (seconds > 0 or (may_be_zero and seconds == 0))):  # type: ignore[operator]
        least = "0 or more" if may_be_zero else "above 0"
        raise ValueError(f"{name} must be a number of seconds, {least}, not {seconds!r}")
