"""The items of every feed here, in DynamoDB's form. Imports nothing: functions import it, too."""

from __future__ import annotations

from typing import Any


def item(number: int, published_at_ms: int) -> dict[str, Any]:
    """About 200 bytes, as items are."""
    return {
        "item_id": {"S": f"bench-{number:012d}"},
        "sentiment_type": {"S": "positive"},
        "published_at": {"N": str(published_at_ms)},
        "ticker": {"S": "AAPL"},
        "score": {"N": "0.8125"},
        "headline": {"S": "Shares rise after a quarter that nobody had expected to be so good"},
        "source": {"S": "newswire"},
    }
