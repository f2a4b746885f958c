"""The waterfall of one trace in a terminal."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from local_aws.traces.waterfall import (
    Layout,
    Row,
    end_of,
    error_type_of,
    is_rolled_up,
    lay_out,
    steps_in,
)

_MARKS = {"service": "░", "handler": "▓", "streaming": "█"}
_ROLLED_UP = "▒"
_BOUNDARY = "┊"
_FAULT, _ERROR = "✗", "!"
_TIMES = "\N{MULTIPLICATION SIGN}"
_MIN_WIDTH = 60
_VALUE_WIDTH = 26


def render_text(trace: Mapping[str, Any], width: int) -> str:
    """The waterfall in lines of at most `width` columns (60 if less), ending in a newline.

    Lanes stay folded, but whatever leads to a failure gets a line of its own.
    """
    width = max(width, _MIN_WIDTH)
    layout = lay_out(trace)
    by_id = {r["id"]: r for r in trace["records"]}
    failed = _failures(trace["records"])
    shown = _shown(layout, failed)
    names = [" " * (2 * row.depth) + _name(row, by_id) for row in shown]
    counts = [_count([by_id[i] for i in row.records]) for row in shown]
    longest = max((len(n) + len(c) for n, c in zip(names, counts, strict=True)), default=0)
    name_width = min(longest + 1, width * 2 // 5, 44)
    axis_width = width - name_width - _VALUE_WIDTH
    lines = _head(trace, layout, width, name_width, axis_width)
    for row, name, count in zip(shown, names, counts, strict=True):
        records = [by_id[i] for i in row.records]
        marks = failed if row.is_lane or row.folded else {}
        bar = _bar(row, records, layout, marks, axis_width)
        label = _fit(name, count, name_width - 1).ljust(name_width)
        lines.append(f"{label}{bar} {_value(records, layout)}".rstrip())
    lines += _error_types(trace["records"])
    for gap in layout.gaps:
        lines.append(f"gap: nothing happened from {_time(gap.start)} to {_time(gap.end)}")
    for verdict in trace.get("verdicts", ()):
        where = f" ({verdict['span_name']})" if verdict["span_name"] else ""
        lines.append(f"X-Ray, {verdict['severity']}: {verdict['what']}{where}")
    return "\n".join(line[:width] for line in lines) + "\n"


def _head(
    trace: Mapping[str, Any], layout: Layout, width: int, name_width: int, axis_width: int
) -> list[str]:
    facts = [trace["trace_id"], trace.get("route"), trace.get("status"), _time(layout.duration)]
    known = ("session_id", "connection_sequence", "end_reason")
    facts += [f"{k}={trace[k]}" for k in known if trace.get(k) is not None]
    said = textwrap.wrap("  ".join(str(f) for f in facts if f), width)
    legend = f"{_MARKS['service']} Lambda  {_MARKS['handler']} handler (X-Ray)  "
    legend += f"{_MARKS['streaming']} streaming (OTel)  {_ROLLED_UP} rolled up  "
    legend += f"{_FAULT} fault  {_ERROR} error  {_BOUNDARY} handler returned"
    ends = _time(layout.duration)
    axis = " " * name_width + "0" + ends.rjust(axis_width - 1)
    return [*said, *textwrap.wrap(legend, width), "", axis]


def _shown(layout: Layout, failed: Mapping[str, str]) -> list[Row]:
    """The rows that are not folded away, and those of a failure."""
    hidden: set[str] = set()
    shown = []
    for row in layout.rows:
        if row.folded or row.parent_key in hidden:
            hidden.add(row.key)
        if row.parent_key in hidden and not any(i in failed for i in row.records):
            continue
        shown.append(row)
    return shown


def _failures(records: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The mark of each record that failed or has a failure below it."""
    by_id = {r["id"]: r for r in records}
    failed: dict[str, str] = {}
    for mark in (_ERROR, _FAULT):
        for record in records:
            at = record if _own_mark(record) == mark else None
            while at is not None and failed.get(at["id"]) != mark:
                failed[at["id"]] = mark
                at = by_id.get(at["parent_id"])
    return failed


def _own_mark(record: Mapping[str, Any]) -> str | None:
    if record["fault"]:
        return _FAULT
    return _ERROR if record["error"] or error_type_of(record) else None


def _name(row: Row, by_id: Mapping[str, Mapping[str, Any]]) -> str:
    if row.phase == "service":
        is_function = by_id[row.records[0]].get("origin") == "AWS::Lambda::Function"
        return f"{row.name} {'function' if is_function else 'service'}"
    return row.name


def _count(records: Sequence[Mapping[str, Any]]) -> str:
    """How many steps a row stands for: with a span of their own, and rolled up."""
    single = sum(not is_rolled_up(r) for r in records)
    rolled_up = sum(steps_in(r) for r in records if is_rolled_up(r))
    if not rolled_up:
        return f" {_TIMES}{single}" if single > 1 else ""
    alone = f"{_TIMES}{single} + " if single else _TIMES
    return f" {alone}{rolled_up} rolled up"


def _fit(name: str, count: str, width: int) -> str:
    """A name may be cut, a count may not."""
    room = max(width - len(count), 1)
    return ((name if len(name) <= room else name[: room - 1] + "…") + count)[:width]


def _error_types(records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Why steps failed, and how many, rolled-up ones included."""
    found: Counter[tuple[str, str]] = Counter()
    for record in records:
        if (error_type := error_type_of(record)) is not None:
            found[(record["name"], error_type)] += steps_in(record)
    for (name, error_type), count in found.items():
        yield f"errors: {name} {error_type} {_TIMES}{count}"


def _bar(
    row: Row,
    records: Sequence[Mapping[str, Any]],
    layout: Layout,
    failed: Mapping[str, str],
    width: int,
) -> str:
    cells = [" "] * width

    def column(offset: float) -> int:
        share = offset / layout.duration if layout.duration else 0.0
        return min(int(share * width), width - 1)

    if layout.boundary is not None:
        cells[column(layout.boundary)] = _BOUNDARY
    for record in records:
        first = column(record["start"] - layout.start)
        last = width - 1 if record["end"] is None else column(record["end"] - layout.start)
        mark = _ROLLED_UP if is_rolled_up(record) else _MARKS[row.phase]
        for at in range(first, last + 1):
            if cells[at] not in (_FAULT, _ERROR):
                cells[at] = mark
        if failure := _own_mark(record) or failed.get(record["id"]):
            cells[first] = failure
    return "".join(cells)


def _value(records: Sequence[Mapping[str, Any]], layout: Layout) -> str:
    """The duration; of a lane the mean and the longest, without roll-ups."""
    if len(records) == 1 and records[0]["end"] is None:
        return f"{_time(layout.start + layout.duration - records[0]['start'])}…"
    if len(records) == 1:
        return _time(end_of(records[0]) - records[0]["start"])
    single = [r for r in records if not is_rolled_up(r)] or records
    durations = [end_of(r) - r["start"] for r in single]
    return f"ø {_time(sum(durations) / len(durations))}, max {_time(max(durations))}"


def _time(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s"
