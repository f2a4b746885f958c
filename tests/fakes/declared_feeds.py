"""Declarations of feeds, as the local stack reads them."""

from __future__ import annotations

from local_aws.feed.declaration import Declaration, FilterParameter

JOBS = Declaration(
    event="job",
    partition="tenant",
    values=None,
    chosen_by="caller",
    parameter=None,
    time="at",
    time_unit="s",
    item_id="job_id",
    index="by_tenant",
    filters=(FilterParameter("state", "state", ("running", "done")),),
)
"""Seconds, and a partition for each caller."""

WEATHER = Declaration(
    event="reading",
    partition="region",
    values=("eu", "us"),
    chosen_by="fixed",
    parameter="region",
    time="timestamp",
    time_unit="s",
    item_id="id",
    index="by_region",
    filters=(
        FilterParameter("kind", "kind", ("rain", "sun")),
        FilterParameter("station", "at"),
    ),
)
"""Seconds, and fixed partitions; an attribute is a reserved word of DynamoDB's."""
