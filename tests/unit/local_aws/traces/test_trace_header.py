from __future__ import annotations

import pytest

from local_aws.traces.trace_header import start_trace

ROOT = "1-6b012333-95837e9e5dc74574d39297f7"


def test_a_trace_begins_now_without_a_header() -> None:
    trace = start_trace(None, sampled_by_default=True, clock=lambda: 0x6B012333)
    assert trace.root.startswith("1-6b012333-")
    assert (trace.upstream_id, trace.sampled) == (None, True)
    assert trace.service_id != trace.function_id


def test_the_clients_trace_parent_and_decision_are_kept() -> None:
    header = f"Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=0;Lineage=1:aa:0"
    trace = start_trace(header, sampled_by_default=True, clock=lambda: 0.0)
    assert (trace.root, trace.upstream_id) == (ROOT, "53995c3f42cd8ad8")
    assert trace.sampled is False
    assert trace.function_header == (
        f"Root={ROOT};Parent={trace.function_id};Sampled=0;Lineage=1:aa:0"
    )


@pytest.mark.parametrize("header", ["", "nonsense", "Root=1-x-y;Sampled=1", ";;=;"])
def test_a_malformed_root_begins_a_new_trace(header: str) -> None:
    trace = start_trace(header, sampled_by_default=False, clock=lambda: 0.0)
    assert trace.root.startswith("1-00000000-")
    assert trace.sampled is False


@pytest.mark.parametrize("sampled", [True, False])
def test_an_open_decision_is_ours(sampled: bool) -> None:
    header = f"Root={ROOT};Sampled=?"
    trace = start_trace(header, sampled_by_default=sampled, clock=lambda: 0.0)
    assert trace.sampled is sampled
