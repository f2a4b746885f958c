"""One reading of the trace header, held against both tracers that get the normalised form."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.context import Context
from opentelemetry.propagators.aws import AwsXRayPropagator
from opentelemetry.trace import get_current_span

from lambda_streaming.tracing.header import (
    hex_trace_id,
    is_from_client,
    parse_trace_header,
    xray_trace_id,
)
from lambda_streaming.tracing.step import Trace
from tests.fakes import xray_reader
from tests.fakes.spans import PARENT_ID, ROOT, TRACE_ID, TracingWorld, end

R, P = f"Root={ROOT}", f"Parent={PARENT_ID}"
ARABIC_ONES = "\u0661" * 8  # str.isdigit and int() take them


def normalised(header: str | None) -> str | None:
    return parse_trace_header(header).normalised()


@dataclass(frozen=True)
class Form:
    """A header as somebody may send it."""

    name: str
    header: str | None
    records: bool


FORMS = (
    Form("as Lambda sends it", f"{R};{P};Sampled=1;Lineage=1:f84e2b95:0", records=True),
    Form("plain", f"{R};{P};Sampled=1", records=True),
    Form("any order", f"Sampled=1;{P};{R}", records=True),
    Form("lineage of two", f"{R};{P};Sampled=1;Lineage=a:1|b:2", records=True),
    Form("a value with =", f"{R};{P};Sampled=1;Lineage=1:f84e2b95:0=", records=True),
    Form("an equals sign alone as value", f"{R};{P};Sampled=1;Odd==", records=True),
    Form("self of a load balancer", f"Self=1-1-1;{R};{P};Sampled=1", records=True),
    Form("unknown pairs", f"{R};Future=x;{P};Sampled=1;More=y", records=True),
    Form("an extra without value", f"{R};{P};Sampled=1;Odd", records=True),
    Form("an extra with empty value", f"{R};{P};Sampled=1;Odd=", records=True),
    Form("an extra without name", f"{R};{P};Sampled=1;=odd", records=True),
    Form("blanks", f" {R} ; {P} ; Sampled = 1 ", records=True),
    Form("trailing semicolon", f"{R};{P};Sampled=1;", records=True),
    Form("doubled semicolons", f";;{R};;{P};Sampled=1;;", records=True),
    Form("upper-case hex", f"Root={ROOT.upper()};Parent={PARENT_ID.upper()};Sampled=1", True),
    Form("root twice, the last counts", f"Root=1-00000001-{'1' * 24};{R};{P};Sampled=1", True),
    Form("not sampled", f"{R};{P};Sampled=0", records=False),
    Form("no decision", f"{R};{P}", records=False),
    Form("decision asked for", f"{R};{P};Sampled=?", records=False),
    Form("decision 2", f"{R};{P};Sampled=2", records=False),
    Form("decision true", f"{R};{P};Sampled=true", records=False),
    Form("decision taken back", f"{R};{P};Sampled=1;Sampled=0", records=False),
    Form("no parent, sampled", f"{R};Sampled=1", records=False),
    Form("no parent, not sampled", f"{R};Sampled=0", records=False),
    Form("root only", R, records=False),
    Form("parent only", f"{P};Sampled=1", records=False),
    Form("lower-case keys", f"{R};{P};Sampled=1".lower(), records=False),
    Form("root too short", f"Root={ROOT[:-1]};{P};Sampled=1", records=False),
    Form("root too long", f"Root={ROOT}0;{P};Sampled=1", records=False),
    Form("root not hex", f"Root=1-5759e98g-{'b' * 24};{P};Sampled=1", records=False),
    Form("root of version 2", f"Root=2{ROOT[1:]};{P};Sampled=1", records=False),
    Form("root all zero", f"Root=1-{'0' * 8}-{'0' * 24};{P};Sampled=1", records=False),
    Form("root with other digits", f"Root=1-{ARABIC_ONES}-{'1' * 24};{P};Sampled=1", False),
    Form("root empty", f"Root=;{P};Sampled=1", records=False),
    Form("parent too short", f"{R};Parent=53995c3f;Sampled=1", records=False),
    Form("parent not hex", f"{R};Parent=53995c3f42cd8adg;Sampled=1", records=False),
    Form("parent zero", f"{R};Parent={'0' * 16};Sampled=1", records=False),
    Form("parent with 0x", f"{R};Parent=0x995c3f42cd8ad8;Sampled=1", records=False),
    Form("parent with underscore", f"{R};Parent=53995c3f42cd8_d8;Sampled=1", records=False),
    Form("no root but lineage", f"{P};Sampled=1;Lineage=1:f84e2b95:0", records=False),
    Form("lineage only", "Lineage=1:f84e2b95:0", records=False),
    Form("bad root and lineage", f"Root=junk;{P};Sampled=1;Lineage=1:a:0;Odd=", records=False),
    Form("garbage", "garbage", records=False),
    Form("empty", "", records=False),
    Form("blank", "   ", records=False),
    Form("semicolons", ";;;", records=False),
    Form("absent", None, records=False),
)


@cache
def read_by_xray() -> dict[str, Any]:
    """What the X-Ray SDK does under each normalised form."""
    run = subprocess.run(
        [sys.executable, Path(xray_reader.__file__)],
        input=json.dumps([normalised(form.header) for form in FORMS]),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return dict(zip((form.name for form in FORMS), json.loads(run.stdout), strict=True))


forms = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name.replace(" ", "-"))


@forms
def test_a_form_records_or_not(form: Form) -> None:
    assert parse_trace_header(form.header).records is form.records


@forms
def test_xrays_recorder_agrees(form: Form) -> None:
    """Recorded under the very root and parent of the header, or not at all."""
    documents = read_by_xray()[form.name]["documents"]

    assert [(one["trace_id"], one["parent_id"]) for one in documents] == (
        [(ROOT, PARENT_ID)] if form.records else []
    )


@pytest.mark.parametrize(
    "form",
    [form for form in FORMS if normalised(form.header) is not None],
    ids=lambda form: form.name.replace(" ", "-"),
)
def test_xrays_recorder_has_nothing_to_warn_about(form: Form) -> None:
    """It would once per call, filling the log of every unsampled stream."""
    assert read_by_xray()[form.name]["warnings"] == []


@forms
def test_the_stream_agrees(form: Form) -> None:
    """Its spans are children of the header's parent; nothing invents a trace."""
    world = TracingWorld()

    trace = world.start(parse_trace_header(form.header))
    with trace.step("dynamodb_poll"):
        pass
    end(trace)

    spans = world.flushed()
    assert (type(trace) is Trace) is not form.records
    if form.records:
        assert [span.name for span in spans] == ["dynamodb_poll", "sse_stream"]
        assert {f"{span.context.trace_id:032x}" for span in spans if span.context} == {TRACE_ID}
        root = spans[1]
        assert root.parent is not None
        assert f"{root.parent.span_id:016x}" == PARENT_ID
        assert root.parent.is_remote
    else:
        assert spans == []


@forms
def test_opentelemetrys_own_propagator_agrees(form: Form) -> None:
    """Other code in the process may read the variable with it."""
    header = normalised(form.header) or ""

    read = AwsXRayPropagator().extract({"X-Amzn-Trace-Id": header}, Context())

    context = get_current_span(read).get_span_context()
    assert (context.is_valid and context.trace_flags.sampled) is form.records


@forms
def test_the_root_is_told_even_when_nothing_is_recorded(form: Form) -> None:
    root = parse_trace_header(form.header).root

    assert TracingWorld().start(parse_trace_header(form.header)).trace_id == root
    if form.records:
        assert root == ROOT


def test_the_normalised_form_keeps_every_extra_pair() -> None:
    """Lineage is how AWS finds loops; who knows what the next pair will be."""
    assert (
        normalised(f"Lineage=1:f84e2b95:0; Self=1-2-3;{P};Future=x ;Sampled=1;{R};")
        == f"{R};{P};Sampled=1;Lineage=1:f84e2b95:0;Self=1-2-3;Future=x"
    )


def test_a_pair_whose_value_holds_an_equals_sign_is_dropped_alone() -> None:
    """OpenTelemetry's propagator would refuse the whole header over it."""
    assert normalised(f"{R};Odd=a=b;{P};Sampled=1;Lineage=1:a:0") == (
        f"{R};{P};Sampled=1;Lineage=1:a:0"
    )


@pytest.mark.parametrize("decision", ["", ";Sampled=0", ";Sampled=?", ";Sampled=2"])
def test_what_does_not_record_says_so(decision: str) -> None:
    assert normalised(f"{R};{P}{decision}") == f"{R};{P};Sampled=0"


@pytest.mark.parametrize("header", [None, "", "garbage", f"{P};Sampled=1", "Root=x"])
def test_without_a_root_and_extra_pairs_the_variable_is_unset(header: str | None) -> None:
    assert normalised(header) is None


@pytest.mark.parametrize("root", ["", "Root=;", "Root=junk;", f"Root=2{ROOT[1:]};"])
def test_the_extra_pairs_outlive_a_bad_root(root: str) -> None:
    """What AWS finds loops by must not depend on whether there is a trace."""
    header = f"{root}{P};Sampled=1;Lineage=1:a:0;Odd=a=b;Future="

    assert normalised(header) == "Lineage=1:a:0;Future="


def test_an_empty_value_is_kept_and_a_name_alone_is_no_pair() -> None:
    """The X-Ray SDK takes a name without `=` for a malformed header."""
    assert normalised(f"{R};{P};Sampled=1;Foo=;flag") == f"{R};{P};Sampled=1;Foo="


@given(st.text(alphabet="RootParentSampled=;01-abcdef \u0661", max_size=120) | st.text())
def test_no_text_is_too_strange(header: str) -> None:
    """Normalising never fails, is stable, and changes nothing about the decision."""
    once = normalised(header)

    assert normalised(once) == once
    assert parse_trace_header(once).records is parse_trace_header(header).records


def test_both_forms_of_a_trace_id_convert() -> None:
    assert xray_trace_id(TRACE_ID) == ROOT
    assert hex_trace_id(ROOT) == TRACE_ID


RECEIVED_MS = 0x5759E988 * 1000
FRESH_ROOT = "Root=1-5759e988-bd862e3fe1be46a994272793"


@pytest.mark.parametrize(
    "header",
    [
        f"{FRESH_ROOT};Sampled=1",
        f"{FRESH_ROOT};Sampled=0",
        f"{FRESH_ROOT};Parent=53995c3f42cd8ad8",
        "Root=1-00000001-bd862e3fe1be46a994272793",
        "Sampled=1",
    ],
    ids=["recorded", "not recorded", "parent", "root of another time", "decision alone"],
)
def test_a_trace_that_the_client_chose_is_told(header: str) -> None:
    assert is_from_client(header, RECEIVED_MS)


@pytest.mark.parametrize("header", [None, "", FRESH_ROOT, f"Self=1-2-3;{FRESH_ROOT}", "nonsense"])
def test_a_front_doors_own_trace_is_nobodys_choice(header: str | None) -> None:
    assert not is_from_client(header, RECEIVED_MS)


def test_a_root_is_compared_with_a_known_time_only() -> None:
    assert not is_from_client("Root=1-00000001-bd862e3fe1be46a994272793", None)
