"""Checks a deployment on AWS: opens a stream and reads what X-Ray, the logs and Lambda say of it.

    python -m tools.verify_aws --url https://….lambda-url.REGION.on.aws/ --function sse-streaming

Needs credentials that may call the URL and read X-Ray, the function's configuration and its log
group; --cold-start also creates and deletes two functions with the same role.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from tools import cold_start, deployment_checks
from tools.deployment_checks import Finding
from tools.open_stream import Seen, Sign, StreamFailedError, signed, stream_for, unsigned
from tools.trace_documents import Trace

_ALIAS = "live"
_DOORS_HOST = re.compile(
    r"[a-z0-9]+\.(?:lambda-url|execute-api)\.([a-z0-9-]+)\.(?:on\.aws|amazonaws\.com)"
)
_TRACE_WAIT_SECONDS = 180.0
_TRACE_POLL_SECONDS = 5.0
_STREAM_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Aws:
    """AWS's clients, and the clock that waiting is measured by."""

    xray: Any
    functions: Any
    logs: Any
    now_seconds: Callable[[], float] = time.time
    sleep_seconds: Callable[[float], None] = time.sleep


class TraceNotFoundError(Exception):
    """X-Ray never showed both phases of the trace."""


def verify(aws: Aws, function: str, open_stream: Callable[[], Seen]) -> list[Finding]:
    """Open a stream and judge everything. Raises StreamFailedError, TraceNotFoundError."""
    started = aws.now_seconds()
    seen = open_stream()
    trace = wait_for_trace(aws, seen.trace_id, function)
    configuration = aws.functions.get_function_configuration(
        FunctionName=function, Qualifier=_ALIAS
    )
    graph = aws.xray.get_trace_graph(TraceIds=[seen.trace_id])
    return [
        deployment_checks.both_phases_share_the_trace(trace, function),
        deployment_checks.spans_follow_the_handlers_return(trace),
        deployment_checks.one_node_for_the_service(graph["Services"], function),
        deployment_checks.no_wrapper_is_set(configuration),
        deployment_checks.nothing_was_discarded(trace, collector_lines(aws, function, started)),
        deployment_checks.no_aws_request_is_recorded_twice(trace),
    ]


def wait_for_trace(aws: Aws, trace_id: str, function: str) -> Trace:
    """The trace, once both phases are in it and it grows no more. Raises TraceNotFoundError."""
    deadline = aws.now_seconds() + _TRACE_WAIT_SECONDS
    trace = None
    records_before = 0
    while aws.now_seconds() < deadline:
        answer = aws.xray.batch_get_traces(TraceIds=[trace_id])
        if answer["Traces"]:
            trace = Trace.from_answer(answer["Traces"][0])
            if deployment_checks.is_complete(trace, function) and (
                len(trace.records) == records_before
            ):
                return trace
            records_before = len(trace.records)
        aws.sleep_seconds(_TRACE_POLL_SECONDS)
    shown = ", ".join(sorted({record.name for record in trace.records})) if trace else "nothing"
    raise TraceNotFoundError(
        f"after {_TRACE_WAIT_SECONDS:.0f} s X-Ray shows {shown} of trace {trace_id}; both a handler"
        f" subsegment and {deployment_checks.ROOT_SPAN} were expected. Without the first, tracing"
        " is not Active; without the second, look for the collector's lines in the log."
    )


def collector_lines(aws: Aws, function: str, since_seconds: float) -> list[str]:
    """What the collector wrote of its failures since then."""
    pattern = " ".join(f'?"{text}"' for text in deployment_checks.COLLECTOR_FAILURES)
    pages = aws.logs.get_paginator("filter_log_events").paginate(
        logGroupName=f"/aws/lambda/{function}",
        startTime=int(since_seconds * 1000),
        filterPattern=pattern,
    )
    return [event["message"] for page in pages for event in page["events"]]


def signature_for(aws: Aws, session: Any, url: str, function: str) -> Sign:
    """How requests to `url` are authorised: signed if it is the function's own and asks for it."""
    configuration = aws.functions.get_function_url_config(FunctionName=function, Qualifier=_ALIAS)
    own = configuration["FunctionUrl"].rstrip("/") == url.rstrip("/")
    if own and configuration["AuthType"] == "AWS_IAM":
        return signed(session, aws.functions.meta.region_name)
    return unsigned


def region_for(url: str, given: str | None, environ: Mapping[str, str]) -> str | None:
    """The region that was given; else the one in a front door's host; else AWS_REGION, which
    boto3 does not read. None leaves it to boto3."""
    host = _DOORS_HOST.fullmatch(urlsplit(url).hostname or "")
    return given or (host[1] if host else None) or environ.get("AWS_REGION") or None


def report(findings: Sequence[Finding]) -> str:
    """One line a check, and the verdict."""
    lines = [
        f"{'ok  ' if finding.passed else 'FAIL'}  {finding.check}: {finding.detail}"
        for finding in findings
    ]
    failed = sum(not finding.passed for finding in findings)
    return "\n".join([*lines, f"{len(findings) - failed} passed, {failed} failed"])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

    parser = argparse.ArgumentParser(prog="verify_aws", description="Check a deployment on AWS.")
    parser.add_argument("--url", required=True, help="the Function URL, or the CDN's")
    parser.add_argument("--function", required=True, help="the function's name")
    parser.add_argument("--region", help="default: the Function URL's, else AWS_REGION")
    parser.add_argument("--seconds", type=float, default=_STREAM_SECONDS, help="to stream for")
    parser.add_argument(
        "--cold-start",
        action="store_true",
        help="also compare init times with and without the layers",
    )
    parser.add_argument("--samples", type=int, default=5, help="cold starts of each kind")
    given = parser.parse_args(arguments)
    try:
        return _run(given)
    except NoCredentialsError:
        why = "AWS credentials are missing: export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    except NoRegionError:
        why = "no region is known: export AWS_REGION"
    except (
        *(StreamFailedError, TraceNotFoundError, cold_start.NoInitReportedError),
        *(BotoCoreError, ClientError, OSError, HTTPException),
    ) as error:
        why = f"{error}"
    sys.stderr.write(f"verify_aws: {why}\n")
    return 1


def _run(given: argparse.Namespace) -> int:
    import boto3

    session = boto3.session.Session(region_name=region_for(given.url, given.region, os.environ))
    aws = Aws(session.client("xray"), session.client("lambda"), session.client("logs"))
    sign = signature_for(aws, session, given.url, given.function)
    findings = verify(aws, given.function, lambda: stream_for(given.url, given.seconds, sign))
    sys.stdout.write(f"{report(findings)}\n")
    if given.cold_start:
        mark = f"cs{int(time.time()):x}"  # a function's name has 64 characters at most
        taken = cold_start.compare(aws.functions, given.function, given.samples, mark=mark)
        sys.stdout.write(f"init time of {given.function}'s copies\n{cold_start.summary(taken)}\n")
    return 0 if all(finding.passed for finding in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
