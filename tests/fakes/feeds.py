"""Filters and schemas that tests speak of."""

from __future__ import annotations

from collections.abc import Iterable

from lambdas.sse_streaming.feeds.request import StreamFilter, Wanted
from lambdas.sse_streaming.sentiment import SENTIMENT

SENTIMENTS = SENTIMENT.fixed_values or ()


def sentiments(names: tuple[str, ...] = SENTIMENTS, tickers: Iterable[str] = ()) -> StreamFilter:
    """What a stream of the sentiment feed wants."""
    among = frozenset(tickers)
    return StreamFilter(names, (Wanted("ticker", among, uppercase=True),) if among else ())
