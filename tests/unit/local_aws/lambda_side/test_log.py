from __future__ import annotations

from local_aws.lambda_side.log import FunctionLog


def test_what_an_environment_has_written_since_is_its_own() -> None:
    log = FunctionLog()
    log.add(1, "before")
    count = log.count(1)
    log.add(2, "another's")
    log.add(1, "after")
    assert log.lines_since(1, count) == ["after"]
    assert log.lines_since(1, log.count(1)) == []
    assert log.lines_since(3, log.count(3)) == []


def test_of_more_lines_than_are_kept_the_last_are_given() -> None:
    log = FunctionLog()
    for number in range(2100):
        log.add(1, str(number))
    assert log.lines_since(1, 50) == [str(number) for number in range(100, 2100)]
