"""The `http` block of an X-Ray document; see http.go of the exporter."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from local_aws.traces.xray.otel_attributes import Attributes, text, whole, without_empty

Document = dict[str, Any]

_REQUEST_KEYS = {
    "http.method": "method",
    "http.request.method": "method",
    "http.user_agent": "user_agent",
    "user_agent.original": "user_agent",
    "http.client_ip": "client_ip",
    "client.address": "client_ip",
    "net.peer.ip": "client_ip",
    "network.peer.address": "client_ip",
}
_STATUS_KEYS = {"http.status_code", "http.response.status_code"}
_URL_KEYS = {"http.url", "url.full", "http.scheme", "url.scheme", "http.host", "http.target"}
_URL_KEYS |= {"url.path", "http.server_name", "net.host.port"}
_PEER_KEYS = {"net.peer.ip", "network.peer.address"}
# Addresses alone say nothing about HTTP: without a key from above the block is left out.
_ADDRESS_KEYS = _PEER_KEYS | {"client.address", "host.name", "net.host.name", "net.peer.name"}
_ADDRESS_KEYS |= {"net.peer.port", "server.address", "server.port"}


def split_http(found: Attributes, span: Span) -> tuple[Attributes, Document | None]:
    """The attributes that are left for the other blocks, and the `http` block."""
    known = _STATUS_KEYS | _URL_KEYS | _ADDRESS_KEYS | _REQUEST_KEYS.keys()
    taken = {k: v for k, v in found.items() if k in known}
    left = {k: v for k, v in found.items() if k not in known}
    if not taken.keys() - _ADDRESS_KEYS:
        return left, None
    request = {_REQUEST_KEYS[k]: text(taken, k) for k in taken if k in _REQUEST_KEYS}
    forwarded = "client_ip" in request and not taken.keys() & _PEER_KEYS
    ordered = {
        "x_forwarded_for": forwarded or None,
        "method": request.get("method"),
        "url": _url(taken, span),
        "user_agent": request.get("user_agent"),
        "client_ip": request.get("client_ip"),
    }
    status = next((whole(taken[k]) for k in taken if k in _STATUS_KEYS), None)
    response = {"status": status, "content_length": _payload_bytes(found)}
    return left, {"request": without_empty(ordered), "response": without_empty(response)}


def _url(parts: Attributes, span: Span) -> str:
    full = text(parts, "http.url") or text(parts, "url.full")
    if full:
        return full
    hosts = ["http.host", "net.peer.name", "net.peer.ip"]
    ports = ["net.peer.port"]
    if span.kind == Span.SPAN_KIND_SERVER:
        hosts = ["http.host", "net.host.name", "server.address"]
        ports = ["net.host.port", "server.port"]
    host = next(filter(None, (text(parts, k) for k in hosts)), "")
    if not host:
        return ""
    scheme = text(parts, "http.scheme") or text(parts, "url.scheme") or "http"
    port = "" if "http.host" in parts else str(next((parts[k] for k in ports if k in parts), ""))
    if port and (scheme, port) not in {("http", "80"), ("https", "443")}:
        host = f"{host}:{port}"
    return f"{scheme}://{host}{text(parts, 'http.target') or text(parts, 'url.path') or '/'}"


def _payload_bytes(found: Attributes) -> int:
    if found.get("message.type") != "RECEIVED":
        return 0
    return whole(found.get("messaging.message_payload_size_bytes"))
