"""Sentiment items: what they keep beside their declaration, and a generator of plausible ones."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from decimal import Decimal
from random import Random
from typing import Any

from local_aws.feed.declaration import Declaration
from local_aws.feed.feed_items import FeedItems
from local_aws.feed.items import ItemError
from local_aws.feed.sentiment.declaration import SENTIMENT

SENTIMENTS = ("positive", "neutral", "negative")
_TICKER = re.compile(r"[A-Za-z0-9.^=-]{1,16}")

_COMPANIES = {
    "AAPL": "Apple",
    "AMZN": "Amazon",
    "BRK.B": "Berkshire Hathaway",
    "GOOG": "Alphabet",
    "JPM": "JPMorgan",
    "META": "Meta",
    "MSFT": "Microsoft",
    "NVDA": "Nvidia",
    "SAP.DE": "SAP",
    "TSLA": "Tesla",
    "^GSPC": "The S&P 500",
}
_HEADLINES = {
    "positive": (
        "{name} beats expectations for the quarter",
        "{name} raises its outlook",
        "Analysts lift targets for {name}",
        "{name} climbs on strong demand",
    ),
    "neutral": (
        "{name} to report results on Thursday",
        "{name} holds steady in quiet trading",
        "What to watch at {name} this week",
        "{name} names a new finance chief",
    ),
    "negative": (
        "{name} warns of slower growth",
        "{name} slips after a downgrade",
        "Regulators look into {name}",
        "{name} cuts its forecast",
    ),
}
_SOURCES = ("wire", "newsroom", "filing", "social")
_SCORES = {"positive": (0.6, 1.0), "neutral": (0.35, 0.65), "negative": (0.0, 0.4)}
_SHARE_WITHOUT_TICKER = 0.05


def check_item(item: Mapping[str, Any]) -> None:
    """Raises ItemError."""
    ticker = item.get("ticker", "A")
    if not isinstance(ticker, str) or not _TICKER.fullmatch(ticker):
        raise ItemError("ticker must be 1 to 16 of A-Z a-z 0-9 . ^ = -")


def generate_item(random: Random, now_ms: int) -> dict[str, Any]:
    """A plausible item. The same random state gives the same item."""
    sentiment = random.choices(SENTIMENTS, weights=(4, 3, 3))[0]
    ticker, name = random.choice(list(_COMPANIES.items()))
    low, high = _SCORES[sentiment]
    item: dict[str, Any] = {
        "item_id": str(uuid.UUID(int=random.getrandbits(128), version=4)),
        "sentiment_type": sentiment,
        "published_at": now_ms,
        "score": Decimal(str(round(random.uniform(low, high), 3))),
        "headline": random.choice(_HEADLINES[sentiment]).format(name=name),
        "source": random.choice(_SOURCES),
    }
    if random.random() >= _SHARE_WITHOUT_TICKER:
        item["ticker"] = ticker
    return item


SENTIMENT_ITEMS = FeedItems(SENTIMENT, generate_item, sample_ids="", check=check_item)


def items_of(feed: Declaration) -> FeedItems:
    """The sentiment's where it is the sentiment's declaration."""
    return SENTIMENT_ITEMS if feed == SENTIMENT else FeedItems.declared(feed)
