"""The sentiment feed's declaration. A test compares it with the service's own."""

from __future__ import annotations

from local_aws.feed.declaration import Declaration, FilterParameter

SENTIMENT = Declaration(
    event="sentiment",
    partition="sentiment_type",
    values=("negative", "neutral", "positive"),
    chosen_by="fixed",
    parameter="sentiment",
    time="published_at",
    time_unit="ms",
    item_id="item_id",
    index="by_sentiment",
    filters=(FilterParameter("ticker", "ticker"),),
)
