"""Cross-origin rules as a Function URL with a CORS configuration keeps them.

The URL answers preflights itself (the function never sees one), adds its headers to every answer to
a request with an Origin, and lets them replace those of the function. See the Lambda developer
guide, "Cross-origin resource sharing (CORS)" under Function URLs.
"""

from __future__ import annotations

from collections.abc import Mapping

from local_aws.lambda_side.doors.http_request import Pairs

_ALLOW_ORIGIN = ("Access-Control-Allow-Origin", "*")
_ALLOW_METHODS = "GET,POST,DELETE"
# Headers and age are the defaults of the variable "cors" in modules/lambda, so that a client let in
# here is let in there: those built on fetch send last-event-id, a bearer token or a signature.
_ALLOW_HEADERS = (
    "authorization,content-type,last-event-id,x-amz-content-sha256,x-amz-date,x-amz-security-token"
)
_EXPOSE_HEADERS = "x-amzn-trace-id,x-amzn-requestid"
_MAX_AGE_SECONDS = 3600


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    return (
        method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers
    )


def preflight_headers() -> Pairs:
    return [
        _ALLOW_ORIGIN,
        ("Access-Control-Allow-Methods", _ALLOW_METHODS),
        ("Access-Control-Allow-Headers", _ALLOW_HEADERS),
        ("Access-Control-Max-Age", str(_MAX_AGE_SECONDS)),
    ]


def with_cors(request_headers: Mapping[str, str], headers: Pairs) -> Pairs:
    """The answer's headers with the URL's own cross-origin headers in place."""
    if "origin" not in request_headers:
        return headers
    kept = [pair for pair in headers if not pair[0].lower().startswith("access-control-")]
    return [*kept, _ALLOW_ORIGIN, ("Access-Control-Expose-Headers", _EXPOSE_HEADERS)]
