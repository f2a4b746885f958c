"""Environment variables as settings: read once, validated, named in every complaint."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

_SECRET_SUFFIXES = ("_KEY", "_SECRET", "_TOKEN", "_PASSWORD")
_CREDENTIALS = re.compile(r"[@?#]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_MAX_SHOWN_CHARACTERS = 200


class SettingsError(Exception):
    """A deployment's environment variables are wrong: init fails with this.

    The message names the variable, the value given (never that of a secret) and what is wanted.
    """


class EnvironReader:
    """Reads single variables; an unset one and an empty one are the same.

    Every method raises SettingsError for a value that is not valid.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def optional(self, name: str) -> str | None:
        """The variable's text without blanks around it, None where it is unset or empty."""
        return self._environ.get(name, "").strip() or None

    def text(self, name: str, default: str | None = None) -> str:
        """Raises SettingsError where the variable is unset and has no default."""
        value = self.optional(name) or default
        if value is None:
            raise SettingsError(f"{name} is not set: the function cannot start without it")
        return value

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """A number from `low` to `high`."""
        raw = self.optional(name)
        if raw is None:
            return default
        value = float(raw) if _NUMBER.fullmatch(raw) else math.nan
        if not low <= value <= high:
            raise self.invalid(name, f"a number from {low:g} to {high:g}")
        return value

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value = self.number(name, default, low, high)
        if value != int(value):
            raise self.invalid(name, f"a whole number from {low} to {high}")
        return int(value)

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        """One of `allowed`, whose first is the default; upper case is taken as lower case."""
        value = self.text(name, allowed[0]).lower()
        if value not in allowed:
            raise self.invalid(name, "one of " + ", ".join(allowed))
        return value

    def flag(self, name: str) -> bool:
        """True for `true` in any case, as OpenTelemetry reads its own flags."""
        return (self.optional(name) or "").lower() == "true"

    def matching(
        self, name: str, pattern: re.Pattern[str], wanted: str, default: str | None
    ) -> str:
        """A text that matches the pattern as a whole; `wanted` says in words what that is."""
        value = self.text(name, default)
        if not pattern.fullmatch(value):
            raise self.invalid(name, wanted)
        return value

    def secret_bytes(self, name: str, low: int, high: int) -> bytes | None:
        """`low` to `high` bytes of UTF-8, None where unset."""
        raw = self.optional(name)
        if raw is None:
            return None
        value = raw.encode()
        if not low <= len(value) <= high:
            raise self.invalid(name, f"{low} to {high} bytes of UTF-8, given {len(value)}")
        return value

    def base_url(self, name: str, default: str) -> str:
        """`http://HOST:PORT`, perhaps with a path, without credentials, query or last slash."""
        value = self.text(name, default)
        if not _is_base_url(value):
            raise self.invalid(name, "http://HOST:PORT, without credentials or query")
        return value.rstrip("/")

    def invalid(self, name: str, wanted: str) -> SettingsError:
        """The complaint about a variable's value, to be raised."""
        value = self.optional(name) or ""
        may_hold_credentials = name.endswith("_ENDPOINT") and _CREDENTIALS.search(value)
        is_secret = name.endswith(_SECRET_SUFFIXES) or may_hold_credentials
        shown = "(hidden)" if is_secret else repr(value[:_MAX_SHOWN_CHARACTERS])
        return SettingsError(f"{name}={shown} is not valid: {wanted}")


class _NamesOnly(EnvironReader):
    """For a dry run: every variable is unset, and the required ones have some text."""

    def __init__(self) -> None:
        super().__init__({})
        self.names: set[str] = set()

    def optional(self, name: str) -> str | None:
        self.names.add(name)
        return None

    def text(self, name: str, default: str | None = None) -> str:
        self.names.add(name)
        return default or "required"


def unknown_names(
    environ: Mapping[str, str], prefix: str, read: Callable[[EnvironReader], object]
) -> list[tuple[str, str | None]]:
    """Each variable with this prefix that `read` reads nothing from, most likely misspelt, with the
    one most like it among those that it reads."""
    given = sorted(name for name in environ if name.upper().startswith(prefix))
    if not given:
        return []
    dry_run = _NamesOnly()
    read(dry_run)
    known = [name for name in dry_run.names if name.startswith(prefix)]
    return [(name, _most_like(name.upper(), known, prefix)) for name in given if name not in known]


def _most_like(name: str, known: Iterable[str], prefix: str) -> str | None:
    # Imported here: only a deployment with a mistake in it pays for it at its cold start.
    from difflib import get_close_matches

    # Without the prefix, which would make any two of them alike.
    tails = (other.removeprefix(prefix) for other in known)
    matches = get_close_matches(name.removeprefix(prefix), tails, n=1)
    return prefix + matches[0] if matches else None


def _is_base_url(text: str) -> bool:
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#@]*)?", text):
        return False
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False  # half of an IPv6 address, or a port beyond 65535
