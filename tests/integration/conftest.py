"""Every integration test on every DynamoDB engine, with fresh tables for each.

`make test` runs the local stack's own engine, CI all three, `make test-dynamodb-local` AWS's own.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import Any

import pytest

from lambdas.sse_streaming.aws.clients import Lazy
from local_aws.data.clients import local_client
from local_aws.data.engines import find_dynoxide
from local_aws.feed.sentiment.declaration import SENTIMENT
from local_aws.feed.tables import TableNames, create_tables
from local_aws.settings import Settings
from tests.absence import missing
from tests.fakes.dynamodb import (
    Database,
    EngineMissing,
    RunningEngine,
    function_client,
    running_engine,
)

_numbers = itertools.count()


_HAS_DYNOXIDE = find_dynoxide(Settings.from_environ(os.environ)) is not None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """moto evaluates a condition and writes in two steps, so a race on it says nothing."""
    says_nothing = [
        item
        for item in items
        if item.get_closest_marker("races")
        and isinstance(item, pytest.Function)
        and item.callspec.params["dynamodb_engine"] == "moto"
    ]
    config.hook.pytest_deselected(items=says_nothing)
    items[:] = [item for item in items if item not in says_nothing]


@pytest.fixture(
    scope="session",
    params=[
        "dynoxide",
        pytest.param("moto", marks=[pytest.mark.ci] if _HAS_DYNOXIDE else []),
        pytest.param("dynamodb-local", marks=pytest.mark.ci),
    ],
)
def dynamodb_engine(request: pytest.FixtureRequest) -> Iterator[RunningEngine]:
    try:
        with running_engine(request.param) as engine:
            yield engine
    except EngineMissing as why:
        missing(str(why))


@pytest.fixture(scope="session")
def _clients(dynamodb_engine: RunningEngine) -> Iterator[tuple[Lazy[Any], Any]]:
    """The function's client and the tests' own; making one takes longer than a test."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_engine.url)
        environment.setenv("AWS_ACCESS_KEY_ID", "TEST")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        environment.delenv("AWS_SESSION_TOKEN", raising=False)
        yield function_client(), local_client("dynamodb", dynamodb_engine.url)


@pytest.fixture
def database(dynamodb_engine: RunningEngine, _clients: tuple[Lazy[Any], Any]) -> Database:
    """Tables of this test alone."""
    number = next(_numbers)
    names = TableNames(
        f"items-{number}",
        f"connections-{number}",
        f"configurations-{number}",
        items_index=SENTIMENT.index,
    )
    of_function, admin = _clients
    create_tables(admin, names, SENTIMENT)
    return Database(names, of_function, admin, dynamodb_engine)
