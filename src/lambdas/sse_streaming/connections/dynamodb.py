"""Connection leases in DynamoDB: the limit over all execution environments, and who holds a slot.

A slot is one item, taken by one conditional write and free again when its lease has been over for
more than a second. So the limit holds under any race, a killed environment's slot comes back by
itself, and an acquire costs one write as long as the slot used last is free. (A counter would
leak with every crash; a transaction costs double.)
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from lambdas.sse_streaming.aws.clients import ConditionFailed, aws_failures, items_of
from lambdas.sse_streaming.aws.errors import AwsError, AwsUnavailable
from lambdas.sse_streaming.connections.lease import (
    AcquireRequest,
    Granted,
    Lease,
    Refusal,
    Renewal,
    slot_of,
)
from lambdas.sse_streaming.sessions import SessionRecord, new_session_id

SHARD_SLOTS = 1000
MAX_ACQUIRE_REQUESTS = 5
_GRACE_SECONDS = 1
_RECORD_SPARE_SECONDS = 3600
MAX_RECORD_BYTES = 350_000
"""A DynamoDB item may have 400 KB."""


class DynamoConnections:
    """The connections table in DynamoDB: key `pk` (S), `sk` (S), TTL attribute `expires_at`.

    Implements ConnectionsTable.
    """

    def __init__(
        self,
        client: Callable[[], Any],
        table: str,
        *,
        max_connections: int,
        lease_seconds: float,
        replay_seconds: float,
        now_seconds: Callable[[], float],
        random: Random,
    ) -> None:
        self._client = client
        self._table = table
        self._max_connections = max_connections
        self._lease_seconds = lease_seconds
        self._record_seconds = replay_seconds + _RECORD_SPARE_SECONDS
        self._now_seconds = now_seconds
        self._random = random
        self._last_slot: int | None = None

    def acquire(self, request: AcquireRequest) -> Granted | Refusal:
        """A slot, in at most MAX_ACQUIRE_REQUESTS requests.

        A resume takes its session's slot over if that still holds the same session and sequence:
        its connection was cut, and must not hold two slots. Where the slot shows that the session
        went on without this client (a cloned tab, a shared link), the client becomes a session of
        its own.
        """
        if self.is_draining():
            return Refusal.DRAINING
        requests_left = MAX_ACQUIRE_REQUESTS - 1
        slot = request.resumed_slot if request.resumed_slot is not None else self._last_slot
        if slot is not None and slot < self._max_connections:
            requests_left -= 1
            try:
                return self._grant(request, slot, None, may_undo=True)
            except ConditionFailed as failed:
                if _text(failed.item, "session_id") == request.session_id:
                    request = AcquireRequest(new_session_id(), 1, None)
        return self._search(request, requests_left)

    def _search(self, request: AcquireRequest, requests_left: int) -> Granted | Refusal:
        """Read shards, in random order, until one has a free slot; then try for one of those."""
        shards = list(range(_shard_count(self._max_connections)))
        self._random.shuffle(shards)
        for shard in shards:
            if requests_left < 2:
                break
            taken = self._taken_slots(shard, max_pages=requests_left - 1)
            requests_left -= 1
            first = shard * SHARD_SLOTS
            numbers = range(first, min(first + SHARD_SLOTS, self._max_connections))
            free = [number for number in numbers if number not in taken]
            self._random.shuffle(free)
            count = len(taken) if len(shards) == 1 else None
            while free and requests_left > 0:
                requests_left -= 1
                try:
                    return self._grant(
                        request,
                        free.pop(),
                        None if count is None else count + 1,
                        may_undo=requests_left > 0,
                    )
                except ConditionFailed:
                    continue  # another environment was faster
        return Refusal.CAPACITY

    def _grant(
        self, request: AcquireRequest, slot: int, current_count: int | None, *, may_undo: bool
    ) -> Granted:
        lease = Lease(
            connection_id=f"{slot}.{secrets.token_urlsafe(16)}",
            slot=slot,
            session_id=request.session_id,
            sequence=request.sequence,
        )
        now = self._now_seconds()
        condition = "attribute_not_exists(pk) OR expires_at < :free"
        values = {":free": _expired_before(now)}
        names: dict[str, Any] = {}
        if slot == request.resumed_slot:
            condition += " OR (session_id = :session AND #sequence = :previous)"
            values |= {
                ":session": {"S": request.session_id},
                ":previous": {"N": str(request.sequence - 1)},
            }
            names = {"ExpressionAttributeNames": {"#sequence": "sequence"}}
        put: dict[str, Any] = {
            "Item": _slot_item(lease, now + self._lease_seconds),
            "ConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            **names,
        }
        try:
            self._call("put_item", put)
        except ConditionFailed as failed:
            # The slot holds this very lease: something on the way sent the request twice.
            if _text(failed.item, "connection_id") != lease.connection_id:
                raise
        except AwsUnavailable:
            # It may have been written and only its answer lost: nobody would use the slot, and
            # the client that comes back would be taken for a clone of itself.
            if may_undo:
                with contextlib.suppress(AwsError):
                    self.release(lease)
            raise
        self._last_slot = slot
        return Granted(lease, current_count)

    def renew(self, lease: Lease) -> Renewal:
        """Prolong the lease and learn whether the connection shall end.

        A lease that ran out is prolonged as well, as long as nobody took the slot.
        """
        now = self._now_seconds()
        try:
            answer = self._call(
                "update_item",
                {
                    "Key": _slot_key(lease.slot),
                    "UpdateExpression": "SET expires_at = :until",
                    "ConditionExpression": "connection_id = :me",
                    "ExpressionAttributeValues": {
                        ":until": _epoch(now + self._lease_seconds),
                        ":me": {"S": lease.connection_id},
                    },
                    "ReturnValues": "ALL_NEW",
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                },
            )
        except ConditionFailed as failed:
            return self._after_losing(lease, failed.item)
        cancelled = answer.get("Attributes", {}).get("cancelled", {}).get("BOOL", False)
        return Renewal.CANCELLED if cancelled else Renewal.HELD

    def _after_losing(self, lease: Lease, holder: Mapping[str, Any] | None) -> Renewal:
        if _text(holder, "session_id") == lease.session_id:
            return Renewal.SUPERSEDED
        expires_at = float((holder or {}).get("expires_at", {}).get("N", 0))
        if expires_at >= self._now_seconds() - _GRACE_SECONDS:
            return Renewal.EVICTED
        try:
            self._retake(lease)
        except ConditionFailed:
            return Renewal.EVICTED
        return Renewal.HELD

    def _retake(self, lease: Lease) -> None:
        """Take one's own slot again after TTL deleted the item or a successor let it run out."""
        now = self._now_seconds()
        self._call(
            "put_item",
            {
                "Item": _slot_item(lease, now + self._lease_seconds),
                # The last part is for a request that something on the way sent twice.
                "ConditionExpression": (
                    "attribute_not_exists(pk) OR expires_at < :free OR connection_id = :me"
                ),
                "ExpressionAttributeValues": {
                    ":free": _expired_before(now),
                    ":me": {"S": lease.connection_id},
                },
            },
        )

    def release(self, lease: Lease) -> None:
        """Give the slot back, unless somebody else holds it by now."""
        try:
            self._call(
                "delete_item",
                {
                    "Key": _slot_key(lease.slot),
                    "ConditionExpression": "connection_id = :me",
                    "ExpressionAttributeValues": {":me": {"S": lease.connection_id}},
                },
            )
        except ConditionFailed:
            pass  # taken over: the successor's slot is not ours to free

    def cancel(self, connection_id: str) -> None:
        """Ask a connection to end at its next renewal. Idempotent; an unknown one is no error."""
        try:
            self._call(
                "update_item",
                {
                    "Key": _slot_key(slot_of(connection_id)),
                    "UpdateExpression": "SET cancelled = :yes",
                    "ConditionExpression": "connection_id = :it",
                    "ExpressionAttributeValues": {
                        ":yes": {"BOOL": True},
                        ":it": {"S": connection_id},
                    },
                },
            )
        except ConditionFailed:
            pass  # it has ended already

    def is_draining(self) -> bool:
        answer = self._call("get_item", {"Key": _key("control", "drain")})
        until = float(answer.get("Item", {}).get("until", {}).get("N", 0))
        return until > self._now_seconds()

    def count(self) -> int:
        """Unexpired leases over all shards, read consistently."""
        return sum(
            len(self._taken_slots(shard, max_pages=None))
            for shard in range(_shard_count(self._max_connections))
        )

    def save_record(self, session_id: str, record: SessionRecord) -> None:
        """Write it under its position id, so that no other record replaces it: after a network cut
        the old invocation keeps running next to the new one, in the same session.

        Raises ValueError for a window that does not fit into an item.
        """
        long_hashes, short_hashes = b"".join(record.long_hashes), b"".join(record.short_hashes)
        if len(long_hashes) + len(short_hashes) > MAX_RECORD_BYTES:
            raise ValueError(f"a record of {len(long_hashes) + len(short_hashes)} bytes")
        self._call(
            "put_item",
            {
                "Item": {
                    **_record_key(session_id, record.position_id),
                    "long_hashes": {"B": long_hashes},
                    "short_hashes": {"B": short_hashes},
                    "expires_at": _epoch(self._now_seconds() + self._record_seconds),
                }
            },
        )

    def load_record(self, session_id: str, position_id: str) -> SessionRecord | None:
        """The record, if it was written for exactly this id. Read consistently: the client may
        come back a few milliseconds after the write."""
        key = _record_key(session_id, position_id)
        item = self._call("get_item", {"Key": key, "ConsistentRead": True}).get("Item")
        if item is None:
            return None
        return SessionRecord(
            position_id,
            _split(_bytes(item, "long_hashes"), 8),
            _split(_bytes(item, "short_hashes"), 5),
        )

    def _taken_slots(self, shard: int, max_pages: int | None) -> set[int]:
        now = self._now_seconds()
        query: dict[str, Any] = {
            "KeyConditionExpression": "pk = :shard",
            "ProjectionExpression": "sk, expires_at",
            "ExpressionAttributeValues": {":shard": {"S": f"slot#{shard}"}},
            "ConsistentRead": True,
        }
        taken: set[int] = set()
        pages = 0
        while True:
            answer = self._call("query", query)
            taken.update(
                int(item["sk"]["S"])
                for item in items_of(answer)
                if float(item["expires_at"]["N"]) >= now - _GRACE_SECONDS
            )
            pages += 1
            if "LastEvaluatedKey" not in answer or pages == max_pages:
                return taken
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _call(self, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        with aws_failures():
            answer: Mapping[str, Any] = getattr(self._client(), operation)(
                TableName=self._table, ReturnConsumedCapacity="TOTAL", **parameters
            )
        return answer


def _shard_count(max_connections: int) -> int:
    return -(-max_connections // SHARD_SLOTS)


def _slot_key(slot: int) -> dict[str, Any]:
    return _key(f"slot#{slot // SHARD_SLOTS}", str(slot))


def _record_key(session_id: str, position_id: str) -> dict[str, Any]:
    return _key("session", f"{session_id}#{position_id}")


def _slot_item(lease: Lease, expires_at: float) -> dict[str, Any]:
    return {
        **_slot_key(lease.slot),
        "connection_id": {"S": lease.connection_id},
        "session_id": {"S": lease.session_id},
        "sequence": {"N": str(lease.sequence)},
        "expires_at": _epoch(expires_at),
    }


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _epoch(seconds: float) -> dict[str, str]:
    """Whole seconds, as TTL wants them, rounded down: the second of grace makes up for it."""
    return {"N": str(int(seconds))}


def _expired_before(now: float) -> dict[str, str]:
    """Not whole seconds: a slot that reads as free has to be free for the write as well."""
    return {"N": f"{now - _GRACE_SECONDS:.3f}"}


def _text(item: Mapping[str, Any] | None, name: str) -> str | None:
    value = (item or {}).get(name, {}).get("S")
    return value if isinstance(value, str) else None


def _bytes(item: Mapping[str, Any] | None, name: str) -> bytes:
    value = (item or {}).get(name, {}).get("B", b"")
    return bytes(value)


def _split(joined: bytes, size: int) -> tuple[bytes, ...]:
    return tuple(joined[at : at + size] for at in range(0, len(joined), size))
