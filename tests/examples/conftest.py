"""The three ways of asking an example. Its file has the fixtures `stack`, and `in_process_way`: the
framework's own client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local_aws.background import BackgroundStack
from tests.examples.ways import ON_LAMBDA, Way, way_to


@pytest.fixture(params=["test_client", *ON_LAMBDA])
def way(request: pytest.FixtureRequest) -> Iterator[Way]:
    if request.param == "test_client":
        yield request.getfixturevalue("in_process_way")
    else:
        with way_to(request.getfixturevalue("stack"), request.param) as opened:
            yield opened


@pytest.fixture(params=ON_LAMBDA)
def on_lambda(request: pytest.FixtureRequest, stack: BackgroundStack) -> Iterator[Way]:
    with way_to(stack, request.param) as opened:
        yield opened
