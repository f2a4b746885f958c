"""Unit tests talk to no network; an asyncio loop's own socketpair (AF_UNIX) is not a network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from aws_xray_sdk import global_sdk_config
from pytest_socket import disable_socket, enable_socket

from lambda_streaming.tracing import step


@pytest.fixture(autouse=True)
def _no_network() -> Iterator[None]:
    disable_socket(allow_unix_socket=True)
    yield
    enable_socket()


@pytest.fixture(autouse=True)
def _in_the_handler_phase() -> None:
    """What a test may leave to those after it in the same worker: its context (an asynchronous one,
    pytest-asyncio on Python 3.13), and a disabled X-Ray SDK (Powertools' Tracer does so wherever it
    is made outside Lambda)."""
    step._current_trace.set(None)
    step._current_step.set(None)
    global_sdk_config.set_sdk_enabled(True)
