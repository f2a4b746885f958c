"""The time that positions are counted in, on clocks that are wrong or are set."""

from __future__ import annotations

import pytest

from lambdas.sse_streaming.feeds.position_clock import PositionClock

NOW = 1_795_000_000_000


class SteppedClock:
    """A machine whose wall clock can be set; time passes only when told to."""

    def __init__(self, wall_ms: int = NOW) -> None:
        self._wall_ms = wall_ms
        self._steady_ms = 5_000_000
        self.reads_late_by_ms: list[int] = []

    def set_wall(self, step_ms: int) -> None:
        self._wall_ms += step_ms

    def pass_time(self, ms: int) -> None:
        self._wall_ms += ms
        self._steady_ms += ms

    def wall_ms(self) -> int:
        read = self._wall_ms
        if self.reads_late_by_ms:
            self.pass_time(self.reads_late_by_ms.pop())
        return read

    def wall_ns(self) -> int:
        return self._wall_ms * 1_000_000

    def steady_seconds(self) -> float:
        return self._steady_ms / 1000


def test_a_healthy_clock_is_believed() -> None:
    machine = SteppedClock()
    clock = PositionClock(machine)
    machine.pass_time(3_000)

    now = clock.read()

    assert (now.earliest_ms, now.latest_ms, now.step_ms) == (NOW + 3_000, NOW + 3_000, 0)
    assert now.began_ms == NOW


@pytest.mark.parametrize("step_ms", [-30_000, -9_000, -1_000, 1_000, 9_000, 30_000])
def test_a_step_is_reported_once(step_ms: int) -> None:
    machine = SteppedClock()
    clock = PositionClock(machine)
    machine.set_wall(step_ms)

    assert clock.read().step_ms == step_ms
    assert clock.read().step_ms == 0


def test_steps_too_small_to_matter_are_noticed_when_they_add_up() -> None:
    machine = SteppedClock()
    clock = PositionClock(machine)
    steps = []
    for _ in range(3):
        machine.set_wall(400)
        steps.append(clock.read().step_ms)

    assert steps == [0, 0, 1_200]


def test_a_clock_that_runs_ahead_settles_nothing_earlier() -> None:
    machine = SteppedClock()
    clock = PositionClock(machine)
    machine.set_wall(30_000)
    machine.pass_time(1_000)

    now = clock.read()

    assert (now.earliest_ms, now.latest_ms) == (NOW + 1_000, NOW + 31_000)
    machine.set_wall(-30_000)
    now = clock.read()
    assert (now.earliest_ms, now.latest_ms, now.began_ms) == (NOW + 1_000, NOW + 1_000, NOW)


def test_a_clock_that_is_set_back_may_have_been_wrong_since_the_stream_began() -> None:
    machine = SteppedClock()
    clock = PositionClock(machine)
    machine.pass_time(6_000)
    machine.set_wall(-30_000)

    now = clock.read()

    assert (now.earliest_ms, now.began_ms) == (NOW - 24_000, NOW - 30_000)


def test_a_clock_that_the_front_door_confirmed_was_right_before_it_was_set_back() -> None:
    machine = SteppedClock()
    clock = PositionClock(machine, NOW - 40)
    machine.pass_time(6_000)
    machine.set_wall(-30_000)

    now = clock.read()

    assert (now.earliest_ms, now.latest_ms, now.began_ms) == (NOW + 6_000, NOW + 6_000, NOW)
    assert now.step_ms == -30_000


def test_a_clock_ahead_of_the_front_door_at_the_beginning_is_not_believed() -> None:
    machine = SteppedClock(NOW + 30_000)
    clock = PositionClock(machine, NOW)
    machine.pass_time(1_000)

    now = clock.read()

    assert (now.earliest_ms, now.latest_ms) == (NOW + 1_000, NOW + 31_000)
    assert clock.disagreement_ms == 30_000
    machine.set_wall(-30_000)
    now = clock.read()
    assert (now.earliest_ms, now.latest_ms, now.step_ms) == (NOW + 1_000, NOW + 1_000, -30_000)


def test_a_clock_behind_the_front_door_is_not_believed_either() -> None:
    clock = PositionClock(SteppedClock(NOW - 30_000), NOW)

    now = clock.read()

    assert (now.earliest_ms, now.latest_ms) == (NOW, NOW)
    assert clock.disagreement_ms == -30_000


@pytest.mark.parametrize(("late_ms", "believed"), [(5_000, True), (5_001, False), (-1_001, False)])
def test_a_cold_start_may_take_its_time(late_ms: int, believed: bool) -> None:
    clock = PositionClock(SteppedClock(NOW + late_ms), NOW, is_cold_start=True)

    assert clock.disagreement_ms == (0 if believed else late_ms)
    assert clock.read().earliest_ms == (NOW + late_ms if believed else NOW)


def test_a_time_stamp_far_from_any_clock_on_which_aws_answers_confirms_nothing() -> None:
    """A saved event that somebody invokes again."""
    machine = SteppedClock()
    clock = PositionClock(machine, NOW - 86_400_000)

    assert clock.read().earliest_ms == NOW
    machine.set_wall(-9_000)
    assert clock.read().earliest_ms == NOW - 9_000


def test_a_process_held_up_between_the_two_readings_sees_no_step() -> None:
    machine = SteppedClock()
    clock = PositionClock(machine)
    machine.reads_late_by_ms = [4_000]

    assert clock.read().step_ms == 0
