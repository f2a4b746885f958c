from __future__ import annotations

from typing import Any

from local_aws.data.faults import THROTTLE, Delay, Drop, FaultPlan, ProxiedRequest


def request(operation: str = "Query", **parameters: Any) -> ProxiedRequest:
    return ProxiedRequest(operation, ("items",), "key", {"TableName": "items", **parameters})


def test_a_rule_fires_as_often_as_it_may() -> None:
    plan = FaultPlan()
    rule = plan.add(THROTTLE, times=2)
    assert [plan.actions_for(request()) for _ in range(3)] == [[THROTTLE], [THROTTLE], []]
    assert rule.fired == 2


def test_the_first_rule_decides_and_every_delay_applies() -> None:
    plan = FaultPlan()
    slow, slower = Delay(before_seconds=1), Delay(after_seconds=2)
    for action in (slow, Drop(), THROTTLE, slower):
        plan.add(action)
    assert plan.actions_for(request()) == [slow, Drop(), slower]


def test_a_removed_rule_no_longer_applies() -> None:
    plan = FaultPlan()
    rule = plan.add(THROTTLE)
    assert rule in plan
    plan.remove(rule)
    assert rule not in plan
    assert plan.actions_for(request()) == []


def test_a_seed_makes_chance_repeatable() -> None:
    def drawn(seed: int) -> list[bool]:
        plan = FaultPlan(seed=seed)
        plan.add(THROTTLE, probability=0.5)
        return [bool(plan.actions_for(request())) for _ in range(40)]

    assert drawn(7) == drawn(7)
    assert 5 < sum(drawn(7)) < 35
