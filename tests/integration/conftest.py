"""One DynamoDB engine for all integration tests, fresh tables for each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from lambdas.sse_streaming.aws import Lazy
from local_aws.tables import TableNames, create_tables, local_client
from tests.fakes.dynamodb import Database, RunningEngine, function_client, running_engine

_numbers = itertools.count()


@pytest.fixture(scope="session")
def dynamodb_engine() -> Iterator[RunningEngine]:
    with running_engine() as engine:
        yield engine


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
    names = TableNames(f"items-{number}", f"connections-{number}", f"configurations-{number}")
    of_function, admin = _clients
    create_tables(admin, names)
    return Database(names, of_function, admin, dynamodb_engine)
