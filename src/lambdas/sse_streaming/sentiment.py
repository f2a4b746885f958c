"""The sentiment feed: news items by how they sound, for any tickers."""

from __future__ import annotations

from lambdas.sse_streaming.feeds.schema import FeedSchema, Filter, FixedValues

SENTIMENT = FeedSchema(
    "sentiment",
    "sentiment_type",
    FixedValues(("negative", "neutral", "positive"), "sentiment"),
    "published_at",
    "item_id",
    filters=(
        Filter(
            "ticker",
            pattern=r"[A-Za-z0-9.^=-]{1,16}",
            in_words="1 to 16 of letters, digits, . ^ = -",
            uppercase=True,
            stored_as="tickers",
        ),
    ),
    index="by_sentiment",
)
