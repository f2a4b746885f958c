from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lambdas.sse_streaming.sentiment import SENTIMENT as SERVED
from local_aws.feed.declaration import Declaration
from local_aws.feed.sentiment.declaration import SENTIMENT
from tests.fakes.declared_feeds import JOBS, WEATHER


def test_the_sentiments_is_what_the_service_declares() -> None:
    assert Declaration.from_json(SERVED.declaration()) == SENTIMENT


@pytest.mark.parametrize("feed", [SENTIMENT, JOBS, WEATHER], ids=lambda feed: feed.event)
def test_a_declaration_is_the_same_after_json(feed: Declaration) -> None:
    assert Declaration.from_json(json.loads(json.dumps(feed.as_json()))) == feed


def test_new_tables_or_settings_need_a_new_stack_and_new_filters_do_not() -> None:
    assert replace(JOBS, filters=(), event="task").is_served_like(JOBS)
    assert not replace(JOBS, time="changed_at").is_served_like(JOBS)
    assert not replace(JOBS, chosen_by="query", parameter="tenant").is_served_like(JOBS)
