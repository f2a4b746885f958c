"""One invocation, from its event to the last hook after its answer."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from lambda_streaming.responses import Result, StreamingResponse, StreamOutcome
from lambda_streaming.runtime.client import RuntimeApi
from lambda_streaming.runtime.error_report import is_cancelled, log_failure, run_guarded
from lambda_streaming.runtime.errors import RuntimeApiError
from lambda_streaming.runtime.invocation import FunctionEnvironment, Invocation, LambdaContext
from lambda_streaming.runtime.response_stream import ResponseStream
from lambda_streaming.runtime.termination import TerminatedError, Termination

logger = logging.getLogger(__name__)

Handler: TypeAlias = Callable[[bytes, LambdaContext], Result | Awaitable[Result]]
"""Called on the main thread, which is also the event loop's. SIGTERM interrupts a handler that is
synchronous by an exception, and cancels one that is awaited."""

Hook: TypeAlias = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Hooks:
    """`before_invocation` runs before the handler, `after_response` after each answer and before
    the environment may freeze, `on_shutdown` after SIGTERM and the invocation that it ended,
    `after_restore` in an environment restored from a snapshot. Those of `on_shutdown` run in
    parallel, and are cancelled when their time is up."""

    before_invocation: Sequence[Callable[[Invocation], None]] = ()
    after_response: Sequence[Hook] = ()
    on_shutdown: Sequence[Hook] = ()
    after_restore: Sequence[Hook] = ()


TRACE_VARIABLE = "_X_AMZN_TRACE_ID"


class Invoker:
    """Runs one invocation after the other. Nothing of one is there when the next begins."""

    def __init__(
        self,
        handler: Handler,
        *,
        api: RuntimeApi,
        environment: FunctionEnvironment,
        environ: MutableMapping[str, str],
        normalise_trace_header: Callable[[str | None], str | None],
        hooks: Hooks,
        termination: Termination,
        monotonic: Callable[[], float],
    ) -> None:
        self._handler = handler
        self._api = api
        self._environment = environment
        self._environ = environ
        self._normalise_trace_header = normalise_trace_header
        self._hooks = hooks
        self._termination = termination
        self._monotonic = monotonic
        self._stream: ResponseStream | None = None
        self._answered = False

    async def run(self, invocation: Invocation) -> None:
        """Answers the invocation and cleans up after it, in a context of its own: what the handler
        sets in context variables, its body and its hooks see, and no other invocation."""
        context = contextvars.copy_context()
        running = self._run(invocation, context)
        try:
            await asyncio.get_running_loop().create_task(running, context=context)
        finally:
            self._answered = False

    def terminate(self) -> bool:
        """Ends the answer under way for SIGTERM; False where all that can be done is to cancel."""
        if self._stream is not None:
            self._stream.stop(StreamOutcome.SHUTDOWN)
            return True
        return self._answered

    async def _run(self, invocation: Invocation, context: contextvars.Context) -> None:
        self._announce(invocation)
        stream: StreamingResponse | None = None
        try:
            result = await self._call(invocation)
            if isinstance(result, StreamingResponse):
                stream = result
            request = self._api.answer_request(invocation, result)
        except (TerminatedError, KeyboardInterrupt):
            raise
        except BaseException as error:
            if self._termination.begun:  # the handler turned the interruption into another error
                raise TerminatedError from error
            if is_cancelled(error):
                raise
            log_failure(logger, "the handler failed", error)
            await self._post(self._api.error_request(invocation, error), "/error")
            await self._finish_unsent(stream, StreamOutcome.FAILED, error)
            return
        if self._termination.begun:  # the handler swallowed the interruption, or was just done
            if stream is not None:
                await self._finish_unsent(stream, StreamOutcome.SHUTDOWN, None)
            raise TerminatedError
        if stream is not None:
            outcome, body_error = await self._deliver(stream, request, context)
            await self._after_answer(stream, outcome, body_error)
        else:
            await self._post(request, "/response")
            await self._after_answer(None, StreamOutcome.COMPLETED, None)

    async def _call(self, invocation: Invocation) -> Result:
        context = LambdaContext.of(invocation, self._environment, self._monotonic)
        with self._termination.interrupting():
            result = self._handler(invocation.event, context)
        return await result if isinstance(result, Awaitable) else result

    def _announce(self, invocation: Invocation) -> None:
        """Puts the invocation where logging, X-Ray and the hooks look for it."""
        bootstrap = sys.modules.get("awslambdaric.bootstrap")
        if hasattr(bootstrap, "_GLOBAL_AWS_REQUEST_ID"):
            # The managed runtime's log formatter reads the request id there.
            setattr(bootstrap, "_GLOBAL_AWS_REQUEST_ID", invocation.request_id)  # noqa: B010
        self._environ.pop(TRACE_VARIABLE, None)
        try:
            header = self._normalise_trace_header(invocation.trace_header)
            if header is not None:
                self._environ[TRACE_VARIABLE] = header
        except Exception as error:  # its text may repeat the header, which is not for the log
            logger.error("the trace header cannot be used: %s", type(error).__name__)
        for hook in self._hooks.before_invocation:
            try:
                hook(invocation)
            except Exception as error:
                log_failure(logger, "a before_invocation hook failed", error)

    async def _deliver(
        self, response: StreamingResponse, head: bytes, context: contextvars.Context
    ) -> tuple[StreamOutcome, BaseException | None]:
        self._stream = ResponseStream(self._api.connection, response, monotonic=self._monotonic)
        try:
            return await self._stream.run(head, context)
        finally:
            self._stream = None

    async def _post(self, request: bytes, what: str) -> None:
        try:
            await self._api.post(request, what)
        except RuntimeApiError as error:
            logger.warning("answer not delivered: %s", error)

    async def _finish_unsent(
        self, stream: StreamingResponse | None, outcome: StreamOutcome, error: BaseException | None
    ) -> None:
        if stream is not None:
            body = stream.body
            await run_guarded("closing the body", lambda: body.aclose())
        await self._after_answer(stream, outcome, error)

    async def _after_answer(
        self, stream: StreamingResponse | None, outcome: StreamOutcome, error: BaseException | None
    ) -> None:
        self._answered = True
        if stream is not None:
            finish = stream.finish
            await run_guarded("finish", lambda: finish(outcome, error))
        for hook in self._hooks.after_response:
            await run_guarded("an after_response hook", hook)
