"""The X-Ray tracing header, as the Lambda service starts or continues it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

_ROOT = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")
_SEGMENT_ID = re.compile(r"[0-9a-f]{16}")


def new_segment_id() -> str:
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True)
class Trace:
    """One invocation's place in its trace.

    `service_id` is the AWS::Lambda segment (the service), `function_id` the AWS::Lambda::Function
    segment: the parent of everything that the function records.
    """

    root: str
    upstream_id: str | None
    service_id: str
    function_id: str
    sampled: bool
    lineage: str

    @property
    def function_header(self) -> str:
        """What Lambda-Runtime-Trace-Id carries, in the order that AWS writes it."""
        return (
            f"Root={self.root};Parent={self.function_id};"
            f"Sampled={int(self.sampled)};Lineage={self.lineage}"
        )

    @property
    def client_header(self) -> str:
        """What the client gets back in X-Amzn-Trace-Id."""
        return (
            f"Root={self.root};Parent={self.service_id};"
            f"Sampled={int(self.sampled)};Lineage={self.lineage}"
        )


def start_trace(
    incoming: str | None, *, sampled_by_default: bool, clock: Callable[[], float]
) -> Trace:
    """Continues the client's trace when its Root is well-formed, else begins one now.

    A sampling decision that the client has taken is kept, as AWS keeps it.
    """
    fields = _parse(incoming or "")
    root = fields.get("Root", "")
    if not _ROOT.fullmatch(root):
        root, fields = f"1-{int(clock()):08x}-{secrets.token_hex(12)}", {}
    parent = fields.get("Parent", "")
    sampled = {"0": False, "1": True}.get(fields.get("Sampled", ""), sampled_by_default)
    return Trace(
        root=root,
        upstream_id=parent if _SEGMENT_ID.fullmatch(parent) else None,
        service_id=new_segment_id(),
        function_id=new_segment_id(),
        sampled=sampled,
        lineage=fields.get("Lineage") or f"1:{secrets.token_hex(4)}:0",
    )


def _parse(header: str) -> dict[str, str]:
    pairs = (pair.strip().partition("=") for pair in header.split(";"))
    return {name: value for name, equals, value in pairs if equals}
