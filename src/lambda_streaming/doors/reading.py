"""What the doors' events have in common: the two payload formats, and loose types to be taken as
they come."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

from lambda_streaming.requests import BadRequest, Pairs, Request

_ASSUMED_ROLE = re.compile(r"arn:(aws[\w-]*):sts::(\d{12}):assumed-role/([^/]+)/.+")
_PARAMETER_NAME = re.compile(r"[A-Za-z0-9_.-]{0,20}")
_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]")
_MAX_SHOWN_CHARACTERS = 8

# All of ASCII that is printed: what is percent-encoded already stays as it is.
_VISIBLE_ASCII = "".join(map(chr, range(0x21, 0x7F)))
_HTTP_VERSIONS = {"HTTP/1.0": "1.0", "HTTP/2": "2", "HTTP/2.0": "2", "HTTP/3": "3", "HTTP/3.0": "3"}


def payload_2_0(
    event: Mapping[str, Any], context: object, *, raw_path: str, path: str, root_path: str = ""
) -> Request:
    """The request of an event whose method is at `requestContext.http.method`. Raises BadRequest.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    request_context = event["requestContext"]
    http = request_context["http"]
    iam = mapping(mapping(request_context.get("authorizer")).get("iam"))
    query_string = percent_encoded(text(event.get("rawQueryString")) or "")
    content = body(event)
    return Request(
        method=http["method"].upper(),
        raw_path=raw_path,
        path=path,
        query=decoded_query(query_string),
        query_string=query_string,
        headers=headers_2_0(event, len(content)),
        body=content,
        root_path=root_path,
        http_version=http_version(http.get("protocol")),
        client=text(http.get("sourceIp")),
        caller_arn=caller(iam.get("userArn")),
        received_ms=epoch_ms(request_context.get("timeEpoch")),
        event=event,
        context=context,
    )


def payload_1_0(
    event: Mapping[str, Any],
    context: object,
    *,
    raw_path: str,
    path: str,
    root_path: str = "",
) -> Request:
    """The request of an event whose method is at `httpMethod`. Raises BadRequest.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    """
    request_context = mapping(event.get("requestContext"))
    identity = mapping(request_context.get("identity"))
    query_string = encoded_query(event)
    content = body(event)
    return Request(
        method=event["httpMethod"].upper(),
        raw_path=raw_path,
        path=path,
        query=decoded_query(query_string),
        query_string=query_string,
        headers=headers_1_0(event, len(content)),
        body=content,
        root_path=root_path,
        http_version=http_version(request_context.get("protocol")),
        client=text(identity.get("sourceIp")),
        caller_arn=caller(identity.get("userArn")),
        received_ms=epoch_ms(request_context.get("requestTimeEpoch")),
        event=event,
        context=context,
    )


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one: events hold null where nothing came."""
    return value if isinstance(value, dict) else {}


def text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def epoch_ms(value: object) -> int | None:
    return value if type(value) is int else None


def has_method_2_0(event: Mapping[str, Any]) -> bool:
    """Whether an event has its method where payload format 2.0 has it."""
    http = mapping(mapping(event.get("requestContext")).get("http"))
    return isinstance(http.get("method"), str)


def has_method_1_0(event: Mapping[str, Any]) -> bool:
    """Whether an event has its method where payload format 1.0 has it."""
    has_context = isinstance(event.get("requestContext"), dict)
    return has_context and isinstance(event.get("httpMethod"), str)


def asks_an_authorizer(event: Mapping[str, Any]) -> bool:
    """Whether API Gateway asks a Lambda authorizer: the ARN is that of the method or route."""
    return "methodArn" in event or "routeArn" in event


def http_method(event: Mapping[str, Any]) -> str | None:
    """Wherever a payload format has it."""
    http = mapping(mapping(event.get("requestContext")).get("http"))
    return text(http.get("method")) or text(event.get("httpMethod"))


def http_version(protocol: object) -> str:
    return _HTTP_VERSIONS.get(protocol, "1.1") if isinstance(protocol, str) else "1.1"


# Paths and queries


def path_or_root(value: object) -> str:
    return value if isinstance(value, str) and value.startswith("/") else "/"


def encoded_path(value: object) -> str:
    """A path that the door passes on as it came."""
    return percent_encoded(path_or_root(value))


def percent_encoded(value: str) -> str:
    """Doors pass on ASCII; whoever writes an event by hand may not."""
    if value.isascii():
        return value
    return quote(value, safe=_VISIBLE_ASCII, errors="surrogatepass")


def quoted_path(decoded: str) -> str:
    """The encoded form of a decoded path, with what RFC 3986, section 3.3, leaves as it is."""
    return quote(decoded, safe="/:@!$&'()*+,;=~", errors="surrogatepass")


def begins_with(whole: str, root: str) -> bool:
    """Whether a path is below a root path, or is the root path itself."""
    return whole.startswith(root) and whole[len(root) : len(root) + 1] in {"", "/"}


def root_before(whole: str, path: str) -> str:
    """What stands in a whole path before the app's own path; nothing where they do not end alike.
    Decoded. A slash at the end of one of them only makes no difference."""
    whole, path = unquote(whole).rstrip("/"), path.rstrip("/")
    root = whole.removesuffix(path)
    return root if root != whole or not path else ""


def query_pairs(event: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The map of lists holds every value; the other one only the last."""
    every = lists_as_pairs(event.get("multiValueQueryStringParameters"))
    named = {name for name, _ in every}
    single = mapping(event.get("queryStringParameters"))
    last = [(n, str(value)) for n, value in single.items() if value is not None and n not in named]
    return [*last, *every]


def encoded_query(event: Mapping[str, Any]) -> str:
    """Of parameters that the door decoded: their order among names is lost, and which space was a
    plus sign."""
    return urlencode(query_pairs(event), errors="surrogatepass")


def decoded_query(query_string: str) -> Pairs:
    return Pairs(parse_qsl(query_string, keep_blank_values=True) if query_string else ())


def shown_name(name: str) -> str:
    """A parameter's name if it looks like one. It may be a token that was pasted into the wrong
    place: of that, the first characters say of which kind it is, and no more."""
    if _PARAMETER_NAME.fullmatch(name):
        return f"'{name}'"
    return f"'{_NO_NAME.split(name, maxsplit=1)[0][:_MAX_SHOWN_CHARACTERS]}…'"


# Headers and bodies


def headers_2_0(event: Mapping[str, Any], body_bytes: int) -> Pairs:
    """Repeated headers come joined; cookies come apart, and belong together with "; "
    (RFC 6265, section 5.4)."""
    pairs: Iterable[tuple[object, object]] = mapping(event.get("headers")).items()
    cookies = event.get("cookies")
    if isinstance(cookies, list) and cookies:
        pairs = [pair for pair in pairs if str(pair[0]).lower() != "cookie"]
        pairs.append(("cookie", "; ".join(map(str, cookies))))
    return _headers(pairs, body_bytes)


def headers_1_0(event: Mapping[str, Any], body_bytes: int) -> Pairs:
    """Every value from the map of lists; API Gateway's test console sends only that one. HTTP/2
    cuts a cookie header apart, and nobody behind it puts it together (RFC 9113, section 8.2.3)."""
    every = lists_as_pairs(event.get("multiValueHeaders"))
    named = {name.lower() for name, _ in every}
    single = mapping(event.get("headers"))
    last = [(name, value) for name, value in single.items() if name.lower() not in named]
    cookies = [value for name, value in every if name.lower() == "cookie"]
    if len(cookies) > 1:
        every = [pair for pair in every if pair[0].lower() != "cookie"]
        every.append(("cookie", "; ".join(cookies)))
    return _headers([*last, *every], body_bytes)


def _headers(pairs: Iterable[tuple[object, object]], body_bytes: int) -> Pairs:
    """The length that came may be that of the base64, of an encoding that the door undid, or
    missing: the body's own replaces it."""
    headers = Pairs((str(name).lower(), value) for name, value in pairs if isinstance(value, str))
    if not body_bytes and "content-length" not in headers:
        return headers
    others = (pair for pair in headers.pairs if pair[0] != "content-length")
    return Pairs([*others, ("content-length", str(body_bytes))])


def forwarded_addresses(headers: Pairs) -> list[str]:
    """Of `x-forwarded-for`, the client's first: without the ports that an ALB can be told to add
    (https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html)."""
    entries = ",".join(headers.all("x-forwarded-for")).split(",")
    return [_without_port(entry.strip()) for entry in entries if entry.strip()]


def _without_port(entry: str) -> str:
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    address, colon, _ = entry.partition(":")
    return address if colon and entry.count(":") == 1 else entry


def lists_as_pairs(value: object) -> list[tuple[str, str]]:
    """A map of lists, of headers or of query parameters. A null is no value."""
    return [
        (name, str(one))
        for name, values in mapping(value).items()
        if isinstance(values, list)
        for one in values
        if one is not None
    ]


def body(event: Mapping[str, Any]) -> bytes:
    """Bytes are of an event that was made by a test: JSON has none. Raises BadRequest for what is
    no text, and for base64 that is none."""
    content = event.get("body")
    if content is None:
        return b""
    if isinstance(content, str):
        content = content.encode("utf-8", "replace")
    elif not isinstance(content, bytes):
        raise BadRequest("invalid_body", "the event's body is neither a string nor null")
    if not event.get("isBase64Encoded"):
        return content
    try:
        return binascii.a2b_base64(content, strict_mode=True)
    except ValueError as error:
        raise BadRequest("invalid_body", "the event's body is not base64") from error


# Callers


def caller(arn: object) -> str | None:
    """A user's ARN as it is; for an assumed role the role's ARN, since sessions come and go."""
    if not isinstance(arn, str) or not arn:
        return None
    if match := _ASSUMED_ROLE.fullmatch(arn):
        partition, account, role = match.groups()
        return f"arn:{partition}:iam::{account}:role/{role}"
    return arn
