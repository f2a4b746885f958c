"""Event id <-> feed position. Pure.

An id *is* the position: any execution environment can resume from one without asking anything.
Besides the position it carries what correlates reconnects (session, sequence, the trace and root
span of the stream that minted it), the lease slot, and hashes of what was sent last.

Layout, after the version character, in unpadded base64url (alphabet safe as a CORS header value,
so no client preflights a reconnect):

    flags 1 | settled_ms 6 | block 4 | session 9 | sequence 3 | slot 2
    | [trace 16 | span 8] | hashes 5 each | mac 8 | checksum 2

The checksum tells an altered id (malformed) from an intact one that another feed or another key
minted (foreign); the keyed BLAKE2b (RFC 7693) is what a client cannot forge.
"""

from __future__ import annotations

import base64
import enum
import re
from binascii import b2a_base64, crc_hqx
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from hmac import compare_digest

MAX_ID_LENGTH = 128
"""The longest Last-Event-ID that browsers send across origins without a preflight."""
MAX_HASHES = 7
SHORT_HASH_BYTES = 5
LONG_HASH_BYTES = 8
SESSION_BYTES = 9

_VERSION = "1"
_NO_SLOT = 0xFFFF
_MAX_SEQUENCE = 0xFFFFFF
_MAC_BYTES = 8
_CHECKSUM_BYTES = 2
_CHANGING_BYTES = 1 + 6 + 4
_HEAD_BYTES = _CHANGING_BYTES + SESSION_BYTES + 3 + 2
_TRACE_BYTES = 16 + 8
_TEXT = re.compile(_VERSION + r"[A-Za-z0-9_-]+")

_URL_SAFE = bytes.maketrans(b"+/", b"-_")

_HAS_TRACE = 0b0000_0001
_HAS_RECORD = 0b0000_0010
_FRESH_SHIFT = 2
_HASHES_SHIFT = 5


class ResetReason(enum.StrEnum):
    """Why a presented id cannot be honoured; the client is told in a `reset` event."""

    MALFORMED = "malformed"
    FOREIGN = "foreign"
    EXPIRED = "expired"
    FUTURE = "future"


class FreshStart(enum.Enum):
    """Why an id holds no position: it is a client's first visit, or its position was lost."""

    FIRST = 1
    MALFORMED = 2
    FOREIGN = 3
    EXPIRED = 4
    FUTURE = 5

    @property
    def reset_reason(self) -> ResetReason | None:
        return None if self is FreshStart.FIRST else ResetReason[self.name]


class UnreadableId(ValueError):
    """The id is MALFORMED or FOREIGN: its bytes show it. EXPIRED and FUTURE depend on the time."""

    def __init__(self, reason: ResetReason) -> None:
        super().__init__(f"the event id is {reason.value}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Position:
    """Everything visible and published before `settled_ms` has been dealt with.

    `trace_id` is 32 and `span_id` 16 hex digits: the stream that minted the id. `hashes` are the
    short hashes of the items sent last among those published at or after `settled_ms`.
    `has_record` says that the session's record holds the hashes of the whole window.
    """

    settled_ms: int
    block: int
    session_id: str
    sequence: int
    slot: int | None = None
    trace_id: str | None = None
    span_id: str | None = None
    hashes: tuple[bytes, ...] = ()
    has_record: bool = False
    fresh: FreshStart | None = None

    def reset_reason(
        self, *, earliest_ms: int, latest_ms: int, overlap_ms: int, replay_ms: int
    ) -> ResetReason | None:
        """Why a reader cannot continue here, or None when it can. The reader's time is between
        `earliest_ms` and `latest_ms`."""
        if self.settled_ms < earliest_ms - replay_ms:
            return ResetReason.EXPIRED
        if self.settled_ms > latest_ms + 2 * overlap_ms:
            return ResetReason.FUTURE
        return None


class PositionCodec:
    """Mints and reads ids of one feed (a table and an index) under one key.

    Without a key one is derived from the table's name: alterations are noticed, forgeries not;
    `trusted` is False then, and nothing that needs an unforgeable id may rely on it.

    Partitions and filters are not mixed in, so an id is good for another one, or another caller's:
    it holds times and hashes and no item, the stream reads its own partition alone, and begins
    there at the id's time, so what was published before that is not sent. What was published since
    is, unless it has the item_id and the time of an item that the id names as sent: hence item_id
    has to be unique in the whole table. What an id does give to whoever presents it is its
    session's slot.
    """

    def __init__(
        self, *, key: bytes | None, table: str, index: str, previous_key: bytes | None = None
    ) -> None:
        """Ids of `previous_key` are read, too: clients present them until their next event, and
        nothing is lost while a key is replaced."""
        self.trusted = key is not None
        feed = f"{table}\0{index}".encode()
        self._keyed = _keyed(key or blake2b(table.encode(), digest_size=32).digest(), feed)
        previous = [] if previous_key is None else [_keyed(previous_key, feed)]
        self._accepted = (self._keyed, *previous)

    def mint(self, position: Position) -> str:
        """The id of a position: at most MAX_ID_LENGTH characters of [A-Za-z0-9_-]."""
        ids = self.ids_of(
            position.session_id,
            position.sequence,
            slot=position.slot,
            trace_id=position.trace_id,
            span_id=position.span_id,
            fresh=position.fresh,
        )
        return ids.mint(
            position.settled_ms, position.block, position.hashes, has_record=position.has_record
        )

    def ids_of(
        self,
        session_id: str,
        sequence: int,
        *,
        slot: int | None = None,
        trace_id: str | None = None,
        span_id: str | None = None,
        fresh: FreshStart | None = None,
    ) -> StreamIds:
        """The ids of one stream."""
        return StreamIds(self._keyed, session_id, sequence, slot, trace_id, span_id, fresh)

    def read(self, text: str) -> Position:
        """The position of an id.

        Raises UnreadableId: MALFORMED when it differs in anything from what any feed mints,
        FOREIGN when it is intact but of another feed or key.
        """
        if len(text) > MAX_ID_LENGTH or not _TEXT.fullmatch(text):
            raise UnreadableId(ResetReason.MALFORMED)
        sealed = _canonical_bytes(text[1:])
        payload, checksum = sealed[:-_CHECKSUM_BYTES], sealed[-_CHECKSUM_BYTES:]
        if crc_hqx(payload, 0).to_bytes(_CHECKSUM_BYTES) != checksum:
            raise UnreadableId(ResetReason.MALFORMED)
        body, mac = payload[:-_MAC_BYTES], payload[-_MAC_BYTES:]
        position = _unpack(body)
        if not any(compare_digest(mac, _mac(keyed, body)) for keyed in self._accepted):
            raise UnreadableId(ResetReason.FOREIGN)
        return position


class StreamIds:
    """Mints the ids of one stream. What is the same in all of them is packed once: a busy stream
    mints one for every item."""

    def __init__(
        self,
        keyed: blake2b,
        session_id: str,
        sequence: int,
        slot: int | None,
        trace_id: str | None,
        span_id: str | None,
        fresh: FreshStart | None,
    ) -> None:
        self._keyed = keyed
        self._flags = 0 if fresh is None else fresh.value << _FRESH_SHIFT
        trace = b""
        if trace_id is not None and span_id is not None:
            self._flags |= _HAS_TRACE
            trace = bytes.fromhex(trace_id) + bytes.fromhex(span_id)
        slot = _NO_SLOT if slot is None else min(slot, _NO_SLOT)
        self._stream = b"".join(
            (
                bytes.fromhex(session_id),
                min(sequence, _MAX_SEQUENCE).to_bytes(3),
                slot.to_bytes(2),
                trace,
            )
        )

    def mint(
        self, settled_ms: int, block: int, hashes: Sequence[bytes] = (), *, has_record: bool = False
    ) -> str:
        flags = self._flags | len(hashes) << _HASHES_SHIFT | (_HAS_RECORD if has_record else 0)
        changing = flags << 80 | settled_ms << 32 | block & 0xFFFFFFFF
        body = changing.to_bytes(_CHANGING_BYTES) + self._stream + b"".join(hashes)
        sealed = body + _mac(self._keyed, body)
        sealed += crc_hqx(sealed, 0).to_bytes(_CHECKSUM_BYTES)
        return _VERSION + _encode(sealed)


def _keyed(secret: bytes, feed: bytes) -> blake2b:
    stream_key = blake2b(feed, key=secret, digest_size=32).digest()
    return blake2b(key=stream_key, digest_size=_MAC_BYTES)


def _mac(keyed: blake2b, body: bytes) -> bytes:
    mac = keyed.copy()  # a third of the time that keying a new one takes
    mac.update(body)
    return mac.digest()


def _encode(sealed: bytes) -> str:
    return b2a_base64(sealed, newline=False).translate(_URL_SAFE).rstrip(b"=").decode()


def item_hash(item_id: str, published_at_ms: int) -> bytes:
    """The long hash of one version of an item; its first SHORT_HASH_BYTES are the short one."""
    return blake2b(f"{published_at_ms}\0{item_id}".encode(), digest_size=LONG_HASH_BYTES).digest()


def _canonical_bytes(encoded: str) -> bytes:
    try:
        sealed = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except ValueError as error:
        raise UnreadableId(ResetReason.MALFORMED) from error
    if _encode(sealed) != encoded:
        raise UnreadableId(ResetReason.MALFORMED)  # spare bits of the last digit were set
    return sealed


def _unpack(body: bytes) -> Position:
    if len(body) < _HEAD_BYTES:
        raise UnreadableId(ResetReason.MALFORMED)
    flags = body[0]
    hash_count = flags >> _HASHES_SHIFT
    trace_end = _HEAD_BYTES + (_TRACE_BYTES if flags & _HAS_TRACE else 0)
    if len(body) != trace_end + hash_count * SHORT_HASH_BYTES:
        raise UnreadableId(ResetReason.MALFORMED)
    fresh = (flags >> _FRESH_SHIFT) & 0b111
    if fresh > FreshStart.FUTURE.value:
        raise UnreadableId(ResetReason.MALFORMED)
    slot = int.from_bytes(body[23:25])
    trace = body[_HEAD_BYTES:trace_end]
    return Position(
        settled_ms=int.from_bytes(body[1:7]),
        block=int.from_bytes(body[7:11]),
        session_id=body[11:20].hex(),
        sequence=int.from_bytes(body[20:23]),
        slot=None if slot == _NO_SLOT else slot,
        trace_id=trace[:16].hex() if trace else None,
        span_id=trace[16:].hex() if trace else None,
        hashes=tuple(
            body[at : at + SHORT_HASH_BYTES] for at in range(trace_end, len(body), SHORT_HASH_BYTES)
        ),
        has_record=bool(flags & _HAS_RECORD),
        fresh=FreshStart(fresh) if fresh else None,
    )
