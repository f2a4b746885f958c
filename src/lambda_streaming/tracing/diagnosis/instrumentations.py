"""OpenTelemetry's instrumentations in this process: which record, and which record twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Literal, TypeAlias

State: TypeAlias = Literal["active", "inactive", "conflicting"]

_GROUP = "opentelemetry_instrumentor"
"""Under it each instrumentation names itself, for `opentelemetry-instrument`."""
_OF_THE_HANDLER = "aws-lambda"
_DATADOG = "ddtrace"


def installed_instrumentors() -> Iterable[EntryPoint]:
    return entry_points(group=_GROUP)


def instrumentations(
    instrumentors: Iterable[EntryPoint], modules: Mapping[str, ModuleType]
) -> dict[str, State]:
    """By name, those that are installed. `modules` are the loaded ones (sys.modules): what is not
    loaded is not active, and is not imported for this.

    The instrumentation of Lambda's handler is a conflict: the handler's phases are recorded
    already. So is Datadog's tracer, which patches the same libraries.
    """
    found: dict[str, State] = {one.name: _state(one, modules) for one in instrumentors}
    if found.get(_OF_THE_HANDLER) == "active":
        found[_OF_THE_HANDLER] = "conflicting"
    if _DATADOG in modules:
        found[_DATADOG] = "conflicting"
    return dict(sorted(found.items()))


def _state(instrumentor: EntryPoint, modules: Mapping[str, ModuleType]) -> State:
    """An instrumentor has one instance for each process (BaseInstrumentor)."""
    module = modules.get(instrumentor.module)
    make = None if module is None else getattr(module, instrumentor.attr, None)
    if make is not None and getattr(make(), "is_instrumented_by_opentelemetry", False):
        return "active"
    return "inactive"
