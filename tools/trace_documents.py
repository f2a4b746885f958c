"""X-Ray's answer to BatchGetTraces as a flat list of records. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Record:
    """A segment or subsegment, nested or not. Times are epoch seconds."""

    id: str
    parent_id: str | None
    name: str
    origin: str
    namespace: str
    start: float
    end: float
    aws: Mapping[str, Any]
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trace:
    """One trace. `limit_exceeded`: X-Ray says that it dropped documents."""

    id: str
    limit_exceeded: bool
    records: tuple[Record, ...]

    @classmethod
    def from_answer(cls, trace: Mapping[str, Any]) -> Trace:
        """From one element of BatchGetTraces' `Traces`."""
        documents = (json.loads(segment["Document"]) for segment in trace["Segments"])
        return cls(
            id=trace["Id"],
            limit_exceeded=bool(trace.get("LimitExceeded", False)),
            records=tuple(record for document in documents for record in _flat(document, None)),
        )

    def named(self, name: str) -> list[Record]:
        return [record for record in self.records if record.name == name]

    def function_segment(self, function: str) -> Record | None:
        """The function's own segment, made by Lambda; its service's segment has another origin."""
        for record in self.named(function):
            if record.origin == "AWS::Lambda::Function":
                return record
        return None

    def handler_subsegments(self) -> list[Record]:
        """What Powertools records of the handler phase: names that begin with "## "."""
        return [record for record in self.records if record.name.startswith("## ")]

    def below(self, ancestor: Record) -> list[Record]:
        """The descendants of a record, in no particular order."""
        children: dict[str | None, list[Record]] = {}
        for record in self.records:
            children.setdefault(record.parent_id, []).append(record)
        found: list[Record] = []
        pending = [ancestor.id]
        while pending:
            for record in children.pop(pending.pop(), []):
                found.append(record)
                pending.append(record.id)
        return found


def _flat(document: Mapping[str, Any], parent_id: str | None) -> Iterator[Record]:
    """A document and its nested subsegments; the nested ones do not name their parent."""
    start = float(document.get("start_time", 0))
    yield Record(
        id=document["id"],
        parent_id=document.get("parent_id", parent_id),
        name=document["name"],
        origin=document.get("origin", ""),
        namespace=document.get("namespace", ""),
        start=start,
        end=float(document.get("end_time", start)),
        aws=document.get("aws", {}),
        metadata=document.get("metadata", {}).get("default", {}),
    )
    for inner in document.get("subsegments", []):
        yield from _flat(inner, document["id"])
