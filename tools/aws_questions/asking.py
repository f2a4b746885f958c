"""How each question is asked of the probe. An answer is a short phrase, the same where the front
door behaves the same, so that it can be compared with what is assumed."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tools.aws_questions.exchange import BROKEN, COMPLETE, SILENT, Seen
from tools.aws_questions.question import Ask, Asking, NotAskedError

AS_SENT = "as it was sent"
NOTHING = "nothing"
PRELUDE_SIZES = (8 * 1024, 16 * 1024, 17 * 1024, 64 * 1024)
ODD_PATH = "/echo/a%2Fb%20%C3%A9;c+d"
QUESTION_MARK_PATH = "/echo/a%3Fb"
_LATE_SHARE = 0.2
_TELLTALE = ("stream", "transfer")
# Of the log, and of how the client sent its request.
_TELL_OTHER_THINGS = ("AWS_LAMBDA_LOG_STREAM_NAME", "transfer-encoding")
_BODILESS = (("HEAD", 200), ("GET", 204), ("GET", 304))


def empty_body(requests: Sequence[tuple[str, int]]) -> Ask:
    """What comes of a streamed answer that has a head and no byte of a body."""

    def ask(asking: Asking) -> str:
        said = [
            f"{_named(method, status)}: {_of_empty(_without_body(asking, method, status))}"
            for method, status in requests
        ]
        return "; ".join(said)

    return ask


def spare_byte(asking: Asking) -> str:
    """Whether the byte in place of an empty body harms an answer that may have none: each is
    followed by another request on the same connection."""
    said = []
    for method, status in _BODILESS:
        with asking.client.connection(asking.patience_seconds) as connection:
            path = f"/bytes?status={status}&count=1"
            first = asking.client.ask_on(connection, path, method=method)
            is_kept = connection.sock is not None
            next_one = asking.client.ask_on(connection, "/echo")
        harm = [
            *([] if first.status == status and first.end == COMPLETE else [_outcome(first)]),
            *([f"{len(first.body)} bytes reach the client"] if first.body else []),
            *([] if is_kept else ["the connection is closed"]),
            *([] if next_one.document else ["the next answer is unreadable"]),
        ]
        said.append(f"{_named(method, status)}: {' and '.join(harm) or 'no harm'}")
    return "; ".join(said)


def prelude_limit(asking: Asking) -> str:
    said = []
    for size in PRELUDE_SIZES:
        seen = asking.client.ask(f"/prelude?size={size}", patience_seconds=asking.patience_seconds)
        said.append(f"{size}: {'taken' if seen.body == b'whole' else _outcome(seen)}")
    return "; ".join(said)


def header_form(form: str) -> Ask:
    """What a client gets of a header that has two values in the prelude."""

    def ask(asking: Asking) -> str:
        seen = _headers(asking, form)
        if seen.status != 200:
            return _outcome(seen)
        values = seen.values("x-probe")
        return " | ".join(values) if values else "left out"

    return ask


def content_length(asking: Asking) -> str:
    """Under which names the prelude's Content-Length reaches the client."""
    seen = _headers(asking, "length")
    names = sorted(name for name, value in seen.fields if name.endswith("content-length"))
    return ", ".join(names) if seen.status == 200 else _outcome(seen)


def path_as_the_event_has_it(path: str) -> Ask:
    def ask(asking: Asking) -> str:
        got = _echo(asking, path).get("raw_path")
        return AS_SENT if got == path else f"{got}"

    return ask


def client_trace(asking: Asking) -> str:
    """Whether a trace header from outside chooses the trace and whether it is sampled."""
    said = []
    for sampled in ("1", "0"):
        root = f"1-{int(time.time()):08x}-{os.urandom(12).hex()}"
        header = f"Root={root};Sampled={sampled}"
        got = _echo(asking, "/echo", {"x-amzn-trace-id": header}).get("trace_header") or ""
        parts = dict(part.partition("=")[::2] for part in got.split(";"))
        trace = "its trace" if parts.get("Root") == root else "another trace"
        said.append(f"Sampled={sampled}: {trace}, Sampled={parts.get('Sampled')}")
    return "; ".join(said)


def transfer_mode(asking: Asking) -> str:
    """Names in the event, among the variables and at the Runtime API that may tell of streaming."""
    got = _echo(asking, "/echo")
    names = [
        *got.get("event_names", ()),
        *got.get("variables", ()),
        *got.get("runtime_api_names", ()),
    ]
    # The settings of the function itself are none of AWS's telling.
    telling = {
        name
        for name in names
        if any(part in name.lower() for part in _TELLTALE)
        and not name.startswith("STREAMING_")
        and not name.endswith(_TELL_OTHER_THINGS)
    }
    return ", ".join(sorted(telling)) or NOTHING


def invocation_id(asking: Asking) -> str:
    names = _echo(asking, "/echo").get("runtime_api_names", ())
    return "given" if "lambda-runtime-invocation-id" in names else "not given"


def handler_variable(asking: Asking) -> str:
    return "set" if _echo(asking, "/echo").get("handler") else "not set"


def other_events(asking: Asking) -> str:
    """What the environment was invoked with beside requests, after a few streams."""
    for _ in range(3):
        asking.client.ask("/silence?seconds=0", patience_seconds=asking.patience_seconds)
    events = _echo(asking, "/echo").get("other_events", ())
    return "; ".join(" ".join(names) for names in events) or "none"


def silence(path: str) -> Ask:
    """Whether the door waits while the function says nothing."""

    def ask(asking: Asking) -> str:
        seen = asking.client.ask(
            f"{path}?seconds={asking.silence_seconds:g}",
            patience_seconds=asking.silence_seconds + asking.patience_seconds,
        )
        return "it waits" if seen.status == 200 and seen.end == COMPLETE else _outcome(seen)

    return ask


def first_byte(asking: Asking) -> str:
    """Whether a small first chunk reaches the client before the next one is written."""
    seen = asking.client.ask(
        f"/silence?seconds={asking.pause_seconds:g}", patience_seconds=asking.patience_seconds
    )
    if seen.end != COMPLETE or not seen.pieces:
        return _outcome(seen)
    between = seen.pieces[-1][0] - seen.pieces[0][0]
    return "at once" if between > asking.pause_seconds * _LATE_SHARE else "with the next chunk"


def failed_before(asking: Asking) -> str:
    return _outcome(asking.client.ask("/fail", patience_seconds=asking.patience_seconds))


def failed_after(asking: Asking) -> str:
    seen = asking.client.ask("/break", patience_seconds=asking.patience_seconds)
    if seen.status != 200:
        return _outcome(seen)
    return "it ends as a good one does" if seen.end == COMPLETE else f"it is {seen.end}"


def throttled(asking: Asking) -> str:
    """Status, and the names in its JSON, of the request for which no environment is left."""
    if not asking.concurrency:
        raise NotAskedError(
            "give CONCURRENCY=, the function's reserved concurrency: so many requests, and one more"
        )
    with ThreadPoolExecutor(asking.concurrency + 1) as threads:
        seen = list(
            threads.map(
                lambda _: asking.client.ask(
                    f"/late?seconds={asking.pause_seconds:g}",
                    patience_seconds=asking.patience_seconds,
                ),
                range(asking.concurrency + 1),
            )
        )
    refused = next((one for one in seen if one.status != 200), None)
    if refused is None:
        return "no request was refused"
    return f"{refused.status} with {', '.join(sorted(refused.document)) or 'no JSON'}"


def _without_body(asking: Asking, method: str, status: int) -> Seen:
    return asking.client.ask(
        f"/bytes?status={status}&count=0", method=method, patience_seconds=asking.hang_seconds
    )


def _headers(asking: Asking, form: str) -> Seen:
    return asking.client.ask(f"/headers?form={form}", patience_seconds=asking.patience_seconds)


def _echo(asking: Asking, path: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """What the probe says of a request. Raises NotAskedError where it does not answer."""
    seen = asking.client.ask(path, headers=headers, patience_seconds=asking.patience_seconds)
    if "event_names" not in seen.document:
        raise NotAskedError(f"the probe did not answer {path}: {_outcome(seen)}")
    return seen.document


def _named(method: str, status: int) -> str:
    return method if method != "GET" else str(status)


def _of_empty(seen: Seen) -> str:
    if seen.status is None and seen.end == SILENT:
        return "it hangs"
    return "it is answered" if seen.end == COMPLETE and not seen.body else _outcome(seen)


def _outcome(seen: Seen) -> str:
    if seen.status is None:
        return "cut off before the head" if seen.end == BROKEN else "no answer in time"
    if seen.end != COMPLETE:
        return f"{seen.status}, then {seen.end}"
    return str(seen.status)
