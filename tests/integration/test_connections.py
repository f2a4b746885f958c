"""Leases against a real engine: what conditional writes, consistent reads and races really do."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from lambdas.sse_streaming.aws.errors import AwsRefused, AwsUnavailable
from lambdas.sse_streaming.connections.dynamodb import (
    MAX_ACQUIRE_REQUESTS,
    MAX_RECORD_BYTES,
    SHARD_SLOTS,
    DynamoConnections,
)
from lambdas.sse_streaming.connections.lease import (
    AcquireRequest,
    Granted,
    Lease,
    Refusal,
    Renewal,
    is_connection_id,
    slot_of,
)
from lambdas.sse_streaming.sessions import SessionRecord, new_session_id
from tests.fakes.dynamodb import Database, counted_requests, function_client, uncounted

LEASE_SECONDS = 30.0


class World:
    """Execution environments that share a table and a clock which only the test moves."""

    def __init__(self, database: Database, limit: int) -> None:
        self.database = database
        self._limit = limit
        self.table = database.names.connections
        self.admin = database.admin
        self.now = 1_795_000_000.0

    def environment(self, seed: int = 0) -> DynamoConnections:
        return DynamoConnections(
            self.database.function_client,
            self.table,
            max_connections=self._limit,
            lease_seconds=LEASE_SECONDS,
            replay_seconds=3600,
            now_seconds=lambda: self.now,
            random=Random(seed),
        )

    def occupy(self, slots: range, expires_at: float | None = None) -> None:
        """Slots of other sessions, written past the code under test."""
        until = str(int(self.now + LEASE_SECONDS if expires_at is None else expires_at))
        puts = [
            {
                "PutRequest": {
                    "Item": {
                        **slot_key(slot),
                        "connection_id": {"S": f"{slot}.{'x' * 22}"},
                        "session_id": {"S": "other"},
                        "sequence": {"N": "1"},
                        "expires_at": {"N": until},
                    }
                }
            }
            for slot in slots
        ]
        with uncounted():
            for at in range(0, len(puts), 25):
                self.admin.batch_write_item(RequestItems={self.table: puts[at : at + 25]})

    def slot(self, number: int) -> dict[str, Any] | None:
        item: dict[str, Any] | None = self.admin.get_item(
            TableName=self.table, Key=slot_key(number), ConsistentRead=True
        ).get("Item")
        return item

    def drain(self, until: float) -> None:
        self.admin.put_item(
            TableName=self.table,
            Item={"pk": {"S": "control"}, "sk": {"S": "drain"}, "until": {"N": str(int(until))}},
        )


def slot_key(slot: int) -> dict[str, Any]:
    return {"pk": {"S": f"slot#{slot // SHARD_SLOTS}"}, "sk": {"S": str(slot)}}


@pytest.fixture
def world(database: Database) -> World:
    return World(database, limit=10)


def arrive(connections: DynamoConnections, **changes: Any) -> Lease:
    answer = connections.acquire(replace(AcquireRequest(new_session_id(), 1, None), **changes))
    assert isinstance(answer, Granted)
    return answer.lease


def resume_of(lease: Lease) -> AcquireRequest:
    return AcquireRequest(lease.session_id, lease.sequence + 1, lease.slot)


# Getting a slot


def test_a_lease_names_its_slot_session_and_sequence(world: World) -> None:
    lease = arrive(world.environment(), session_id="a" * 18)

    assert is_connection_id(lease.connection_id)
    assert slot_of(lease.connection_id) == lease.slot
    assert (lease.session_id, lease.sequence) == ("a" * 18, 1)
    stored = world.slot(lease.slot)
    assert stored is not None
    assert stored["connection_id"] == {"S": lease.connection_id}
    assert stored["expires_at"] == {"N": str(int(world.now + LEASE_SECONDS))}


def test_the_limit_holds_one_by_one(world: World) -> None:
    leases = [arrive(world.environment(seed)) for seed in range(10)]

    refused = world.environment(99).acquire(AcquireRequest("b" * 18, 1, None))

    assert sorted(lease.slot for lease in leases) == list(range(10))
    assert refused is Refusal.CAPACITY
    assert world.environment().count() == 10


@pytest.mark.races
@pytest.mark.parametrize("rounds", range(3))
def test_a_race_grants_no_slot_twice(world: World, rounds: int) -> None:
    """More clients than slots, all at once, each in an execution environment of its own."""
    clients = 24
    barrier = threading.Barrier(clients)

    def race(seed: int) -> Granted | Refusal:
        connections = world.environment(100 * rounds + seed)
        barrier.wait(timeout=10)
        return connections.acquire(AcquireRequest(new_session_id(), 1, None))

    with ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(race, range(clients)))

    slots = [answer.lease.slot for answer in answers if isinstance(answer, Granted)]
    assert len(slots) == len(set(slots))
    assert len(slots) <= 10
    assert len(slots) == world.environment().count()


def test_not_even_the_unluckiest_acquire_costs_a_sixth_request(world: World) -> None:
    """The preferred slot is taken, a race is lost, and the last grant stays unanswered: it is not
    undone, and its lease runs out."""
    world.occupy(range(1))
    events = world.database.function_client().meta.events
    puts = itertools.count(1)

    def interfere(request: Any, **_: Any) -> None:
        number, item = next(puts), json.loads(request.body)["Item"]
        if number == 2:
            world.occupy(range(int(item["sk"]["S"]), int(item["sk"]["S"]) + 1))
        if number == 3:
            raise ReadTimeoutError(endpoint_url="https://dynamodb")

    events.register("before-send.dynamodb.PutItem", interfere)
    try:
        with counted_requests() as requests, pytest.raises(AwsUnavailable):
            world.environment().acquire(AcquireRequest(new_session_id(), 2, 0))
    finally:
        events.unregister("before-send.dynamodb.PutItem", interfere)

    assert [request.operation for request in requests].count("PutItem") == 3
    assert len(requests) == MAX_ACQUIRE_REQUESTS


@pytest.mark.parametrize("taken", [0, 1, 50, 98, 99, 100])
def test_an_acquire_costs_at_most_five_requests(database: Database, taken: int) -> None:
    world = World(database, limit=100)
    world.occupy(range(taken))

    with counted_requests() as requests:
        answer = world.environment().acquire(AcquireRequest(new_session_id(), 1, 0))

    assert isinstance(answer, Granted) is (taken < 100)
    assert 0 < len(requests) <= MAX_ACQUIRE_REQUESTS


def test_the_slot_used_last_is_asked_for_first(world: World) -> None:
    """A warm environment that gets its slot back pays for the drain flag and one write."""
    connections = world.environment()
    first = arrive(connections)
    connections.release(first)

    with counted_requests() as requests:
        second = arrive(connections)

    assert second.slot == first.slot
    assert [request.operation for request in requests] == ["GetItem", "PutItem"]


def test_losing_a_race_for_a_free_slot_tries_another(world: World) -> None:
    """Requests stay bounded however often another environment is faster."""
    client = function_client()()
    world.database = replace(world.database, function_client=lambda: client)
    connections = world.environment()

    def be_faster(params: dict[str, Any], **_: Any) -> None:
        slot = int(params["Item"]["sk"]["S"])
        world.occupy(range(slot, slot + 1))

    client.meta.events.register_first("provide-client-params.dynamodb.PutItem", be_faster)
    with counted_requests() as requests:
        answer = connections.acquire(AcquireRequest(new_session_id(), 1, None))

    assert answer is Refusal.CAPACITY
    assert len(requests) == MAX_ACQUIRE_REQUESTS


def test_the_count_is_told_where_the_shard_was_read_anyway(world: World) -> None:
    connections = world.environment()

    searched = connections.acquire(AcquireRequest(new_session_id(), 1, None))
    assert isinstance(searched, Granted)
    connections.release(searched.lease)
    wished = connections.acquire(AcquireRequest(new_session_id(), 1, None))

    assert searched.current_count == 1
    assert isinstance(wished, Granted)
    assert wished.current_count is None


def test_slots_beyond_a_shard_are_found(database: Database) -> None:
    world = World(database, limit=SHARD_SLOTS + 2)
    world.occupy(range(SHARD_SLOTS))

    leases = [arrive(world.environment(seed)) for seed in range(2)]

    assert sorted(lease.slot for lease in leases) == [SHARD_SLOTS, SHARD_SLOTS + 1]
    assert world.environment().count() == SHARD_SLOTS + 2
    assert world.environment().acquire(AcquireRequest("c" * 18, 1, None)) is Refusal.CAPACITY


def test_an_acquire_over_many_shards_stays_within_five_requests(database: Database) -> None:
    world = World(database, limit=60 * SHARD_SLOTS)

    with counted_requests() as requests:
        arrive(world.environment())

    assert len(requests) <= MAX_ACQUIRE_REQUESTS


# Losing and keeping a slot


def test_a_slot_is_free_a_second_after_its_lease_ran_out(database: Database) -> None:
    world = World(database, limit=1)
    arrive(world.environment(1))

    world.now += LEASE_SECONDS + 1
    assert world.environment(2).acquire(AcquireRequest("d" * 18, 1, None)) is Refusal.CAPACITY
    assert world.environment(2).count() == 1
    world.now += 1
    assert world.environment(2).count() == 0
    arrive(world.environment(2))


@pytest.mark.parametrize("fraction", [0.0, 0.001, 0.3, 0.999])
def test_a_slot_that_is_counted_as_free_is_granted(database: Database, fraction: float) -> None:
    """At any fraction of a second; else the last slot is refused although the status shows it."""
    world = World(database, limit=1)
    arrive(world.environment(1))

    world.now += LEASE_SECONDS + fraction
    for _ in range(30):
        world.now += 0.1
        is_free = world.environment(2).count() == 0
        answer = world.environment(2).acquire(AcquireRequest("g" * 18, 1, None))
        assert isinstance(answer, Granted) is is_free
        if is_free:
            return
    pytest.fail("the slot never became free")


def test_a_renewal_prolongs_the_lease(database: Database) -> None:
    world = World(database, limit=1)
    connections = world.environment()
    lease = arrive(connections)

    world.now += LEASE_SECONDS - 1
    assert connections.renew(lease) is Renewal.HELD
    world.now += LEASE_SECONDS - 1

    assert world.environment(2).acquire(AcquireRequest("e" * 18, 1, None)) is Refusal.CAPACITY


def test_a_renewal_is_one_request(world: World) -> None:
    connections = world.environment()
    lease = arrive(connections)

    with counted_requests() as requests:
        connections.renew(lease)

    assert [request.operation for request in requests] == ["UpdateItem"]


def test_a_lease_that_ran_out_is_held_again_while_nobody_took_it(world: World) -> None:
    """An environment that was cut off from DynamoDB for minutes goes on."""
    connections = world.environment()
    lease = arrive(connections)
    world.now += 10 * LEASE_SECONDS

    assert connections.renew(lease) is Renewal.HELD
    assert world.environment().count() == 1


def test_a_slot_deleted_by_ttl_is_taken_again(world: World) -> None:
    connections = world.environment()
    lease = arrive(connections)
    world.admin.delete_item(TableName=world.table, Key=slot_key(lease.slot))

    assert connections.renew(lease) is Renewal.HELD
    stored = world.slot(lease.slot)
    assert stored is not None
    assert stored["connection_id"] == {"S": lease.connection_id}


def test_a_slot_somebody_else_took_meanwhile_evicts(database: Database) -> None:
    world = World(database, limit=1)
    connections = world.environment(1)
    lease = arrive(connections)
    world.now += LEASE_SECONDS + 2
    successor = arrive(world.environment(2))

    assert connections.renew(lease) is Renewal.EVICTED
    assert world.environment(2).renew(successor) is Renewal.HELD


def test_a_slot_whose_taker_is_gone_again_is_taken_back(database: Database) -> None:
    world = World(database, limit=1)
    connections = world.environment(1)
    lease = arrive(connections)
    world.now += LEASE_SECONDS + 2
    arrive(world.environment(2))
    world.now += LEASE_SECONDS + 2

    assert connections.renew(lease) is Renewal.HELD
    assert connections.count() == 1


def test_a_release_frees_the_slot_and_can_be_repeated(world: World) -> None:
    connections = world.environment()
    lease = arrive(connections)

    connections.release(lease)
    connections.release(lease)

    assert world.slot(lease.slot) is None


def test_a_release_leaves_the_successors_slot_alone(world: World) -> None:
    old = world.environment(1)
    lease = arrive(old)
    successor = arrive(world.environment(2), **vars_of(resume_of(lease)))

    old.release(lease)

    assert successor.slot == lease.slot
    stored = world.slot(lease.slot)
    assert stored is not None
    assert stored["connection_id"] == {"S": successor.connection_id}


def vars_of(request: AcquireRequest) -> dict[str, Any]:
    return {
        "session_id": request.session_id,
        "sequence": request.sequence,
        "resumed_slot": request.resumed_slot,
    }


@pytest.mark.parametrize("is_warm", [False, True])
def test_a_write_that_arrives_twice_is_still_one_grant(database: Database, is_warm: bool) -> None:
    """The second one is refused by the first."""
    world = World(database, limit=3)
    connections = world.environment()
    if is_warm:
        connections.release(arrive(connections))
    with every_write_twice(database):
        lease = arrive(connections, session_id="f" * 18)

    assert lease.session_id == "f" * 18
    assert connections.count() == 1


def test_a_slot_taken_again_by_a_write_that_arrives_twice_is_held(world: World) -> None:
    connections = world.environment()
    lease = arrive(connections)
    world.admin.delete_item(TableName=world.table, Key=slot_key(lease.slot))

    with every_write_twice(world.database):
        assert connections.renew(lease) is Renewal.HELD


@contextmanager
def every_write_twice(database: Database) -> Iterator[None]:
    """As something between the function and DynamoDB might that tries again by itself."""
    events = database.function_client().meta.events

    def send_before(params: dict[str, Any], **_: Any) -> None:
        database.admin.put_item(**params)

    events.register("provide-client-params.dynamodb.PutItem", send_before, unique_id="twice")
    try:
        yield
    finally:
        events.unregister("provide-client-params.dynamodb.PutItem", unique_id="twice")


# Coming back


def test_a_cut_client_takes_its_own_slot_over_and_the_old_stream_ends(world: World) -> None:
    """Its old connection does not know yet that it is dead; the two must not hold two slots."""
    old, new = world.environment(1), world.environment(2)
    lease = arrive(old)

    with counted_requests() as requests:
        resumed = arrive(new, **vars_of(resume_of(lease)))

    assert [request.operation for request in requests] == ["GetItem", "PutItem"]
    assert resumed.slot == lease.slot
    assert (resumed.session_id, resumed.sequence) == (lease.session_id, 2)
    assert old.renew(lease) is Renewal.SUPERSEDED
    assert new.renew(resumed) is Renewal.HELD
    assert new.count() == 1


def test_a_cloned_tab_becomes_a_session_of_its_own(world: World) -> None:
    lease = arrive(world.environment(1))
    first = arrive(world.environment(2), **vars_of(resume_of(lease)))
    clone = arrive(world.environment(3), **vars_of(resume_of(lease)))

    assert clone.session_id != lease.session_id
    assert clone.sequence == 1
    assert clone.slot != first.slot
    assert world.environment(2).renew(first) is Renewal.HELD


@pytest.mark.races
def test_of_two_clones_at_once_one_takes_over(world: World) -> None:
    lease = arrive(world.environment(1))
    barrier = threading.Barrier(2)

    def come_back(seed: int) -> Lease:
        connections = world.environment(seed)
        barrier.wait(timeout=10)
        return arrive(connections, **vars_of(resume_of(lease)))

    with ThreadPoolExecutor(2) as pool:
        leases = list(pool.map(come_back, (2, 3)))

    assert sum(one.session_id == lease.session_id for one in leases) == 1
    assert len({one.slot for one in leases}) == 2


def test_after_a_clean_end_the_session_goes_on_in_a_free_slot(world: World) -> None:
    connections = world.environment()
    lease = arrive(connections)
    connections.release(lease)

    resumed = arrive(world.environment(2), **vars_of(resume_of(lease)))

    assert (resumed.slot, resumed.session_id, resumed.sequence) == (lease.slot, lease.session_id, 2)


def test_a_session_whose_slot_went_to_another_gets_a_new_slot(world: World) -> None:
    connections = world.environment(1)
    lease = arrive(connections)
    connections.release(lease)
    world.occupy(range(lease.slot, lease.slot + 1))

    resumed = arrive(world.environment(2), **vars_of(resume_of(lease)))

    assert resumed.slot != lease.slot
    assert (resumed.session_id, resumed.sequence) == (lease.session_id, 2)


def test_a_slot_beyond_a_lowered_limit_is_not_taken_over(database: Database) -> None:
    lease = arrive(World(database, limit=10).environment(), resumed_slot=9)
    assert lease.slot == 9

    lowered = World(database, limit=5)
    assert arrive(lowered.environment(), **vars_of(resume_of(lease))).slot < 5


def test_a_forgeable_id_takes_nothing_over(world: World) -> None:
    """Without SSE_ID_KEY an id proves nothing, so it names no slot."""
    victim = arrive(world.environment(1))

    other = arrive(world.environment(2), session_id=victim.session_id, sequence=2)

    assert other.slot != victim.slot
    assert world.environment(1).renew(victim) is Renewal.HELD


# Cancel and drain


def test_a_cancelled_connection_learns_it_with_its_next_renewal(world: World) -> None:
    connections = world.environment()
    lease = arrive(connections)

    world.environment(2).cancel(lease.connection_id)
    world.environment(3).cancel(lease.connection_id)

    assert connections.renew(lease) is Renewal.CANCELLED


def test_cancelling_what_has_ended_changes_nothing(world: World) -> None:
    connections = world.environment()
    lease = arrive(connections)
    connections.release(lease)

    connections.cancel(lease.connection_id)
    assert world.slot(lease.slot) is None

    successor = arrive(connections)
    connections.cancel(lease.connection_id)
    assert successor.slot == lease.slot
    assert connections.renew(successor) is Renewal.HELD


def test_a_cancel_does_not_outlive_its_connection(world: World) -> None:
    connections = world.environment()
    lease = arrive(connections)
    connections.cancel(lease.connection_id)

    successor = arrive(connections, **vars_of(resume_of(lease)))

    assert successor.slot == lease.slot
    assert connections.renew(successor) is Renewal.HELD


def test_a_drain_refuses_newcomers_with_one_read_and_ends_by_itself(world: World) -> None:
    connections = world.environment()
    world.drain(until=world.now + 600)

    with counted_requests() as requests:
        answer = connections.acquire(AcquireRequest(new_session_id(), 1, None))

    assert answer is Refusal.DRAINING
    assert [request.operation for request in requests] == ["GetItem"]
    assert connections.is_draining()
    world.now += 600
    assert not connections.is_draining()
    arrive(connections)


# Session records


def test_a_record_is_given_out_for_exactly_its_id(world: World) -> None:
    record = SessionRecord("id-1", (b"12345678", b"abcdefgh"), (b"54321",))
    world.environment(1).save_record("session", record)

    reader = world.environment(2)

    assert reader.load_record("session", "id-1") == record
    assert reader.load_record("session", "id-2") is None
    assert reader.load_record("nobody", "id-1") is None


def test_a_record_may_have_no_hashes_of_one_kind(world: World) -> None:
    connections = world.environment()
    for record in (SessionRecord("id", (), (b"54321",)), SessionRecord("id", (b"12345678",), ())):
        connections.save_record("session", record)
        assert connections.load_record("session", "id") == record


def test_the_largest_record_fits_and_a_larger_one_is_refused_before_any_request(
    world: World,
) -> None:
    connections = world.environment()
    fitting = SessionRecord("id", (b"12345678",) * (MAX_RECORD_BYTES // 8), ())
    connections.save_record("session", fitting)
    assert connections.load_record("session", "id") == fitting

    with counted_requests() as requests, pytest.raises(ValueError, match="a record of 350008 byte"):
        connections.save_record(
            "session", replace(fitting, long_hashes=(*fitting.long_hashes, b"12345678"))
        )
    assert requests == []


def test_connections_of_one_session_keep_records_of_their_own(world: World) -> None:
    """One that was cut runs on unheard, and ends after the one that its client heard end."""
    heard = SessionRecord("heard", (b"12345678",), ())
    world.environment(1).save_record("shared", heard)
    world.environment(2).save_record("shared", SessionRecord("unheard", (b"abcdefgh",), ()))

    assert world.environment(3).load_record("shared", "heard") == heard


# Failures


def test_a_missing_table_is_a_permanent_fault(database: Database) -> None:
    world = World(database, limit=1)
    world.table = "no-such-table"

    with pytest.raises(AwsRefused, match="ResourceNotFoundException"):
        arrive(world.environment())


def test_an_engine_that_is_not_there_is_a_passing_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1")
    world = World(replace(database, function_client=function_client()), limit=1)

    with pytest.raises(AwsUnavailable):
        world.environment().count()
