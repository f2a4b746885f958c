"""Lifespan: once, in one task, for as long as the environment lives."""

from __future__ import annotations

import asyncio
import logging

import pytest

from lambda_streaming.bridge.lifespan import Lifespan, LifespanError, Mode
from lambda_streaming.bridge.types import AsgiApp, Receive, Scope, Send
from tests.fakes.virtual_time import run_virtually


class App:
    """Notes what it is asked; `fails` is the phase in which it says that it failed."""

    def __init__(self, *, fails: str = "", takes_seconds: float = 0.0) -> None:
        self.asked: list[str] = []
        self.tasks: set[object] = set()
        self._fails = fails
        self._takes_seconds = takes_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan"
        for phase in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{phase}"
            self.asked.append(phase)
            self.tasks.add(asyncio.current_task())
            await asyncio.sleep(self._takes_seconds)
            if self._fails == phase:
                await send({"type": f"lifespan.{phase}.failed", "message": "no database"})
                return
            scope["state"]["phase"] = phase
            await send({"type": f"lifespan.{phase}.complete"})


async def without(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] == "http"


async def silent(scope: Scope, receive: Receive, send: Send) -> None:
    return


async def started(app: AsgiApp, mode: Mode = "auto") -> Lifespan:
    lifespan = Lifespan(app, mode)
    await lifespan.start()
    return lifespan


def test_it_starts_and_shuts_down_in_one_task_and_leaves_none() -> None:
    app = App()

    async def scenario() -> None:
        before = asyncio.all_tasks()
        lifespan = await started(app)
        assert (app.asked, lifespan.state) == (["startup"], {"phase": "startup"})
        await asyncio.sleep(1000)
        await lifespan.shut_down()
        await lifespan.shut_down()
        assert asyncio.all_tasks() == before

    run_virtually(scenario())

    assert app.asked == ["startup", "shutdown"]
    assert len(app.tasks) == 1


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_an_app_that_cannot_start_fails_with_its_own_message(mode: Mode) -> None:
    async def scenario() -> None:
        before = asyncio.all_tasks()
        with pytest.raises(LifespanError, match="startup failed: no database"):
            await started(App(fails="startup"), mode)
        assert asyncio.all_tasks() == before

    run_virtually(scenario())


@pytest.mark.parametrize("app", [without, silent])
def test_an_app_without_lifespan_is_served_unless_it_is_demanded(
    app: AsgiApp, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def scenario() -> None:
        lifespan = await started(app)
        await lifespan.shut_down()
        with pytest.raises(LifespanError, match="with lifespan=on"):
            await started(app, "on")

    run_virtually(scenario())

    assert [(one.levelname, one.getMessage()) for one in caplog.records] == [
        ("INFO", "ASGI 'lifespan' protocol appears unsupported.")
    ]


def test_an_app_that_stays_after_its_shutdown_is_cancelled() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})
        await asyncio.sleep(1000)

    async def scenario() -> None:
        before = asyncio.all_tasks()
        await (await started(app)).shut_down()
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before

    run_virtually(scenario())


def test_off_never_asks() -> None:
    app = App()

    async def scenario() -> None:
        await (await started(app, "off")).shut_down()

    run_virtually(scenario())

    assert app.asked == []


def test_another_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="auto, on or off"):
        Lifespan(App(), "maybe")  # type: ignore[arg-type]


@pytest.mark.parametrize(("takes_seconds", "warnings"), [(7.9, 0), (9.0, 1)])
def test_a_startup_that_may_exceed_the_init_phase_says_what_it_waits_for(
    takes_seconds: float, warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        await (await started(App(takes_seconds=takes_seconds))).shut_down()

    run_virtually(scenario())

    assert len(caplog.records) == warnings
    assert all("App.__call__" in one.getMessage() for one in caplog.records)


def test_a_shutdown_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        await (await started(App(fails="shutdown"))).shut_down()

    run_virtually(scenario())

    assert [one.getMessage() for one in caplog.records] == [
        "the app's shutdown failed: no database"
    ]


def test_a_shutdown_that_takes_too_long_is_cut_off_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        before = asyncio.all_tasks()
        lifespan = await started(App(takes_seconds=5))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(lifespan.shut_down(), 0.2)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before

    run_virtually(scenario())

    (record,) = caplog.records
    assert "App.__call__" in record.getMessage()


def test_a_lifespan_that_breaks_between_is_logged_and_its_end_waits_for_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "lifespan.startup.complete"})
        raise ValueError("pool broken")

    async def scenario() -> None:
        lifespan = Lifespan(app)
        await lifespan.start()
        await asyncio.sleep(1)
        await lifespan.shut_down()

    run_virtually(scenario())

    assert [one.getMessage() for one in caplog.records] == ["the app's lifespan failed"]


@pytest.mark.parametrize("kind", ["lifespan.shutdown.complete", "lifespan.startup.done"])
def test_messages_out_of_turn_are_refused(kind: str) -> None:
    heard: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": kind})
        except RuntimeError as error:
            heard.append(str(error))
        await send({"type": "lifespan.startup.complete"})

    async def scenario() -> None:
        await Lifespan(app).start()

    run_virtually(scenario())

    assert heard == [f"Unexpected ASGI message '{kind}' on lifespan protocol."]
