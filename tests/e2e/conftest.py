"""The whole local stack with the real function, started once for all end-to-end tests.

    def test_something(stack: BackgroundStack) -> None:
        item = stack.publish(ticker="AAPL")
        response = httpx.get(f"{stack.url}/health")

`start_stack(**settings)` starts another one, with settings of its own, for one test.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from local_aws.background import BackgroundStack
from local_aws.settings import Settings

StartStack = Callable[..., BackgroundStack]


def _settings(**given: Any) -> Settings:
    """Free ports, no supply of items but the tests' own; LOCAL_* variables still count."""
    return replace(Settings.from_environ(os.environ), port=0, items_per_second=0.0, **given)


@pytest.fixture(scope="session")
def session_stack() -> Iterator[BackgroundStack]:
    with BackgroundStack(_settings(), say=lambda _: None) as stack:
        yield stack


@pytest.fixture
def stack(session_stack: BackgroundStack) -> Iterator[BackgroundStack]:
    """The stack that all tests share, without the faults of the one before."""
    session_stack.back_to_normal()
    yield session_stack
    session_stack.back_to_normal()


@pytest.fixture
def start_stack() -> Iterator[StartStack]:
    with ExitStack() as started:

        def start(**settings: Any) -> BackgroundStack:
            return started.enter_context(BackgroundStack(_settings(**settings)))

        yield start
