"""Filters and schemas that tests speak of: the sentiment feed, and one quite different."""

from __future__ import annotations

from collections.abc import Iterable

from lambdas.sse_streaming.feeds.items import Item, ItemFields
from lambdas.sse_streaming.feeds.request import StreamFilter, Wanted
from lambdas.sse_streaming.feeds.schema import FeedSchema, Filter, QueryParameter
from lambdas.sse_streaming.sentiment import SENTIMENT

SENTIMENTS = SENTIMENT.fixed_values or ()

JOBS = FeedSchema(
    "job",
    "tenant",
    QueryParameter("tenant"),
    "timestamp",
    "job_id",
    time_unit="s",
    filters=(Filter("status", values=("queued", "running", "done")),),
)
"""Several partitions that the client names, whole seconds, keys that are reserved words."""


def make_job(job_id: str, timestamp: int | str, tenant: str = "a", status: str = "running") -> Item:
    """`timestamp` is in seconds."""
    item = ItemFields(JOBS).read(
        {
            "job_id": {"S": job_id},
            "tenant": {"S": tenant},
            "timestamp": {"N": str(timestamp)},
            "status": {"S": status},
        }
    )
    assert item is not None
    return item


def sentiments(names: tuple[str, ...] = SENTIMENTS, tickers: Iterable[str] = ()) -> StreamFilter:
    """What a stream of the sentiment feed wants."""
    among = frozenset(tickers)
    return StreamFilter(names, (Wanted("ticker", among, uppercase=True),) if among else ())
