"""RAPID's reply codes and state checks, as a runtime meets them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from local_aws.lambda_side.invocation import Outcome
from tests.wire.local_lambda import PRELUDE, STREAMED, LocalLambda, Step, answer, local_lambda


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[LocalLambda]:
    async with local_lambda(timeout_seconds=5.0) as service:
        yield service


pytestmark = pytest.mark.asyncio(loop_scope="module")


def post(path: str, body: str = "{}", **headers: str) -> Step:
    return {"post": path, "headers": headers, "body": body}


async def replies(running: LocalLambda, *steps: Step) -> list[str]:
    """What the Runtime API said during one invocation."""
    seen = len(running.service.log.lines())
    await running.run(*steps)
    await running.finished()
    return [line for line in running.service.log.lines()[seen:] if line.startswith("reply ")]


async def test_a_response_is_accepted_with_202(running: LocalLambda) -> None:
    assert await replies(running, *answer(PRELUDE, "x")) == ['reply 202 {"status":"OK"}']


@pytest.mark.parametrize("what", ["response", "error"])
async def test_another_request_id_is_refused(running: LocalLambda, what: str) -> None:
    said = await replies(running, post(f"/invocation/other/{what}"), *answer(PRELUDE, "x"))
    assert said[0].startswith("reply 400 ")
    assert '"errorType": "InvalidRequestID"' in said[0]
    assert said[1].startswith("reply 202 ")


@pytest.mark.parametrize("what", ["response", "error"])
async def test_a_second_answer_is_refused(running: LocalLambda, what: str) -> None:
    said = await replies(running, *answer(PRELUDE, "x"), post(f"/invocation/{{id}}/{what}"))
    assert said[1].startswith("reply 403 ")
    assert '"errorType": "InvalidStateTransition"' in said[1]


async def test_an_unknown_response_mode_is_refused_and_fails_the_invocation(
    running: LocalLambda,
) -> None:
    head = {**STREAMED, "Lambda-Runtime-Function-Response-Mode": "Streaming"}
    response = await running.run({"head": head}, {"chunk": PRELUDE}, {"end": {}}, {"exit": 1})
    assert response.status_code == 502
    invocation = await running.finished()
    assert invocation.outcome is Outcome.BAD_MODE
    assert invocation.error_type == "Runtime.InvalidResponseModeHeader"
    assert any("InvalidFunctionResponseMode" in line for line in running.service.log.lines())


async def test_a_buffered_answer_beyond_6_mib_is_refused(running: LocalLambda) -> None:
    said = await replies(
        running, {"head": {"Content-Type": "text/plain"}}, {"pour": (6 << 20) + 16384}, {"end": {}}
    )
    assert said[0].startswith("reply 413 ")
    assert running.last.outcome is Outcome.TOO_LARGE
    assert running.last.status == 502


async def test_asking_again_before_answering_gives_the_same_event(running: LocalLambda) -> None:
    await running.run({"next": True}, *answer(PRELUDE, "x"))
    await running.log_has(f"next {running.last.request_id}")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Function.ValueError", "Function.ValueError"),
        ("ValueError", "Runtime.Unknown"),
        ("Function.valueError", "Function.Unknown"),
    ],
)
async def test_error_types_must_have_lambdas_form(
    running: LocalLambda, given: str, kept: str
) -> None:
    await running.run(
        post("/invocation/{id}/error", **{"Lambda-Runtime-Function-Error-Type": given})
    )
    assert (await running.finished()).error_type == kept


async def test_init_may_not_fail_after_the_first_event(running: LocalLambda) -> None:
    said = await replies(running, post("/init/error"), *answer(PRELUDE, "x"))
    assert said[0].startswith("reply 403 ")


async def test_unknown_paths_are_not_found(running: LocalLambda) -> None:
    said = await replies(running, post("/invocation/next"), *answer(PRELUDE, "x"))
    assert said[0] == "reply 404 404 page not found"
