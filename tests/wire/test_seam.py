"""Exactly one record per AWS request: X-Ray's in the handler phase, ours in the streaming phase.

Powertools' patch of botocore, the X-Ray SDK's UDP documents and botocore's HTTP are all real.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.functions import two_phases
from tests.fakes.spans import PARENT_ID, ROOT, SAMPLED

LINEAGE = "Lineage=1:f84e2b95:0"
NOT_SAMPLED = SAMPLED.replace("Sampled=1", "Sampled=0")
REPOSITORY = Path(__file__).resolve().parents[2]

CASES = {
    "sampled": (f"{SAMPLED};{LINEAGE}", False, "botocore"),
    "everything patched": (f"{SAMPLED};{LINEAGE}", False, "all"),
    "nothing patched": (f"{SAMPLED};{LINEAGE}", False, "none"),
    "kill switch": (f"{SAMPLED};{LINEAGE}", True, "botocore"),
    "not sampled": (f"{NOT_SAMPLED};{LINEAGE}", False, "botocore"),
    "no header": (None, False, "botocore"),
}


@cache
def outcome(case: str) -> dict[str, Any]:
    header, disabled, patches = CASES[case]
    run = subprocess.run(
        [
            sys.executable,
            two_phases.__file__,
            json.dumps({"header": header, "disabled": disabled, "patches": patches}),
        ],
        env={"PYTHONPATH": f"{REPOSITORY / 'src'}:{REPOSITORY}"},
        capture_output=True,
        text=True,
        timeout=40,
    )
    assert run.returncode == 0, run.stderr
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer


cases = pytest.mark.parametrize("case", CASES)


@cases
def test_a_handler_phase_request_is_one_xray_subsegment(case: str) -> None:
    """The kill switch is OpenTelemetry's: X-Ray goes on."""
    documents = outcome(case)["handler_documents"]

    recorded = case in ("sampled", "everything patched", "kill switch")
    assert outcome(case)["handler_requests"] == 1
    assert [document["name"] for document in documents] == (
        ["dynamodb", "## handler"] if recorded else []
    )
    if recorded:
        request, handler = documents
        assert request["parent_id"] == handler["id"]
        assert handler["parent_id"] == PARENT_ID
        assert {document["trace_id"] for document in documents} == {ROOT}


@cases
def test_a_streaming_phase_request_is_no_subsegment_in_any_thread(case: str) -> None:
    assert outcome(case)["stream_documents"] == []


@cases
def test_a_streaming_phase_request_belongs_to_the_step_that_made_it(case: str) -> None:
    """The loop's thread, pools, asyncio.to_thread, a paginator, a throttled one, a client that the
    service did not make."""
    requests = outcome(case)["stream_requests"]

    assert len(requests) == two_phases.STEP_REQUESTS
    assert sorted({(name, status) for name, status, _, _ in requests}) == [
        ("DeleteItem", 400),
        ("GetItem", 200),
        ("Query", 200),
    ]
    assert {(table, request_id) for _, _, table, request_id in requests} == {("t", "REQUESTID")}


@cases
def test_only_a_sampled_stream_has_spans_and_one_per_request(case: str) -> None:
    all_requests = two_phases.STEP_REQUESTS + two_phases.STRAY_REQUESTS
    is_sampled = case in ("sampled", "everything patched", "nothing patched")
    expected = all_requests if is_sampled else 0

    assert outcome(case)["client_spans"] == expected
    assert (outcome(case)["spans"] > 0) is is_sampled


@pytest.mark.parametrize("case", ["sampled", "kill switch", "not sampled"])
def test_requests_carry_the_trace_and_its_lineage_to_aws(case: str) -> None:
    """Lineage is how AWS finds loops; a silenced recorder would send a zero parent."""
    decision = "Sampled=0" if case == "not sampled" else "Sampled=1"

    assert set(outcome(case)["stream_trace_headers"]) == {
        f"Root={ROOT};Parent={PARENT_ID};{decision};{LINEAGE}"
    }


def test_the_gate_closes_behind_the_stream() -> None:
    assert outcome("sampled")["afterwards"] == ["dynamodb"]


def test_the_exporters_own_requests_are_in_no_trace() -> None:
    """The SDK's patch of http.client sees them, where everything is patched."""
    assert outcome("everything patched")["export"] == "delivered"
    assert outcome("everything patched")["export_documents"] == []


# Requests of the handler phase that fail


def failure(operation: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the request's document, the handler's)."""
    request, handler = outcome("sampled")["failures"][operation]["documents"]
    return request, handler


def flags(document: dict[str, Any]) -> dict[str, bool]:
    return {name: document.get(name, False) for name in ("fault", "error", "throttle")}


@pytest.mark.parametrize(
    ("operation", "expected", "cause"),
    [
        ("delete_item", {"error", "throttle"}, "ThrottlingException"),
        ("put_item", set(), None),
        ("update_item", {"error"}, "InvalidSignatureException"),
        ("scan", {"fault"}, "InternalServerError"),
        ("list_tables", {"fault"}, "ConnectionClosedError"),
    ],
)
def test_a_handler_phase_failure_is_what_it_is_to_xray(
    operation: str, expected: set[str], cause: str | None
) -> None:
    """A throttle and a 4xx are errors, a lost conditional write is none, the rest are faults."""
    request, handler = failure(operation)

    assert {name for name, is_set in flags(request).items() if is_set} == expected
    exceptions = request.get("cause", {}).get("exceptions", [])
    said = " ".join(f"{one['type']} {one['message']}" for one in exceptions)
    assert cause in said if cause else not exceptions
    assert request["aws"]["operation"].lower() == operation.replace("_", "")
    assert flags(handler) == {"fault": False, "error": False, "throttle": False}


def test_an_expected_refusal_has_no_status_that_would_read_as_an_error() -> None:
    request, _ = failure("put_item")

    assert "http" not in request
    assert request["aws"]["request_id"] == "REQUESTID"


def test_no_failure_repeats_the_request_with_its_token() -> None:
    told = json.dumps(outcome("sampled")["failures"])

    assert "signature we calculated does not match" in told
    assert two_phases.TOKEN not in told
    assert "Canonical" not in told
