"""What the stack knows of a feed's items: how they are checked, and how samples are made up."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from local_aws.feed.declaration import Declaration
from local_aws.feed.items import Check, complete_item, nothing_more

Sample = Callable[[Random, int], dict[str, Any]]
"""A plausible item, published at these epoch milliseconds."""
_SAMPLE_IDS = "sample-"


@dataclass(frozen=True, slots=True)
class FeedItems:
    """`sample` is None where nobody can make items up. The stack deletes old samples, whose ids
    begin with `sample_ids`: other items are the user's.
    """

    feed: Declaration
    sample: Sample | None = None
    sample_ids: str = _SAMPLE_IDS
    check: Check = nothing_more

    @classmethod
    def declared(cls, feed: Declaration) -> FeedItems:
        """Of any feed. Where clients or callers name the partitions, nobody would see samples."""
        return cls(feed, None if feed.values is None else _sample_of(feed, feed.values))

    def complete(self, given: Mapping[str, Any], *, now_ms: int) -> dict[str, Any]:
        """Raises ItemError."""
        return complete_item(given, feed=self.feed, now_ms=now_ms, check=self.check)


def _sample_of(feed: Declaration, partitions: tuple[str, ...]) -> Sample:
    def sample(random: Random, now_ms: int) -> dict[str, Any]:
        return {
            **{one.attribute: random.choice(one.values) for one in feed.filters if one.values},
            feed.item_id: f"{_SAMPLE_IDS}{uuid.UUID(int=random.getrandbits(128), version=4)}",
            feed.partition: random.choice(partitions),
            feed.time: now_ms // feed.ms_per_unit,
        }

    return sample
