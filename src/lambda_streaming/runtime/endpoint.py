"""Where the Runtime API is."""

from __future__ import annotations

from dataclasses import dataclass

_DEFAULT_PORT = 80


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`authority` is for the Host header; `base_path` is empty or begins with a slash."""

    host: str
    port: int
    authority: str
    base_path: str = ""


def parse_endpoint(text: str) -> Endpoint:
    """AWS_LAMBDA_RUNTIME_API: `host:port` on AWS, a URL with a path in some emulators.

    (`cargo lambda watch` gives `http://[::]:9000/.rt/function`.) Raises ValueError.
    """
    scheme, separator, rest = text.strip().rpartition("://")
    if separator and scheme.lower() != "http":
        raise _bad(text, "only http is spoken there")
    authority, slash, path = rest.partition("/")
    base_path = (slash + path).rstrip("/")
    if not all("!" <= c <= "~" for c in rest) or any(c in rest for c in "?#@"):
        raise _bad(text, "it must be host:port, or a URL with at most a path")
    host, port = _split_authority(text, authority)
    return Endpoint(host, port, authority, base_path)


def _split_authority(text: str, authority: str) -> tuple[str, int]:
    if authority.startswith("["):
        host, bracket, after = authority[1:].partition("]")
        colon, port = after[:1], after[1:]
        if not bracket or colon not in ("", ":"):
            raise _bad(text, "the IPv6 address has no closing bracket before its port")
    else:
        host, colon, port = authority.partition(":")
        if ":" in port:
            raise _bad(text, "an IPv6 address must stand in brackets")
    if not host:
        raise _bad(text, "it names no host")
    if not colon:
        return host, _DEFAULT_PORT
    if not port.isdigit() or len(port) > 5 or not 0 < int(port) < 65536:
        raise _bad(text, "the port must be a number from 1 to 65535")
    return host, int(port)


def _bad(text: str, why: str) -> ValueError:
    return ValueError(f"AWS_LAMBDA_RUNTIME_API={text!r} cannot be used: {why}")
