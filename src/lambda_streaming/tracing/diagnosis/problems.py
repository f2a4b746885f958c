"""Why a collector did not take spans, and what to do about it."""

from __future__ import annotations

_CORRECT_ENDPOINT = "correct OTEL_EXPORTER_OTLP_ENDPOINT: http://localhost:4318, without /v1/traces"


def why_not_taken(problem: str | None, span_budget_variable: str) -> tuple[str, str]:
    """(why, fix) for a batch that the collector did not take. `span_budget_variable` is the
    setting that makes batches smaller."""
    match problem:
        case "HTTP 500" | "HTTP 429":
            return (
                f"the collector answered {problem}: X-Ray refused what it passed on",
                "allow xray:PutTraceSegments and xray:PutTelemetryRecords to the function's role"
                " (AWSXRayDaemonWriteAccess); a throttle by X-Ray looks the same, and passes",
            )
        case "HTTP 502" | "HTTP 503" | "HTTP 504":
            return (
                f"the collector answered {problem}: it cannot reach X-Ray, or X-Ray fails",
                "look at the collector's log lines; in a VPC, give it a way to X-Ray's endpoint",
            )
        case "ConnectionRefusedError":
            return (
                "connection refused, no collector listens there",
                "add the ADOT collector layer, or correct OTEL_EXPORTER_OTLP_ENDPOINT",
            )
        case "gaierror":
            return (
                "no such host",
                "correct OTEL_EXPORTER_OTLP_ENDPOINT: the layer listens on http://localhost:4318",
            )
        case "rejected spans":
            return (
                "it took the batch and rejected spans of it",
                "look at the collector's log lines: it says there which spans, and why",
            )
        case "not OTLP":
            return (
                "what listens there answers 200 as a web server does: it is no OTLP/HTTP receiver",
                _CORRECT_ENDPOINT,
            )
        case "HTTP 400":
            return (
                "the receiver could not read the spans (HTTP 400)",
                "look at the collector's log lines for what it says of the request; a proxy on"
                " the way may change it",
            )
        case "HTTP 401" | "HTTP 403":
            return (
                f"the receiver wants credentials ({problem}), and the function sends none",
                "send the spans to the collector layer (http://localhost:4318) and let that one"
                " authenticate, or switch authentication off at this receiver",
            )
        case "HTTP 413":
            return (
                "the batch is larger than the receiver takes (HTTP 413)",
                "raise max_request_body_size of the collector's OTLP receiver, or lower"
                f" {span_budget_variable}",
            )
        case str() if problem.startswith("HTTP "):
            return (
                f"what listens there answered {problem}: it is no OTLP/HTTP receiver, or not at"
                " this path",
                _CORRECT_ENDPOINT,
            )
    return (
        f"no answer in HTTP ({problem or 'no connection'})",
        "correct OTEL_EXPORTER_OTLP_ENDPOINT: port 4318 speaks HTTP, 4317 gRPC; or look at the"
        " collector's log lines for a crash",
    )
