"""What a deployment must show, judged from AWS's answers. Pure: each check returns a finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools.trace_documents import Trace

ROOT_SPAN = "sse_stream"
# Every Lambda function is two nodes on the map: the service that takes requests, and itself.
_NODES_OF_A_FUNCTION = ("AWS::Lambda", "AWS::Lambda::Function")
COLLECTOR_FAILURES = ("collector server run finished with error", "Exporting failed")


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's result; `detail` says what was seen, for people."""

    check: str
    passed: bool
    detail: str


def is_complete(trace: Trace, function: str) -> bool:
    """Whether both phases have arrived; X-Ray shows a trace piece by piece."""
    return bool(
        trace.function_segment(function) and trace.handler_subsegments() and trace.named(ROOT_SPAN)
    )


def both_phases_share_the_trace(trace: Trace, function: str) -> Finding:
    check = "both phases are under the function's segment of one trace"
    segment = trace.function_segment(function)
    if segment is None:
        return Finding(check, False, f"no segment of {function}: is tracing Active?")
    below = {record.id for record in trace.below(segment)}
    handlers = [record for record in trace.handler_subsegments() if record.id in below]
    roots = [record for record in trace.named(ROOT_SPAN) if record.id in below]
    detail = f"{len(handlers)} handler subsegments and {len(roots)} {ROOT_SPAN} below it"
    return Finding(check, bool(handlers) and len(roots) == 1, detail)


def spans_follow_the_handlers_return(trace: Trace) -> Finding:
    check = "spans later than the handler's return are there"
    handlers = trace.handler_subsegments()
    roots = trace.named(ROOT_SPAN)
    if not handlers or not roots:
        return Finding(check, False, "one of the phases is missing")
    returned_at = max(record.end for record in handlers)
    later = [record for record in trace.below(roots[0]) if record.start >= returned_at]
    names = ", ".join(f"{count} {name}" for name, count in sorted(_names(later).items()))
    return Finding(check, bool(later), names or "nothing begins after the handler returned")


def no_aws_request_is_recorded_twice(trace: Trace) -> Finding:
    check = "no AWS request is recorded twice"
    requests = Counter(
        (str(record.aws.get("operation")), str(record.aws["request_id"]))
        for record in trace.records
        if record.namespace == "aws" and record.aws.get("request_id")
    )
    twice = [f"{operation} {request}" for (operation, request), n in requests.items() if n > 1]
    return Finding(
        check,
        bool(requests) and not twice,
        f"twice: {', '.join(twice)}" if twice else f"{len(requests)} requests, each once",
    )


def nothing_was_discarded(trace: Trace, collector_lines: Sequence[str]) -> Finding:
    check = "no segment was discarded"
    lost = sum(int(record.metadata.get("spans_lost", 0)) for record in trace.named(ROOT_SPAN))
    problems = []
    if trace.limit_exceeded:
        problems.append("X-Ray says the trace's size limit was exceeded")
    if lost:
        problems.append(f"the function lost {lost} spans")
    problems += [f"the collector wrote: {line.strip()[:200]}" for line in collector_lines[:3]]
    return Finding(check, not problems, "; ".join(problems) or "none, and the logs agree")


def one_node_for_the_service(services: Sequence[Mapping[str, Any]], function: str) -> Finding:
    """`services` are GetTraceGraph's. A client's node has the name of what it calls."""
    check = "the service map has one node for the service"
    nodes = Counter(
        str(service.get("Type"))
        for service in services
        if service.get("Name") == function and service.get("Type") != "client"
    )
    passed = nodes["AWS::Lambda::Function"] == 1 and all(
        kind in _NODES_OF_A_FUNCTION and count == 1 for kind, count in nodes.items()
    )
    shown = ", ".join(f"{count} {kind}" for kind, count in sorted(nodes.items()))
    return Finding(check, passed, f"{function}: {shown or 'no node'}")


def no_wrapper_is_set(configuration: Mapping[str, Any]) -> Finding:
    variables = configuration.get("Environment", {}).get("Variables", {})
    wrapper = variables.get("AWS_LAMBDA_EXEC_WRAPPER")
    return Finding(
        "no wrapper variable is set",
        wrapper is None,
        f"AWS_LAMBDA_EXEC_WRAPPER={wrapper}" if wrapper else f"{len(variables)} other variables",
    )


def _names(records: Sequence[Any]) -> Counter[str]:
    return Counter(record.name for record in records)
