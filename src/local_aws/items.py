"""Sentiment items: what makes one valid, and an endless supply of plausible ones."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from decimal import Decimal
from random import Random
from typing import Any

SENTIMENTS = ("positive", "neutral", "negative")
_TICKER = re.compile(r"[A-Za-z0-9.^=-]{1,16}")
_MAX_EPOCH_MS = 253_402_300_799_999  # the end of the year 9999: more is not milliseconds

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


class ItemError(ValueError):
    """An item breaks the data contract; the text says which attribute and how."""


def generate_item(random: Random, *, now_ms: int) -> dict[str, Any]:
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


def complete_item(given: Mapping[str, Any], *, now_ms: int) -> dict[str, Any]:
    """The item with item_id and published_at filled in where they are missing.

    Raises ItemError.
    """
    item = {"item_id": str(uuid.uuid4()), "published_at": now_ms, **given}
    if not isinstance(item["item_id"], str) or not item["item_id"]:
        raise ItemError("item_id must be a string that is not empty")
    if item.get("sentiment_type") not in SENTIMENTS:
        raise ItemError(f"sentiment_type must be one of {', '.join(SENTIMENTS)}")
    published_at = item["published_at"]
    if isinstance(published_at, bool) or not isinstance(published_at, int):
        raise ItemError("published_at must be a whole number of epoch milliseconds")
    if not 0 <= published_at <= _MAX_EPOCH_MS:
        raise ItemError("published_at is outside of epoch milliseconds")
    ticker = item.get("ticker", "A")
    if not isinstance(ticker, str) or not _TICKER.fullmatch(ticker):
        raise ItemError("ticker must be 1 to 16 of A-Z a-z 0-9 . ^ = -")
    return {name: _storable(value) for name, value in item.items()}


def _storable(value: Any) -> Any:
    """DynamoDB knows decimals, not floats; JSON's NaN and Infinity are neither."""
    match value:
        case float():
            if value != value or value in (float("inf"), float("-inf")):
                raise ItemError("NaN and Infinity cannot be stored")
            return Decimal(str(value))
        case dict():
            return {name: _storable(one) for name, one in value.items()}
        case list():
            return [_storable(one) for one in value]
    return value
