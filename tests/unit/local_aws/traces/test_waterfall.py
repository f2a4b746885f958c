from __future__ import annotations

from typing import Any

import pytest

from local_aws.traces.waterfall import GAP_SECONDS, Layout, lay_out
from local_aws.traces.waterfall_text import render_text

FUNCTION, HANDLER, STREAM = "f" * 16, "a" * 16, "5" * 16


def record(id_: str, name: str, start: float, end: float | None, **values: Any) -> dict[str, Any]:
    return {
        "source": "otel",
        "id": id_,
        "parent_id": None,
        "name": name,
        "start": start,
        "end": end,
        "annotations": {},
        "metadata": {},
        "fault": False,
        "error": False,
        **values,
    }


def xray(id_: str, name: str, start: float, end: float | None, **values: Any) -> dict[str, Any]:
    return record(id_, name, start, end, **{"source": "xray", "origin": None, **values})


def stream_records(*children: dict[str, Any], seconds: float = 20.0) -> list[dict[str, Any]]:
    return [
        xray(FUNCTION, "sse", 100.0, 100 + seconds, origin="AWS::Lambda::Function"),
        xray(HANDLER, "## handler", 100.01, 100.05, parent_id=FUNCTION),
        xray("d" * 16, "dynamodb", 100.02, 100.04, parent_id=HANDLER),
        record(STREAM, "sse_stream", 100.06, 100 + seconds, parent_id=FUNCTION),
        *children,
    ]


def poll(n: int, at: float, **values: Any) -> dict[str, Any]:
    return record(f"{n:016x}", "dynamodb_poll", at, at + 0.1, **{"parent_id": STREAM, **values})


def trace(records: list[dict[str, Any]], **values: Any) -> dict[str, Any]:
    return {
        "trace_id": "1-a-b",
        "route": "GET /stream",
        "status": 200,
        "records": records,
        "verdicts": [],
        **values,
    }


def layout_of(*records: dict[str, Any]) -> Layout:
    return lay_out(trace(list(records)))


def names(layout: Layout) -> list[tuple[int, str]]:
    return [(row.depth, row.name) for row in layout.rows]


def test_both_phases_are_one_tree() -> None:
    layout = layout_of(*stream_records(poll(1, 101.0)))
    assert names(layout) == [
        (0, "sse"),
        (1, "## handler"),
        (2, "dynamodb"),
        (1, "sse_stream"),
        (2, "dynamodb_poll"),
    ]
    assert [row.phase for row in layout.rows] == [
        "service",
        "handler",
        "handler",
        "streaming",
        "streaming",
    ]
    assert (layout.start, layout.duration) == (100.0, 20.0)


def test_the_boundary_is_where_the_handler_returned() -> None:
    assert layout_of(*stream_records()).boundary == pytest.approx(0.05)
    assert layout_of(record(STREAM, "sse_stream", 1.0, 2.0)).boundary is None


def test_the_axis_of_a_trace_in_progress_reaches_to_its_reading() -> None:
    running = xray(FUNCTION, "sse", 100.0, None, origin="AWS::Lambda::Function")
    early = poll(1, 100.5, parent_id=FUNCTION)

    assert lay_out(trace([running, early], read_at=130.0)).duration == pytest.approx(30.0)
    text = render_text(trace([running, early], read_at=130.0), width=100)
    assert "30.0 s…" in next(line for line in text.splitlines() if "sse function" in line)


def test_siblings_of_one_name_share_a_lane_from_three_on() -> None:
    few = layout_of(*stream_records(poll(1, 101), poll(2, 102)))
    assert not any(row.is_lane for row in few.rows)
    many = layout_of(*stream_records(poll(1, 101), poll(2, 102), poll(3, 103)))
    lane = next(row for row in many.rows if row.is_lane)
    assert lane.records == ("0" * 15 + "1", "0" * 15 + "2", "0" * 15 + "3")
    assert lane.folded
    members = [row for row in many.rows if row.parent_key == lane.key]
    assert [row.records for row in members] == [(one,) for one in lane.records]


def test_a_lane_stands_where_its_first_member_began() -> None:
    other = record("9" * 16, "connection_renew", 102.5, 102.6, parent_id=STREAM)
    layout = layout_of(*stream_records(poll(1, 101), poll(2, 102), poll(3, 103), other))
    shown = [r.name for r in layout.rows if r.parent_key == STREAM]
    assert shown == ["dynamodb_poll", "connection_renew"]


def test_every_record_has_exactly_one_row() -> None:
    records = stream_records(*(poll(n, 100 + n) for n in range(1, 9)))
    layout = lay_out(trace(records))
    assert sorted(r.records[0] for r in layout.rows if not r.is_lane) == sorted(
        r["id"] for r in records
    )
    assert len({row.key for row in layout.rows}) == len(layout.rows)


def test_a_record_without_its_parent_is_shown_on_top() -> None:
    layout = layout_of(poll(1, 101.0, parent_id="e" * 16), poll(2, 100.0, parent_id="e" * 16))
    assert names(layout) == [(0, "dynamodb_poll"), (0, "dynamodb_poll")]


def test_a_long_silence_of_the_stream_is_a_gap() -> None:
    layout = layout_of(*stream_records(poll(1, 100.06), poll(2, 110.0), poll(3, 112.0), seconds=15))
    (gap,) = layout.gaps
    assert gap.parent_id == STREAM
    assert gap.start == pytest.approx(0.16)
    assert gap.end == pytest.approx(10.0)


def test_a_slow_idle_poll_is_no_gap() -> None:
    pause = GAP_SECONDS - 0.5
    children = [poll(n, 100.06 + n * pause) for n in range(3)]
    assert layout_of(*stream_records(*children, seconds=pause * 3)).gaps == ()


def test_silence_before_the_end_is_a_gap_too() -> None:
    (gap,) = layout_of(*stream_records(poll(1, 100.1), seconds=30)).gaps
    assert gap.end == pytest.approx(30)


def test_an_overlapping_roll_up_fills_the_time() -> None:
    rolled = record("c" * 16, "dynamodb_poll", 100.1, 130.0, parent_id=STREAM)
    assert layout_of(*stream_records(rolled, poll(2, 129), seconds=31)).gaps == ()


def test_nothing_gives_an_empty_layout() -> None:
    assert lay_out(trace([])) == Layout(0.0, 0.0, None, (), ())


def test_the_text_shows_both_phases_lanes_and_failures() -> None:
    children = [poll(n, 100 + n, fault=n == 4) for n in range(1, 20)]
    text = render_text(
        trace(stream_records(*children), session_id="s1", end_reason="rotate"), width=100
    )
    lines = text.splitlines()
    assert all(len(line) <= 100 for line in lines)
    assert "GET /stream  200  " in lines[0]
    assert "session_id=s1" in lines[0]
    assert "end_reason=rotate" in lines[0]
    lane = next(line for line in lines if "dynamodb_poll \N{MULTIPLICATION SIGN}19" in line)
    assert "✗" in lane
    assert len([line for line in lines if line.strip().startswith("dynamodb_poll")]) == 2
    assert any("## handler" in line and "▓" in line for line in lines)
    assert any("sse_stream" in line and "█" in line for line in lines)
    assert any("┊" in line for line in lines)


def test_the_text_names_roll_ups_gaps_and_verdicts() -> None:
    rolled = record(
        "c" * 16,
        "sse_event_dispatch",
        100.1,
        105.0,
        parent_id=STREAM,
        metadata={"default": {"rolled_up": True, "count": 7}},
    )
    verdict = {"severity": "lost", "what": "too much", "span_name": "sse_stream"}
    text = render_text(trace(stream_records(rolled), verdicts=[verdict]), width=80)
    assert "▒" in text
    assert "gap: nothing happened from 5.0 s to 20.0 s" in text
    assert "X-Ray, lost: too much (sse_stream)" in text


def rolled_up_throttles(count: int) -> dict[str, Any]:
    said = {"rolled_up": True, "count": count, "error_type": "ThrottlingException"}
    return record(
        "e" * 16, "dynamodb_poll", 104.0, 110.0, parent_id=STREAM, metadata={"default": said}
    )


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_text_counts_what_is_rolled_up_and_says_why_it_failed(width: int) -> None:
    children = [poll(n, 100 + n / 10) for n in range(1, 16)] + [rolled_up_throttles(31)]
    lines = render_text(trace(stream_records(*children)), width).splitlines()

    lane = next(line for line in lines if "31 rolled up" in line)
    assert "\N{MULTIPLICATION SIGN}15 + 31 rolled up" in lane
    assert "!" in lane
    assert "errors: dynamodb_poll ThrottlingException \N{MULTIPLICATION SIGN}31" in lines


@pytest.mark.parametrize("width", [0, 60, 200])
def test_the_text_fits_any_terminal(width: int) -> None:
    text = render_text(trace(stream_records()), width=width)
    assert max(map(len, text.splitlines())) <= max(width, 60)


def test_the_text_of_an_empty_trace_is_only_its_head() -> None:
    assert "1-a-b" in render_text(trace([]), width=80)
