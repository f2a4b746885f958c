"""What the bench prints and writes."""

from __future__ import annotations

import json

from tests.bench.compare import MIN_ROUNDS
from tests.bench.figures import Figure, Kind, Samples, Skipped, Target
from tests.bench.report import comparison_table, notes, table, to_json

LOOP = Figure(
    row="loop",
    name="CPU per block",
    unit="µs",
    ours=Samples((3.0, 4.0, 8.0)),
    target=Target(Kind.RATIO, 1.25, is_enforced=True),
    peer=Samples((2.0, 2.0, 2.0)),
    peer_name="bare loop",
    note="the reader was busy 10% of the time",
)
IDLE = Figure(
    row="idle",
    name="CPU a minute",
    unit="ms",
    ours=Samples((91.0,)),
    target=Target(Kind.VALUE, 100),
)


def test_a_line_says_both_sides_their_ratio_and_the_target() -> None:
    _, loop, idle = table([LOOP, IDLE]).splitlines()
    assert loop.split("  ")[0] == "loop"
    assert "CPU per block, µs" in loop
    assert "3.00 (4.00-8.00)" in loop
    assert "2.00 (2.00-2.00) bare loop" in loop
    assert "1.50 x" in loop
    assert "2.00 (1.50-4.00)" in loop
    assert loop.endswith("≤ 1.25 x  MISSED")
    assert "91.0" in idle
    assert idle.endswith("≤ 100 ms  ok")


def test_columns_are_aligned() -> None:
    lines = table([LOOP, IDLE]).splitlines()
    assert {line.index("≤") for line in lines[1:]} == {lines[0].index("target")}


def test_a_note_stands_once_however_many_figures_have_it() -> None:
    assert notes([LOOP, LOOP, IDLE]) == "loop: the reader was busy 10% of the time\n"


def test_a_comparison_stands_once_for_a_figure_with_several_peers() -> None:
    rounds = MIN_ROUNDS
    with_base = [
        Figure(
            row="peers",
            name="CPU",
            unit="µs",
            ours=Samples((3.0,) * rounds),
            peer=Samples((1.0,) * rounds),
            peer_name=peer,
            base=Samples((2.0,) * rounds),
        )
        for peer in ("Node", "uvicorn")
    ]
    _, *lines = comparison_table([*with_base, IDLE], "abc1234").splitlines()
    (line,) = lines
    assert "1.500 x" in line
    assert "1.500-1.500" in line
    assert line.endswith("MORE")


def test_the_json_has_every_round() -> None:
    written = json.loads(to_json([LOOP], [Skipped("zip", "no network")], {"now": "abc1234"}))
    assert written["now"] == "abc1234"
    assert written["skipped"] == [{"row": "zip", "reason": "no network"}]
    (row,) = written["rows"]
    assert row["name"] == "CPU per block"
    assert row["ours"] == {"best": 3, "median": 4, "worst": 8, "rounds": [3, 4, 8]}
    assert row["peer"]["name"] == "bare loop"
    assert row["ratio"] == 1.5
    assert row["spread"] == [1.5, 4]
    assert row["target"] == {
        "kind": "ratio",
        "limit": 1.25,
        "is_enforced": True,
        "held": 1.5,
        "is_met": False,
    }
    assert "comparison" not in row


def test_the_json_tells_what_came_of_a_comparison() -> None:
    figure = Figure(
        row="loop",
        name="CPU",
        unit="µs",
        ours=Samples((1.0,) * MIN_ROUNDS),
        base=Samples((2.0,) * MIN_ROUNDS),
    )
    (row,) = json.loads(to_json([figure], [], {}))["rows"]
    assert row["comparison"] == {"ratio": 0.5, "interval": [0.5, 0.5], "verdict": "faster"}
    assert row["base"]["median"] == 2
