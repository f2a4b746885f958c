"""A step and its AWS requests, before any span exists."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lambdas.sse_streaming.aws.errors import AwsRefused, AwsThrottled, AwsUnavailable
from lambdas.sse_streaming.tracing.operation import Failure, Operation, UntracedStream
from lambdas.sse_streaming.tracing.seam import in_streaming_phase, install_gate


def test_work_runs_in_the_streaming_phase_and_only_the_work() -> None:
    step = Operation("poll", 0)

    assert step.run(in_streaming_phase)
    assert not in_streaming_phase()


def test_the_phase_ends_with_work_that_fails() -> None:
    def fail() -> None:
        raise KeyError("k")

    with pytest.raises(KeyError):
        Operation("poll", 0).run(fail)
    assert not in_streaming_phase()


def test_the_phase_belongs_to_the_thread_that_does_the_work() -> None:
    """Pools do not copy contexts, and another stream's thread is none of this step's business."""
    seen: list[bool] = []
    with ThreadPoolExecutor(1) as pool:
        seen.append(pool.submit(in_streaming_phase).result())
        seen.append(pool.submit(Operation("poll", 0).run, in_streaming_phase).result())
        seen.append(pool.submit(in_streaming_phase).result())
    assert seen == [False, True, False]


def test_steps_may_nest() -> None:
    outer, inner = Operation("outer", 0), Operation("inner", 0)

    assert outer.run(lambda: (inner.run(in_streaming_phase), in_streaming_phase())) == (True, True)


def test_an_untraced_stream_still_keeps_its_requests_from_xray() -> None:
    """The kill switch silences OpenTelemetry; it must not hand the stream over to X-Ray."""
    trace = UntracedStream(None)
    step = trace.begin("dynamodb_poll")

    assert step.run(in_streaming_phase)


# The gate in front of X-Ray's recorder


class ScriptedRecorder:
    """The two methods of aws_xray_sdk's recorder that its patches funnel through."""

    def __init__(self) -> None:
        self.recorded: list[str] = []
        self.record_subsegment: Callable[..., Any] = self._record
        self.record_subsegment_async: Callable[..., Any] = self._record_async

    def _record(self, wrapped: Any, instance: Any, args: Any, kwargs: Any, **named: Any) -> Any:
        self.recorded.append(named["name"])
        return wrapped(*args, **kwargs)

    async def _record_async(
        self, wrapped: Any, instance: Any, args: Any, kwargs: Any, **named: Any
    ) -> Any:
        self.recorded.append(named["name"])
        return await wrapped(*args, **kwargs)

    def clear_trace_entities(self) -> None: ...

    def current_subsegment(self) -> None: ...


def test_the_gate_lets_the_handler_phase_be_recorded() -> None:
    recorder = ScriptedRecorder()
    install_gate(recorder)

    answer = recorder.record_subsegment(max, None, (1, 2), {}, name="dynamodb", namespace="aws")

    assert answer == 2
    assert recorder.recorded == ["dynamodb"]


def test_the_gate_makes_the_recorder_step_aside_in_the_streaming_phase() -> None:
    recorder = ScriptedRecorder()
    install_gate(recorder)

    answer = Operation("poll", 0).run(
        lambda: recorder.record_subsegment(max, None, (1, 2), {}, name="dynamodb")
    )

    assert answer == 2
    assert recorder.recorded == []


async def test_the_gate_stands_before_the_asynchronous_recorder_too() -> None:
    recorder = ScriptedRecorder()
    install_gate(recorder)

    async def call() -> str:
        return "answer"

    def start() -> asyncio.Task[Any]:
        return asyncio.create_task(
            recorder.record_subsegment_async(call, None, (), {}, name="dynamodb")
        )

    assert await start() == "answer"
    assert await Operation("poll", 0).run(start) == "answer"
    assert recorder.recorded == ["dynamodb"]


def test_the_gate_is_installed_once() -> None:
    recorder = ScriptedRecorder()
    install_gate(recorder)
    gated = recorder.record_subsegment
    install_gate(recorder)

    assert recorder.record_subsegment == gated


def test_the_gate_passes_failures_on() -> None:
    recorder = ScriptedRecorder()
    install_gate(recorder)

    with pytest.raises(ZeroDivisionError):
        Operation("poll", 0).run(
            lambda: recorder.record_subsegment(lambda: 1 / 0, None, (), {}, name="dynamodb")
        )


# Failures


@pytest.mark.parametrize(
    ("error", "error_type", "is_fault"),
    [
        (AwsThrottled("ThrottlingException", "m"), "ThrottlingException", False),
        (AwsRefused("AccessDenied", "m"), "AccessDenied", False),
        (AwsUnavailable("ServiceUnavailable", "m"), "ServiceUnavailable", True),
        (TimeoutError("m"), "TimeoutError", True),
        (asyncio.CancelledError(), "CancelledError", True),
    ],
)
def test_a_failure_is_named_after_aws_word_for_it(
    error: BaseException, error_type: str, is_fault: bool
) -> None:
    failure = Failure.of(error)

    assert (failure.error_type, failure.is_fault) == (error_type, is_fault)


def test_a_chain_without_end_is_cut() -> None:
    first, second = ValueError("1"), ValueError("2")
    first.__cause__, second.__cause__ = second, first

    assert [link.message for link in Failure.of(first).chain] == ["2", "1"]

    deep: BaseException = ValueError("deepest")
    for number in range(20):
        effect = ValueError(str(number))
        effect.__cause__ = deep
        deep = effect
    assert [link.message for link in Failure.of(deep).chain] == ["deepest", "0", "17", "18", "19"]


def caught(run: Callable[[], None]) -> list[str]:
    """Messages of the chain of what a function raises, cause first."""
    try:
        run()
    except Exception as error:
        return [link.message for link in Failure.of(error).chain]
    raise AssertionError("it raised nothing")


def test_what_was_being_handled_is_a_cause_too() -> None:
    def handle() -> None:
        try:
            raise OSError("reset by peer")
        except OSError:
            raise ValueError("no usable answer")  # noqa: B904

    def hide() -> None:
        try:
            raise OSError("reset by peer")
        except OSError:
            raise ValueError("no usable answer") from None

    assert caught(handle) == ["reset by peer", "no usable answer"]
    assert caught(hide) == ["no usable answer"]


def test_a_group_names_its_first_member_as_a_cause() -> None:
    def fail() -> None:
        members = [ValueError("first"), KeyError("second")]
        raise ExceptionGroup("two tasks failed", members) from OSError("root")

    assert caught(fail) == ["root", "first", "two tasks failed (2 sub-exceptions)"]


def test_a_text_that_is_no_unicode_does_not_cost_its_batch() -> None:
    def fail() -> None:
        raise ValueError("lone \ud83d")

    with pytest.raises(ValueError, match="lone") as raised:
        fail()
    (link,) = Failure.of(raised.value).chain
    assert link.message == "lone ?"
    assert "ValueError: lone " in link.stack
    link.stack.encode()


def test_an_exception_without_a_text_breaks_nothing() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("a defect")

    (link,) = Failure.of(Mute()).chain
    assert link.message == "its text failed by RuntimeError"


def test_a_stack_is_cut_at_its_beginning() -> None:
    """The last frames say where it happened."""

    def sink(depth: int) -> None:
        if depth == 0:
            raise ValueError("here")
        globals()["_other_sink" if depth % 2 else "_one_sink"](sink, depth - 1)

    with pytest.raises(ValueError, match="here") as raised:
        sink(300)
    (link,) = Failure.of(raised.value).chain

    assert len(link.stack) <= 6000
    assert link.stack.rstrip().endswith("ValueError: here")
    assert "test_operation.py" in link.place


def _one_sink(sink: Any, depth: int) -> None:
    sink(depth)


def _other_sink(sink: Any, depth: int) -> None:
    sink(depth)


def test_requests_from_many_threads_are_all_there() -> None:
    step = Operation("poll", 0)
    barrier = threading.Barrier(8)

    def report() -> None:
        barrier.wait(timeout=10)
        for _ in range(100):
            step.add_request(
                service="dynamodb",
                region="r",
                name="Query",
                started_ns=0,
                ended_ns=2_000_000,
                status=200,
                request_id=None,
                table=None,
                error_code=None,
                error_message=None,
                error=None,
            )

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(report) for _ in range(8)]:
            done.result()

    assert len(step.requests) == 800
    assert step.span_count == 801
    assert step.requests[0].duration_ms == 2.0


def test_measuring_needs_nothing_of_opentelemetry() -> None:
    """An unsampled stream must not pay for that import."""
    program = (
        "import sys; import lambdas.sse_streaming.app, lambdas.sse_streaming.work;"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )

    run = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )

    assert run.stdout.strip() == "[]"
