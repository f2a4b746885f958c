"""The questions that a deployed probe answers. What is assumed is what the local stack does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tools.aws_questions import asking
from tools.aws_questions.question import STREAMING_DOORS, Door, Question

_EVERY_DOOR = tuple(Door)
_HANGS: Final = "it hangs"


def _all(doors: tuple[Door, ...], answer: str) -> Mapping[Door, str]:
    return dict.fromkeys(doors, answer)


ASKED: Final = (
    Question(
        "Does a streamed answer without a body hang, where a body may stand?",
        "a prelude and no byte after it, of status 200, 302 and 404",
        _all(STREAMING_DOORS, f"200: {_HANGS}; 302: {_HANGS}; 404: {_HANGS}"),
        "If it is answered: STREAMING_EMPTY_BODY=none becomes the default, and no byte is added",
        asking.empty_body([("GET", 200), ("GET", 302), ("GET", 404)]),
    ),
    Question(
        "Does it hang, too, where no body may stand?",
        "the same to HEAD, and of status 204 and 304",
        _all(STREAMING_DOORS, f"HEAD: {_HANGS}; 204: {_HANGS}; 304: {_HANGS}"),
        "If it is answered: no byte is added to these, whatever the setting",
        asking.empty_body([("HEAD", 200), ("GET", 204), ("GET", 304)]),
    ),
    Question(
        "Is the one byte that is added to HEAD, 204 and 304 kept from the client?",
        "one byte of a body, then another request on the same connection",
        _all(STREAMING_DOORS, "HEAD: no harm; 204: no harm; 304: no harm"),
        "If it does harm: these are answered without it, or buffered",
        asking.spare_byte,
    ),
    Question(
        "How large may a prelude be?",
        "preludes of 8, 16, 17 and 64 KB, filled with blanks",
        _all(STREAMING_DOORS, "8192: taken; 16384: taken; 17408: 502; 65536: 502"),
        "The limit at which the library refuses headers (runtime/framing.py: 16 KB)",
        asking.prelude_limit,
    ),
    Question(
        "Does a prelude's `headers` take a list of values?",
        '`"headers": {"x-probe": ["one", "two"]}`',
        _all(STREAMING_DOORS, "502"),
        "If it does: repeated headers need not be joined with a comma",
        asking.header_form("array"),
    ),
    Question(
        "Does a prelude take `multiValueHeaders`?",
        '`"multiValueHeaders": {"x-probe": ["one", "two"]}` beside `headers`',
        {Door.URL: "left out", Door.REST: "one | two"},
        "If Function URLs take it: repeated headers are sent that way",
        asking.header_form("multi"),
    ),
    Question(
        "What becomes of a prelude's Content-Length?",
        "a right one",
        _all(STREAMING_DOORS, "x-amzn-remapped-content-length"),
        "If it is kept: the library need not drop it from streamed answers of known length",
        asking.content_length,
    ),
    Question(
        "Does the event have the path as it was sent, its encoding kept?",
        f"GET {asking.ODD_PATH}",
        {
            Door.URL: asking.AS_SENT,
            Door.REST: asking.AS_SENT,
            Door.HTTP_API: "/echo/a/b é;c+d",
        },
        "What `raw_path` and `path` of a request are made of, by front door (doors/)",
        asking.path_as_the_event_has_it(asking.ODD_PATH),
    ),
    Question(
        "Does an encoded question mark end the path?",
        f"GET {asking.QUESTION_MARK_PATH}",
        {Door.URL: asking.AS_SENT, Door.REST: asking.AS_SENT, Door.HTTP_API: "/echo/a"},
        "The same; nothing can restore what is cut off",
        asking.path_as_the_event_has_it(asking.QUESTION_MARK_PATH),
    ),
    Question(
        "May a client choose the trace, and whether it is sampled?",
        "X-Amzn-Trace-Id with a root of our own, Sampled=1 and Sampled=0",
        _all(
            _EVERY_DOOR,
            "Sampled=1: its trace, Sampled=1; Sampled=0: its trace, Sampled=0",
        ),
        "If it may not: nothing has to be taken out of CORS and CloudFront's headers",
        asking.client_trace,
    ),
    Question(
        "Does anything tell a function that its REST integration streams?",
        'names with "stream" or "transfer" in the event, the variables, the Runtime API\'s headers',
        {Door.REST: asking.NOTHING},
        "If something does: STREAMING_INVOKE_MODE=stream need not be set for a REST API",
        asking.transfer_mode,
    ),
    Question(
        "Is an invocation given with Lambda-Runtime-Invocation-Id?",
        "the names of the headers of /next",
        _all(_EVERY_DOOR, "given"),
        "Nothing: where it is given the library gives it back. What it is for is not documented",
        asking.invocation_id,
    ),
    Question(
        "Is the handler setting in `_HANDLER`?",
        "the variable",
        _all(_EVERY_DOOR, "set"),
        "Without it the take-over depends on awslambdaric's argument (serving/take_over.py)",
        asking.handler_variable,
    ),
    Question(
        "Does a front door invoke the function again when a stream has ended?",
        "three streams, then the names in events that were no requests, of one environment",
        _all(STREAMING_DOORS, "none"),
        "If it does: such an event is answered, and is not counted as failed",
        asking.other_events,
    ),
    Question(
        "Does the door wait while a stream is silent?",
        "one byte, SILENCE seconds (35) of nothing, one byte; SILENCE=330 passes every limit known",
        _all(STREAMING_DOORS, "it waits"),
        "Heartbeats of 15 s. At 35 s an edge-optimized REST API cuts, a Regional one at 300 s",
        asking.silence("/silence"),
    ),
    Question(
        "Does the door wait for the first byte?",
        "SILENCE seconds of nothing, then an answer",
        _all(STREAMING_DOORS, "it waits"),
        "How long a handler phase may take; the head that leaves after 250 ms (bridge/)",
        asking.silence("/late"),
    ),
    Question(
        "Does a small first chunk leave at once?",
        "one byte, a pause, one byte",
        _all(STREAMING_DOORS, "at once"),
        "If it is held back: an event stream's first comment is padded",
        asking.first_byte,
    ),
    Question(
        "What does a client get where the invocation fails before its answer?",
        "POST /error to the Runtime API",
        {Door.URL: "502", Door.REST: "502", Door.HTTP_API: "500"},
        "The table of errors in the documentation, and the local stack",
        asking.failed_before,
    ),
    Question(
        "Does a client notice that a stream failed?",
        "one byte, then the error trailers",
        _all(STREAMING_DOORS, "it ends as a good one does"),
        "If it is broken off: clients notice without an event that tells them",
        asking.failed_after,
    ),
    Question(
        "What is a client told when no execution environment is left?",
        "CONCURRENCY requests that take a while, and one more",
        {
            Door.URL: "429 with Message, Reason, Type",
            Door.REST: "500 with message",
            Door.HTTP_API: "503 with message",
        },
        "What clients are told to wait for, and the local stack (lambda_side/)",
        asking.throttled,
    ),
)
