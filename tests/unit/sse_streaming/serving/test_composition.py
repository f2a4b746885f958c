"""What a schema asks of its deployment."""

from __future__ import annotations

import pytest

from lambda_streaming.environ import SettingsError
from lambdas.sse_streaming import Caller, FeedSchema
from lambdas.sse_streaming.sentiment import SENTIMENT
from lambdas.sse_streaming.serving.composition import check
from lambdas.sse_streaming.settings import Settings
from tests.fakes.feeds import JOBS
from tests.fakes.streams import REQUIRED, make_settings


def callers(caller: Caller) -> FeedSchema:
    return FeedSchema("order", "customer", caller, "at", "order_id")


def test_the_default_caller_needs_a_deployment_that_knows_callers() -> None:
    with pytest.raises(SettingsError, match=r"Set SSE_AUTH=iam.*or declare Caller"):
        check(callers(Caller()), make_settings())
    check(callers(Caller()), make_settings(SSE_AUTH="iam"))


def test_who_the_caller_is_may_be_the_authors_business() -> None:
    check(callers(Caller(lambda request: request.headers.get("x-tenant"))), make_settings())


def test_times_in_seconds_need_an_overlap_above_one() -> None:
    with pytest.raises(SettingsError, match="SSE_OVERLAP_SECONDS=1 is not above 1"):
        check(JOBS, make_settings(SSE_OVERLAP_SECONDS="1"))
    check(JOBS, make_settings(SSE_OVERLAP_SECONDS="1.1"))
    check(SENTIMENT, make_settings(SSE_OVERLAP_SECONDS="0.1"))


def test_the_index_is_the_schemas_unless_it_is_set() -> None:
    named = {**REQUIRED, "SSE_ITEMS_INDEX": "another"}

    assert Settings.from_environ(REQUIRED, items_index=JOBS.index).items_index == "by_tenant"
    assert Settings.from_environ(named, items_index=JOBS.index).items_index == "another"
