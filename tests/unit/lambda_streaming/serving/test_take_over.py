from __future__ import annotations

import gc
import sys
from types import ModuleType
from typing import NoReturn

import pytest

from lambda_streaming.serving.process import run_service
from lambda_streaming.serving.take_over import LambdaHandler, StartupError, arm

IN_LAMBDA = {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001"}


class TakenOver(Exception):
    """Stands for a loop that never returns."""


def serve() -> NoReturn:
    raise TakenOver


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("orders")
    monkeypatch.setitem(sys.modules, "orders", module)
    return module


def test_the_setting_in_the_environment_comes_before_the_argument(module: ModuleType) -> None:
    environ = {**IN_LAMBDA, "_HANDLER": "orders.entry"}
    vars(module)["entry"] = arm(LambdaHandler(serve), environ, ["", "other.handler"], "caller")

    with pytest.raises(TakenOver):
        module.entry  # noqa: B018


def test_without_a_setting_it_is_the_handler_of_the_calling_module(module: ModuleType) -> None:
    vars(module)["handler"] = arm(LambdaHandler(serve), IN_LAMBDA, [""], "orders")

    with pytest.raises(TakenOver):
        module.handler  # noqa: B018


def test_a_second_handler_of_a_module_changes_nothing(module: ModuleType) -> None:
    environ = {**IN_LAMBDA, "_HANDLER": "orders.handler"}
    vars(module)["handler"] = arm(LambdaHandler(serve), environ, [], "orders")
    vars(module)["other"] = other = arm(LambdaHandler(serve), environ, [], "orders")

    assert module.other is other
    with pytest.raises(TakenOver):
        module.handler  # noqa: B018


def test_a_look_up_takes_over_once(module: ModuleType) -> None:
    handler = arm(LambdaHandler(serve), IN_LAMBDA, [], "orders")
    vars(module)["handler"] = handler

    with pytest.raises(TakenOver):
        module.handler  # noqa: B018
    assert module.handler is handler
    assert type(module) is ModuleType


def test_the_name_can_be_replaced_and_is_missing_where_it_is_not_set(module: ModuleType) -> None:
    arm(LambdaHandler(serve), IN_LAMBDA, [], "orders")

    assert not hasattr(module, "handler")
    module.handler = 7  # type: ignore[attr-defined]
    assert vars(module)["handler"] == 7


def test_a_module_that_makes_attributes_up_still_does(module: ModuleType) -> None:
    """PEP 562."""
    arm(LambdaHandler(serve), IN_LAMBDA, [], "orders")
    vars(module)["__getattr__"] = lambda name: f"made {name}"

    assert module.handler == "made handler"
    assert module.other == "made other"


def test_nothing_is_armed_outside_lambda(module: ModuleType) -> None:
    arm(LambdaHandler(serve), {"_HANDLER": "orders.handler"}, [], "orders")

    assert type(module) is ModuleType


@pytest.mark.parametrize("setting", ["nowhere.handler", ".handler", "handler", ""])
def test_a_setting_that_names_no_module_arms_none(module: ModuleType, setting: str) -> None:
    arm(LambdaHandler(serve), {**IN_LAMBDA, "_HANDLER": setting}, [], "nowhere")

    assert type(module) is ModuleType


def test_an_attribute_error_in_starting_keeps_its_cause() -> None:
    def fail() -> NoReturn:
        raise AttributeError("no such thing")

    with pytest.raises(StartupError, match="AttributeError: no such thing") as caught:
        LambdaHandler(fail).take_over()
    assert isinstance(caught.value.__cause__, AttributeError)


def test_a_call_outside_of_lambdas_runtime_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match=r"was called by .*test_take_over.*handler setting"):
        LambdaHandler(serve)({}, None)


def test_what_cannot_be_composed_leaves_the_garbage_collector_as_it_was() -> None:
    frozen = gc.get_freeze_count()

    def compose() -> NoReturn:
        assert not gc.isenabled()
        raise LookupError

    with pytest.raises(LookupError):
        run_service(compose)
    assert gc.isenabled()
    assert gc.get_freeze_count() == frozen
