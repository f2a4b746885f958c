"""`GET /trace` on a stack where all is well."""

from __future__ import annotations

from local_aws.background import BackgroundStack
from tests.fakes.local import get, local_stack, wait_until


def test_it_exports_its_probe_before_it_answers(stack: BackgroundStack) -> None:
    made = get(f"{stack.url}/trace").json()

    records = stack.traces.records(made["trace_id"])
    assert [r.name for r in records if r.source == "otel"] == ["trace_probe"]
    assert list(made) == ["trace_id", "sampled", "services", "checks", "versions", "last_flush"]
    assert {c["name"]: c["status"] for c in made["checks"]} == {
        "sampled": "ok",
        "kill_switch": "ok",
        "handler_tracer": "ok",
        "collector": "ok",
        "xray_daemon": "unknown",
        "double_instrumentation": "ok",
        "clock": "ok",
    }
    assert made["last_flush"]["outcome"] == "delivered"
    assert set(made["versions"]) >= {"function", "python", "opentelemetry-sdk", "aws-xray-sdk"}


def test_the_probe_hangs_beside_the_handler_and_the_daemon_was_not_disturbed(
    stack: BackgroundStack,
) -> None:
    made = get(f"{stack.url}/trace").json()

    def handlers() -> list[str | None]:
        records = stack.traces.records(made["trace_id"])
        return [r.parent_id for r in records if r.name == "## handler"]

    wait_until(handlers, "the handler's subsegment arrives")
    records = stack.traces.records(made["trace_id"])
    assert handlers() == [r.parent_id for r in records if r.name == "trace_probe"]
    assert stack.stack.daemon.malformed == 0


def test_it_is_there_only_where_it_was_asked_for() -> None:
    with local_stack(SSE_TRACE_ROUTE="off") as stack:
        assert get(f"{stack.url}/trace").status_code == 404
