"""docs/moving/from-mangum.md: what it says of Mangum is what Mangum does, and of us what we do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from local_aws.settings import REPOSITORY_ROOT
from tests.documentation.moving import mangums_folder
from tests.fakes.events import function_url_event, rest_api_event

BARE = {"httpMethod": "GET", "path": "/health", "headers": {}}
# As AWS sends it: only `rawPath` has the slash at the end
# (https://github.com/Kludex/mangum/issues/307).
SLASH = function_url_event(path="/admin/")
SLASH["requestContext"]["http"]["path"] = "/admin"
STAGE = rest_api_event(path="/items")
STAGE["multiValueHeaders"]["X-Two"] = ["one", "two"]
EVENTS = [BARE, SLASH, STAGE]


@pytest.fixture(scope="module")
def answers() -> dict[str, list[Any]]:
    program = REPOSITORY_ROOT / "tests/documentation/two_adapters.py"
    done = subprocess.run(
        [sys.executable, str(program), str(mangums_folder()), json.dumps(EVENTS)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY_ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[Any]] = json.loads(done.stdout)
    return found


def test_an_event_of_three_members_is_answered_here(answers: dict[str, list[Any]]) -> None:
    assert answers["mangum"][0] == "RuntimeError"
    assert answers["here"][0]["path"] == "/health"


def test_a_slash_at_the_end_is_kept_here(answers: dict[str, list[Any]]) -> None:
    assert answers["mangum"][1]["path"] == "/admin"
    assert answers["here"][1]["path"] == "/admin/"


def test_the_stage_is_the_root_path_here(answers: dict[str, list[Any]]) -> None:
    assert answers["mangum"][2]["root_path"] == ""
    assert answers["here"][2]["root_path"] == "/Prod"


def test_repeated_headers_stay_apart_here(answers: dict[str, list[Any]]) -> None:
    assert answers["mangum"][2]["repeated"] == ["one, two"]
    assert answers["here"][2]["repeated"] == ["one", "two"]


def test_lifespan_runs_once_here(answers: dict[str, list[Any]]) -> None:
    """The first event was no request for Mangum."""
    assert [one["starts"] for one in answers["mangum"][1:]] == [1, 2]
    assert [one["starts"] for one in answers["here"]] == [1, 1, 1]
