"""The fault proxy in front of a real engine: untouched by default, and each fault as told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from local_aws.data.clients import local_client
from local_aws.data.faults import (
    INTERNAL_ERROR,
    THROTTLE,
    THROUGHPUT_EXCEEDED,
    UNAVAILABLE,
    Delay,
    Drop,
    Duplicate,
    Hang,
    LoseAnswer,
    Refuse,
    Reorder,
)
from tests.absence import missing
from tests.wire.local_dynamodb import LocalDynamoDb, item, local_dynamodb
from tests.wire.local_lambda import until


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[LocalDynamoDb]:
    async with local_dynamodb() as running:
        yield running


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def dynamodb(engine: LocalDynamoDb) -> LocalDynamoDb:
    """The engine with empty tables and a proxy that does nothing."""
    engine.proxy.faults.clear()
    engine.proxy.capacity.clear()
    engine.proxy.log.clear()
    assert engine.proxy.index_lag is not None
    engine.proxy.index_lag.seconds = 0.0
    for found in (await asyncio.to_thread(engine.direct.scan, TableName="items"))["Items"]:
        engine.direct.delete_item(TableName="items", Key={"item_id": found["item_id"]})
    return engine


pytestmark = pytest.mark.asyncio(loop_scope="module")

EVERY_POSITIVE = {
    "TableName": "items",
    "IndexName": "by_sentiment",
    "KeyConditionExpression": "sentiment_type = :s",
    "ExpressionAttributeValues": {":s": {"S": "positive"}},
}


async def stored(dynamodb: LocalDynamoDb) -> list[str]:
    answer = await asyncio.to_thread(dynamodb.direct.scan, TableName="items")
    return sorted(found["item_id"]["S"] for found in answer["Items"])


async def test_requests_pass_and_are_logged(dynamodb: LocalDynamoDb) -> None:
    await dynamodb.call("put_item", TableName="items", Item=item("a"))
    assert (await dynamodb.call("query", **EVERY_POSITIVE))["Count"] == 1
    logged = dynamodb.proxy.requests(table="items")
    assert [(one.request.operation, one.status) for one in logged] == [
        ("PutItem", 200),
        ("Query", 200),
    ]
    assert logged[0].request.caller == "local-stack"


@pytest.mark.parametrize(
    ("refusal", "code", "status"),
    [
        (THROTTLE, "ThrottlingException", 400),
        (THROUGHPUT_EXCEEDED, "ProvisionedThroughputExceededException", 400),
        (INTERNAL_ERROR, "InternalServerError", 500),
        (UNAVAILABLE, "ServiceUnavailable", 503),
    ],
)
async def test_refusals_are_errors_of_the_service_and_never_reach_the_engine(
    dynamodb: LocalDynamoDb, refusal: Refuse, code: str, status: int
) -> None:
    dynamodb.proxy.faults.add(refusal, operation="PutItem", times=1)
    with pytest.raises(ClientError) as refused:
        await dynamodb.call("put_item", TableName="items", Item=item("a"))
    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert await stored(dynamodb) == []
    await dynamodb.call("put_item", TableName="items", Item=item("a"))
    assert await stored(dynamodb) == ["a"]


async def test_a_dropped_request_never_reaches_the_engine(dynamodb: LocalDynamoDb) -> None:
    dynamodb.proxy.faults.add(Drop())
    with pytest.raises(ConnectionClosedError):
        await dynamodb.call("put_item", TableName="items", Item=item("a"))
    assert await stored(dynamodb) == []


async def test_a_lost_answer_was_done_all_the_same(dynamodb: LocalDynamoDb) -> None:
    dynamodb.proxy.faults.add(LoseAnswer())
    with pytest.raises(ConnectionClosedError):
        await dynamodb.call("put_item", TableName="items", Item=item("a"))
    assert await stored(dynamodb) == ["a"]
    assert dynamodb.proxy.log[-1].status is None


async def test_a_duplicate_is_done_twice(dynamodb: LocalDynamoDb) -> None:
    dynamodb.proxy.faults.add(Duplicate(), operation="UpdateItem")
    await dynamodb.call(
        "update_item",
        TableName="connections",
        Key={"pk": {"S": "p"}, "sk": {"S": "s"}},
        UpdateExpression="ADD n :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )
    answer = await dynamodb.call(
        "get_item", TableName="connections", Key={"pk": {"S": "p"}, "sk": {"S": "s"}}
    )
    assert answer["Item"]["n"] == {"N": "2"}


async def test_a_hanging_request_lasts_until_its_caller_gives_up(
    dynamodb: LocalDynamoDb,
) -> None:
    client = local_client("dynamodb", dynamodb.proxy.url, tries=1, read_timeout_seconds=0.3)
    dynamodb.proxy.faults.add(Hang())
    with pytest.raises(ReadTimeoutError):
        await asyncio.to_thread(client.put_item, TableName="items", Item=item("a"))
    client.close()
    assert await stored(dynamodb) == []


async def test_answers_change_places(dynamodb: LocalDynamoDb) -> None:
    dynamodb.proxy.faults.add(Reorder(10), times=1)
    first = asyncio.create_task(dynamodb.call("put_item", TableName="items", Item=item("first")))
    await until(lambda: dynamodb.direct.scan(TableName="items")["Count"] == 1)
    assert not first.done()

    await dynamodb.call("put_item", TableName="items", Item=item("second"))
    await first


async def test_requests_change_places(dynamodb: LocalDynamoDb) -> None:
    rule = dynamodb.proxy.faults.add(Reorder(10, holds_request=True), times=1)
    first = asyncio.create_task(dynamodb.call("put_item", TableName="items", Item=item("first")))
    await until(lambda: rule.fired == 1)
    await dynamodb.call("get_item", TableName="items", Key={"item_id": {"S": "first"}})
    await first

    assert [one.request.operation for one in dynamodb.proxy.log] == ["GetItem", "PutItem"]
    assert await stored(dynamodb) == ["first"]


async def test_a_request_that_nobody_overtakes_goes_on(dynamodb: LocalDynamoDb) -> None:
    dynamodb.proxy.faults.add(Reorder(0.1))
    await dynamodb.call("put_item", TableName="items", Item=item("a"))
    assert await stored(dynamodb) == ["a"]


async def test_delays_add_to_another_fault(dynamodb: LocalDynamoDb) -> None:
    dynamodb.proxy.faults.add(Delay(before_seconds=0.1, after_seconds=0.1))
    dynamodb.proxy.faults.add(THROTTLE)
    started = time.monotonic()
    with pytest.raises(ClientError):
        await dynamodb.call("put_item", TableName="items", Item=item("a"))
    assert time.monotonic() - started >= 0.2


async def test_rules_choose_by_operation_table_and_predicate(dynamodb: LocalDynamoDb) -> None:
    dynamodb.proxy.faults.add(THROTTLE, operation="PutItem", table="connections")
    dynamodb.proxy.faults.add(
        THROTTLE, where=lambda request: request.parameters.get("Item", {}).get("bad") is not None
    )
    await dynamodb.call("put_item", TableName="items", Item=item("good"))
    with pytest.raises(ClientError):
        await dynamodb.call("put_item", TableName="items", Item=item("x", bad="yes"))
    with pytest.raises(ClientError):
        await dynamodb.call(
            "put_item", TableName="connections", Item={"pk": {"S": "a"}, "sk": {"S": "b"}}
        )


async def test_young_writes_are_left_out_of_index_answers_only(dynamodb: LocalDynamoDb) -> None:
    assert dynamodb.proxy.index_lag is not None
    await dynamodb.call("put_item", TableName="items", Item=item("old", 1))
    dynamodb.proxy.index_lag.seconds = 0.4
    await asyncio.sleep(0.45)
    await dynamodb.call("put_item", TableName="items", Item=item("young", 2))
    seen = await dynamodb.call("query", **EVERY_POSITIVE)
    assert [one["item_id"]["S"] for one in seen["Items"]] == ["old"]
    assert (seen["Count"], seen["ScannedCount"]) == (1, 1)
    table = await dynamodb.call("scan", TableName="items")
    assert table["Count"] == 2
    await asyncio.sleep(0.45)
    assert (await dynamodb.call("query", **EVERY_POSITIVE))["Count"] == 2


async def test_a_lagging_page_may_be_short_but_goes_on(dynamodb: LocalDynamoDb) -> None:
    assert dynamodb.proxy.index_lag is not None
    for number in range(3):
        await dynamodb.call("put_item", TableName="items", Item=item(str(number), number))
    dynamodb.proxy.index_lag.seconds = 30.0
    first = await dynamodb.call("query", **EVERY_POSITIVE, Limit=2)
    assert first["Items"] == []
    rest = await dynamodb.call(
        "query", **EVERY_POSITIVE, ExclusiveStartKey=first["LastEvaluatedKey"]
    )
    assert rest["Items"] == []
    assert "LastEvaluatedKey" not in rest


async def test_a_refused_write_does_not_hide_its_item(dynamodb: LocalDynamoDb) -> None:
    assert dynamodb.proxy.index_lag is not None
    await asyncio.to_thread(dynamodb.direct.put_item, TableName="items", Item=item("settled"))
    dynamodb.proxy.index_lag.seconds = 30.0
    with pytest.raises(ClientError):
        await dynamodb.call(
            "put_item",
            TableName="items",
            Item=item("settled"),
            ConditionExpression="attribute_not_exists(item_id)",
        )
    assert (await dynamodb.call("query", **EVERY_POSITIVE))["Count"] == 1


async def test_capacity_is_added_up_by_operation_and_table(dynamodb: LocalDynamoDb) -> None:
    if not dynamodb.charges_by_the_rule:
        missing("the stand-in for dynoxide does not charge by AWS's rule")
    for _ in range(2):
        await dynamodb.call("query", **EVERY_POSITIVE, ReturnConsumedCapacity="TOTAL")
    key = {"pk": {"S": "capacity"}, "sk": {"S": "1"}}
    for _ in range(2):
        try:
            await dynamodb.call(
                "put_item",
                TableName="connections",
                Item=key,
                ConditionExpression="attribute_not_exists(pk)",
                ReturnConsumedCapacity="TOTAL",
            )
        except ClientError:
            pass  # the second one; it costs a write all the same
    capacity = dynamodb.proxy.capacity
    assert capacity.units["Query", "items"] == 1.0
    assert capacity.units["PutItem", "connections"] == 2.0
    assert capacity.total() == 3.0
    assert capacity.requests["Query", "items"] == 2
