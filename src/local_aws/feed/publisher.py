"""Writes a feed's items: samples at a steady rate, and those it is given."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import BotoCoreError, ClientError

from local_aws.feed.feed_items import FeedItems, Sample
from local_aws.feed.items import ItemError, NotWrittenError
from local_aws.feed.tables import TableNames

KEPT_SECONDS = 15 * 60
_SWEEP_SECONDS = 30.0
_DELETES_PER_CALL = 25

Put = Callable[[Mapping[str, Any]], None]


class Publisher:
    """`items_per_second` samples are written; it may be changed at any time, and 0 pauses."""

    def __init__(
        self,
        writer: Any,
        sweeper: Any,
        names: TableNames,
        items: FeedItems,
        *,
        items_per_second: float,
        say: Callable[[str], None],
        seed: int = 0,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """`writer` and `sweeper` are DynamoDB clients. Items are written through the fault proxy,
        where they get their index lag; old samples are deleted around it, so that it counts no
        capacity for that.
        """
        self.items_per_second = items_per_second
        self.published = 0
        self._write = put_into(writer, names.items)
        self._sweeper = sweeper
        self._names = names
        self._items = items
        self._say = say
        self._random = Random(seed)
        self._wall_clock = wall_clock

    async def put(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Writes an item and gives it back whole: its id and its time are filled in.

        Raises ItemError for one that breaks the data contract or that DynamoDB refuses, and
        NotWrittenError where DynamoDB takes none just now.
        """
        whole = self._items.complete(item, now_ms=self._now_ms())
        await asyncio.to_thread(self._write, whole)
        self.published += 1
        return whole

    async def run(self) -> None:
        """Publishes samples, and deletes old ones, until cancelled. Returns if there are none."""
        if self._items.sample is None:
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._publish(self._items.sample))
            tasks.create_task(self._sweep())

    async def _publish(self, sample: Sample) -> None:
        is_failing = False
        while True:
            rate = self.items_per_second
            await asyncio.sleep(1 / rate if rate else 0.1)
            if not rate:
                continue
            try:
                await self.put(sample(self._random, self._now_ms()))
                is_failing = False
            except Exception as error:  # an injected fault must not end the supply
                if not is_failing:
                    self._say(f"The publisher could not write an item: {error}")
                is_failing = True

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            try:
                await asyncio.to_thread(self.delete_old)
            except Exception as error:
                self._say(f"The publisher could not delete old items: {error}")

    def delete_old(self) -> int:
        """Deletes samples older than KEPT_SECONDS; returns how many. Blocks."""
        feed = self._items.feed
        before_ms = self._now_ms() - KEPT_SECONDS * 1000
        before = {"N": str(before_ms // feed.ms_per_unit)}
        deleted = 0
        for partition in feed.values or ():
            pages = self._sweeper.get_paginator("query").paginate(
                TableName=self._names.items,
                IndexName=self._names.items_index,
                KeyConditionExpression="#p = :p AND #t < :before",
                ExpressionAttributeNames={
                    "#p": feed.partition,
                    "#t": feed.time,
                    "#id": feed.item_id,
                },
                ExpressionAttributeValues={":p": {"S": partition}, ":before": before},
                ProjectionExpression="#id",
            )
            ids = [item[feed.item_id] for page in pages for item in page["Items"]]
            old = [one for one in ids if one["S"].startswith(self._items.sample_ids)]
            for start in range(0, len(old), _DELETES_PER_CALL):
                batch = old[start : start + _DELETES_PER_CALL]
                self._sweeper.batch_write_item(
                    RequestItems={
                        self._names.items: [
                            {"DeleteRequest": {"Key": {feed.item_id: one}}} for one in batch
                        ]
                    }
                )
                deleted += len(batch)
        return deleted

    def _now_ms(self) -> int:
        return int(self._wall_clock() * 1000)


def put_into(dynamodb: Any, table: str) -> Put:
    """A function that writes an item; it raises ItemError if DynamoDB refuses the item, else
    NotWrittenError.
    """
    serializer = TypeSerializer()

    def put(item: Mapping[str, Any]) -> None:
        attributes = {name: serializer.serialize(value) for name, value in item.items()}
        try:
            dynamodb.put_item(TableName=table, Item=attributes)
        except ClientError as error:
            if error.response["Error"].get("Code") == "ValidationException":
                raise ItemError(error.response["Error"].get("Message", str(error))) from error
            raise NotWrittenError(str(error)) from error
        except BotoCoreError as error:
            raise NotWrittenError(str(error)) from error

    return put
