"""The service runs from its zip: what was left out of it is not missed, by late imports neither."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from local_aws.background import BackgroundStack
from local_aws.settings import FunctionSettings, Settings
from tests.fakes.local import get, open_stream, request, wait_until

pytestmark = [pytest.mark.ci, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def stack(runtime: Path, unpacked: Path) -> Iterator[BackgroundStack]:
    function = FunctionSettings(python=runtime, task_root=unpacked)
    with BackgroundStack(Settings(port=0, items_per_second=0, function=function)) as running:
        yield running


def test_a_stream_and_its_trace(stack: BackgroundStack) -> None:
    console = stack.stack.console_url
    with open_stream(f"{stack.url}/stream") as (response, events):
        ready = next(events)
        assert ready.name == "ready"
        httpx.post(f"{console}/api/items", json={"sentiment_type": "positive"}).raise_for_status()
        assert next(events).name == "sentiment"
        closed = request("DELETE", f"{stack.url}/stream/{ready.data['connection_id']}")
        assert closed.status_code == 200
        assert [event.name for event in events] == ["end"]

    def spans() -> set[str]:
        trace: dict[str, Any] = httpx.get(f"{console}/api/traces/{response.trace_id}").json()
        return {one["name"] for one in trace["records"] if one["source"] == "otel"}

    wait_until(lambda: {"sse_stream", "dynamodb_poll", "connection_release"} <= spans(), "spans")


def test_the_trace_route_finds_nothing_wrong(stack: BackgroundStack) -> None:
    answer = get(f"{stack.url}/trace")
    assert answer.status_code == 200
    checks = answer.json()["checks"]
    assert checks
    assert [one for one in checks if one["status"] == "failed"] == [], stack.stack.function_log()
