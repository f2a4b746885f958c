"""The layout of one trace: rows in tree order, lanes, time axis, phase boundary, gaps.

Pure: takes the console's JSON for a trace and gives rows, for the page and for the terminal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

# Longer than the slowest poll interval (five seconds): an idle stream has no gap, a frozen,
# throttled or stuck one has.
GAP_SECONDS = 6.0
# From this many on, siblings of one name share a lane; a stream has dozens of polls.
LANE_SIZE = 3

_SERVICE_ORIGIN = "AWS::Lambda"
_HANDLER_PREFIX = "## "  # what Powertools puts before the name of a captured handler

RecordJson = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Gap:
    """Offsets in seconds from the trace's start, within `parent_id`'s time."""

    parent_id: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Row:
    """One record, or a lane of several siblings of one name.

    `key` is unique in the trace, `parent_key` that of the row it is folded under. The rows
    below a `folded` one are hidden at first.
    """

    key: str
    parent_key: str | None
    depth: int
    name: str
    phase: str  # service, handler or streaming
    records: tuple[str, ...]
    is_lane: bool
    folded: bool
    has_children: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """`boundary` is where the handler returned: offset in seconds, None without a handler.

    The axis of a trace in progress reaches to the moment when it was read.
    """

    start: float
    duration: float
    boundary: float | None
    rows: tuple[Row, ...]
    gaps: tuple[Gap, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def lay_out(trace: Mapping[str, Any]) -> Layout:
    """The layout of a trace as `TraceStore.trace` gives it."""
    records: Sequence[RecordJson] = trace["records"]
    if not records:
        return Layout(0.0, 0.0, None, (), ())
    start = min(r["start"] for r in records)
    end = max(end_of(r) for r in records)
    if any(r["end"] is None for r in records):
        end = max(end, trace["read_at"])
    duration = end - start
    children = _children(records)
    rows = tuple(_rows(children, None, None, 0))
    boundary = _handler_return(records)
    return Layout(
        start=start,
        duration=duration,
        boundary=None if boundary is None else boundary - start,
        rows=rows,
        gaps=tuple(_gaps(records, children, start)),
    )


def end_of(record: RecordJson) -> float:
    """The end of a record; its start if it is still in progress."""
    return float(record["start"] if record["end"] is None else record["end"])


def is_rolled_up(record: RecordJson) -> bool:
    """Whether the record stands for many steps: it says so, or has a count."""
    said = {**record["metadata"].get("default", {}), **record["annotations"]}
    return bool(said.get("rolled_up")) or "count" in said


def steps_in(record: RecordJson) -> int:
    """How many steps a record stands for."""
    count = record["metadata"].get("default", {}).get("count")
    return int(count) if is_rolled_up(record) and isinstance(count, int | float) else 1


def error_type_of(record: RecordJson) -> str | None:
    """Why the record's step failed. A throttled step has status UNSET, since it is no fault, and
    no span of its request once it is rolled up."""
    found = record["metadata"].get("default", {}).get("error_type")
    return found if isinstance(found, str) else None


def _children(records: Sequence[RecordJson]) -> dict[str | None, list[RecordJson]]:
    """Records by parent in order of start; under None those whose parent is not here."""
    ids = {r["id"] for r in records}
    children: dict[str | None, list[RecordJson]] = defaultdict(list)
    for record in sorted(records, key=lambda r: (r["start"], -end_of(r), r["id"])):
        parent = record["parent_id"]
        children[parent if parent in ids else None].append(record)
    return children


def _rows(
    children: Mapping[str | None, list[RecordJson]],
    parent_id: str | None,
    parent_key: str | None,
    depth: int,
) -> Iterator[Row]:
    siblings = children.get(parent_id, [])
    lanes: dict[tuple[str, str], list[RecordJson]] = defaultdict(list)
    for record in siblings:
        lanes[(record["source"], record["name"])].append(record)
    seen: set[tuple[str, str]] = set()
    for record in siblings:
        lane = (record["source"], record["name"])
        members = lanes[lane]
        if len(members) < LANE_SIZE:
            yield from _record_rows(children, record, parent_key, depth)
        elif lane not in seen:
            seen.add(lane)
            key = f"{parent_id or 'top'}/{lane[0]}/{lane[1]}"
            yield Row(
                key=key,
                parent_key=parent_key,
                depth=depth,
                name=record["name"],
                phase=_phase(record),
                records=tuple(m["id"] for m in members),
                is_lane=True,
                folded=True,
                has_children=True,
            )
            for member in members:
                yield from _record_rows(children, member, key, depth + 1, folded=True)


def _record_rows(
    children: Mapping[str | None, list[RecordJson]],
    record: RecordJson,
    parent_key: str | None,
    depth: int,
    *,
    folded: bool = False,
) -> Iterator[Row]:
    yield Row(
        key=record["id"],
        parent_key=parent_key,
        depth=depth,
        name=record["name"],
        phase=_phase(record),
        records=(record["id"],),
        is_lane=False,
        folded=folded,
        has_children=bool(children.get(record["id"])),
    )
    yield from _rows(children, record["id"], record["id"], depth + 1)


def _phase(record: RecordJson) -> str:
    if record["source"] == "otel":
        return "streaming"
    if str(record.get("origin") or "").startswith(_SERVICE_ORIGIN):
        return "service"
    return "handler"


def _handler_return(records: Sequence[RecordJson]) -> float | None:
    handler = [r for r in records if _phase(r) == "handler"]
    named = [r for r in handler if r["name"].startswith(_HANDLER_PREFIX)]
    return max((end_of(r) for r in named or handler), default=None)


def _gaps(
    records: Sequence[RecordJson], children: Mapping[str | None, list[RecordJson]], start: float
) -> Iterator[Gap]:
    """Times in a streaming record with children during which none of them ran."""
    for record in records:
        below = children.get(record["id"], [])
        if record["source"] != "otel" or not below:
            continue
        reached = record["start"]
        edges = [(c["start"], end_of(c)) for c in below] + [(end_of(record), end_of(record))]
        for child_start, child_end in edges:
            if child_start - reached >= GAP_SECONDS:
                yield Gap(record["id"], reached - start, child_start - start)
            reached = max(reached, child_end)
