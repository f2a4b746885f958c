"""Unit tests talk to no network; an asyncio loop's own socketpair (AF_UNIX) is not a network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_socket import disable_socket, enable_socket

from lambda_streaming.tracing import step


@pytest.fixture(autouse=True)
def _no_network() -> Iterator[None]:
    disable_socket(allow_unix_socket=True)
    yield
    enable_socket()


@pytest.fixture(autouse=True)
def _in_the_handler_phase() -> None:
    """An asynchronous test may share its context with the tests after it (pytest-asyncio on
    Python 3.13): none of them begins in the streaming phase of another."""
    step._current_trace.set(None)
    step._current_step.set(None)
