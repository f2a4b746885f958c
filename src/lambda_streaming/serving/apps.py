"""An app as what a process is built of: its answers, its life cycle, what is recorded of both."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from lambda_streaming.clock import SystemClock
from lambda_streaming.doors.answering import AnswerOptions
from lambda_streaming.doors.options import DoorOptions
from lambda_streaming.runtime.invoker import LifeCycle
from lambda_streaming.serving.answering import Answering, App
from lambda_streaming.serving.life_cycle import AppLifeCycle, UntracedLifeCycle
from lambda_streaming.serving.other_events import OtherEvents
from lambda_streaming.serving.process import Service
from lambda_streaming.serving.recording.instruments import Instruments, NoInstruments
from lambda_streaming.serving.request_ids import add_request_ids
from lambda_streaming.serving.settings import AppSettings, unknown_settings
from lambda_streaming.tracing.diagnosis.report import is_tracing_installed
from lambda_streaming.tracing.invocations import Invocations

logger = logging.getLogger(__name__)


class MakeApp(Protocol):
    """Makes the app of one process, and its part in the life of the process."""

    def __call__(
        self, settings: AppSettings, instruments: Instruments
    ) -> tuple[App, AppLifeCycle]: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What a handler was made with. `given` are the settings among its arguments, `tracing` is
    `join`, `own` or `off`."""

    make_app: MakeApp
    given: Mapping[str, Any]
    door_options: DoorOptions
    answer_options: AnswerOptions
    other_events: OtherEvents | None
    tracing: str

    def answering(
        self, app: App, settings: AppSettings, instruments: Instruments | None = None
    ) -> Answering:
        return Answering(
            app,
            settings,
            door_options=self._door_options(settings),
            answer_options=self.answer_options,
            other_events=self.other_events,
            instruments=instruments,
        )

    def _door_options(self, settings: AppSettings) -> DoorOptions:
        own = self.door_options
        return DoorOptions(
            settings.root_path, own.trusted_hops, own.host_header, own.authorization_header
        )


def composed(plan: Plan, environ: MutableMapping[str, str]) -> Service:
    """Raises SettingsError for environment variables that cannot be used, and what the app's
    import raises."""
    settings = AppSettings.from_environ(environ, plan.given)
    for name, nearest in unknown_settings(environ):
        hint = f"did you mean {nearest}?" if nearest else "no setting has a name like it"
        logger.warning("%s is set and has no effect: %s", name, hint)
    instruments: Instruments = NoInstruments()
    around: Callable[[AppLifeCycle], LifeCycle] = partial(_untraced, environ)
    if plan.tracing != "off" and is_tracing_installed():
        # An app without tracing does not pay for it at its cold start.
        from lambda_streaming.serving.recording.traced_apps import traced_app

        instruments, around = traced_app(environ, joins=plan.tracing == "join")
    app, life_cycle = plan.make_app(settings, instruments)
    handle = plan.answering(app, settings, instruments).handle
    return Service(handle, around(life_cycle), empty_body=settings.empty_body)


def _untraced(environ: MutableMapping[str, str], app: AppLifeCycle) -> LifeCycle:
    invocations = Invocations()
    add_request_ids(invocations)
    return UntracedLifeCycle(invocations, environ=environ, clock=SystemClock(), app=app)
