"""What whoever deploys an app knows of the front doors before it, and no event tells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from lambda_streaming.doors import reading
from lambda_streaming.requests import Pairs, Request


@dataclass(frozen=True, slots=True)
class DoorOptions:
    """`root_path` takes the place of the door's own, and is no part of the app's path where that
    begins with it: a stage, the base path of a custom domain. None leaves the door's.

    `trusted_hops` is how many proxies before the door may be believed when they tell in
    `x-forwarded-for` who connected to them: 1 behind CloudFront. A value too large lets clients
    choose their address.

    `host_header` names the header that holds the client's `Host`, and `authorization_header` the
    one that holds its `Authorization`, where something before the app uses these up.
    """

    root_path: str | None = None
    trusted_hops: int = 0
    host_header: str = "host"
    authorization_header: str | None = None

    def __post_init__(self) -> None:
        if type(self.trusted_hops) is not int or self.trusted_hops < 0:
            raise ValueError(f"trusted_hops must be 0 or more, not {self.trusted_hops!r}")
        if self.root_path is not None:
            segments = self.root_path.strip("/")
            object.__setattr__(self, "root_path", f"/{segments}" if segments else "")
        object.__setattr__(self, "host_header", self.host_header.lower())
        if self.authorization_header is not None:
            object.__setattr__(self, "authorization_header", self.authorization_header.lower())

    def apply(self, request: Request) -> Request:
        changes: dict[str, Any] = {}
        if self.root_path is not None:
            changes |= _moved(request, self.root_path)
        if self.trusted_hops:
            changes["client"] = _client(request, self.trusted_hops)
        headers = self._headers(request.headers)
        if headers is not request.headers:
            changes["headers"] = headers
        return replace(request, **changes) if changes else request

    def _headers(self, headers: Pairs) -> Pairs:
        if self.host_header != "host" and (host := headers.get(self.host_header)):
            headers = _with(headers, "host", host)
        if self.authorization_header and (token := headers.get(self.authorization_header)):
            headers = _with(headers, "authorization", token, instead_of=self.authorization_header)
        return headers


def _with(headers: Pairs, name: str, value: str, *, instead_of: str | None = None) -> Pairs:
    left = [pair for pair in headers.pairs if pair[0] not in (name, instead_of)]
    return Pairs([*left, (name, value)])


def _moved(request: Request, root_path: str) -> dict[str, str]:
    """The app's path begins behind the door's root path, and behind the given one."""
    path = _below(_below(request.path, request.root_path), root_path)
    raw_path = request.raw_path
    for root in (request.root_path, root_path):
        raw_path = _below(raw_path, reading.quoted_path(root))
    if unquote(raw_path) != path:  # the client encoded the root path in its own way
        raw_path = reading.quoted_path(path)
    return {
        "path": root_path + path,
        "raw_path": reading.quoted_path(root_path) + raw_path,
        "root_path": root_path,
    }


def _below(path: str, root: str) -> str:
    return path.removeprefix(root) or "/" if reading.begins_with(path, root) else path


def _client(request: Request, hops: int) -> str | None:
    """Entries of `x-forwarded-for` right of the address that connected to the door come from the
    door's own machines: those of an edge-optimised REST API."""
    addresses = reading.forwarded_addresses(request.headers)
    if request.client in addresses:
        while addresses[-1] != request.client:
            addresses.pop()
    elif request.client:
        addresses.append(request.client)
    return addresses[max(0, len(addresses) - 1 - hops)] if addresses else request.client
