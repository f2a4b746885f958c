"""What the tables of the foreign suites say, and when a run is contrary to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.foreign.suites import SUITES, versions
from tests.foreign.table import Row, judge, read_table

ROWS = [
    Row("left_out", ("tests/a.py::test_docker",), "needs Docker"),
    Row("differs", ("*::test_words(on)",), "other words"),
]
AS_EXPECTED = {
    "tests/a.py::test_docker": "left out",
    "tests/a.py::test_words[on]": "failed",
    "tests/a.py::test_words[off]": "passed",
    "tests/a.py::test_body": "passed",
}


def test_a_run_that_is_as_the_table_says_is_counted() -> None:
    verdict = judge(ROWS, AS_EXPECTED)

    assert (verdict.passed, verdict.differ, verdict.left_out) == (2, 1, 1)
    assert verdict.contrary == ()


@pytest.mark.parametrize(
    ("test", "outcome", "said"),
    [
        ("tests/a.py::test_body", "failed", "failed, not passed"),
        ("tests/a.py::test_body", "skipped", "skipped, not passed"),
        ("tests/a.py::test_words[on]", "passed", "passed, not failed (other words)"),
        ("tests/a.py::test_new", "failed", "failed, not passed"),
    ],
)
def test_another_outcome_is_contrary(test: str, outcome: str, said: str) -> None:
    verdict = judge(ROWS, AS_EXPECTED | {test: outcome})

    assert verdict.contrary == (f"{test}: {said}",)


def test_a_row_for_no_test_is_contrary() -> None:
    outcomes = {name: what for name, what in AS_EXPECTED.items() if "words" not in name}

    assert judge(ROWS, outcomes).contrary == ("*::test_words(on): no such test",)


@pytest.mark.parametrize(
    "text",
    [
        "[[skipped]]\ntests = ['a']\nreason = 'b'",
        "[[differs]]\ntests = []\nreason = 'b'",
        "[[differs]]\ntests = ['a']\nreason = ''",
    ],
)
def test_a_table_without_tests_or_reasons_is_refused(tmp_path: Path, text: str) -> None:
    table = tmp_path / "suite.toml"
    table.write_text(text)

    with pytest.raises(ValueError, match=r"suite\.toml"):
        read_table(table)


def test_every_suite_has_its_table_and_its_version() -> None:
    assert {suite.name for suite in SUITES} == {*versions()}
    assert all(suite.rows for suite in SUITES)
