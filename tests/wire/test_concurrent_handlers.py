"""Powertools' tracer in many invocations at once: every subsegment in its own trace, under its own
parent. The SDK and its UDP documents are real."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.functions import many_invocations

REPOSITORY = Path(__file__).resolve().parents[2]
PREFIX = "## main.<locals>."


@pytest.fixture(scope="module", params=[1, 64])
def documents(request: pytest.FixtureRequest) -> dict[int, list[dict[str, Any]]]:
    """By invocation."""
    slots: int = request.param
    run = subprocess.run(
        [sys.executable, many_invocations.__file__, str(slots)],
        env={"PYTHONPATH": f"{REPOSITORY / 'src'}:{REPOSITORY}"},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == "", "the SDK had nothing to warn about"
    numbers = [*range(slots), many_invocations.FAILED]
    by_invocation: dict[int, list[dict[str, Any]]] = {number: [] for number in numbers}
    for document in json.loads(run.stdout):
        by_invocation[int(document["trace_id"][2:10], 16)].append(document)
    return by_invocation


def working(
    documents: dict[int, list[dict[str, Any]]],
) -> list[tuple[int, list[dict[str, Any]]]]:
    return [one for one in documents.items() if one[0] != many_invocations.FAILED]


def name(document: dict[str, Any]) -> str:
    return str(document["name"]).rpartition(".")[2]


def test_each_trace_holds_its_own_subsegments_and_no_others(
    documents: dict[int, list[dict[str, Any]]],
) -> None:
    for number, found in working(documents):
        assert Counter(map(name, found)) == {
            "## handler": 1,
            "## synchronous": 1,
            "awaited": 1,
            "blocking": 4,
        }
        said = {one["annotations"].get("number", str(number)) for one in found}
        assert said == {str(number)}


def test_each_subsegment_hangs_under_the_code_that_called_it(
    documents: dict[int, list[dict[str, Any]]],
) -> None:
    for number, found in working(documents):
        names = {one["id"]: name(one) for one in found} | {f"{number + 1:016x}": "Lambda"}
        parents = Counter((name(one), names[one["parent_id"]]) for one in found)
        assert parents == {
            ("## handler", "Lambda"): 1,
            ("## synchronous", "Lambda"): 1,
            ("awaited", "## handler"): 1,
            ("blocking", "awaited"): 1,
            ("blocking", "## handler"): 2,
            ("blocking", "## synchronous"): 1,
        }


def test_an_async_handler_has_powertools_annotations(
    documents: dict[int, list[dict[str, Any]]],
) -> None:
    handlers = [one for found in documents.values() for one in found if one["name"] == "## handler"]

    assert {one["annotations"]["Service"] for one in handlers} == {"orders"}
    assert sorted(one["annotations"]["ColdStart"] for one in handlers)[-1] is True
    assert sum(one["annotations"]["ColdStart"] for one in handlers) == 1


def test_a_handlers_exception_is_its_subsegments_cause(
    documents: dict[int, list[dict[str, Any]]],
) -> None:
    found = documents[many_invocations.FAILED]

    assert len(found) == 2, "an async handler and a sync one"
    for document in found:
        (cause,) = document["cause"]["exceptions"]
        assert (document["name"], document["fault"]) == ("## handler", True)
        assert (cause["type"], cause["message"]) == ("LookupError", "no such order")
