"""Sessions: one client across its reconnects, and the record of what it has at a clean end."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Protocol

from lambda_streaming.tracing.step import Keep, Trace


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """The hashes of one window, valid for exactly the id that it was written for."""

    position_id: str
    long_hashes: tuple[bytes, ...]
    short_hashes: tuple[bytes, ...]


class SessionRecordStore(Protocol):
    """Where records are kept. Every method may raise AwsUnavailable or AwsRefused."""

    def save_record(self, session_id: str, record: SessionRecord) -> None:
        """Raises ValueError for a window that does not fit."""
        ...

    def load_record(self, session_id: str, position_id: str) -> SessionRecord | None: ...


class SessionRecords:
    """One stream's access to the records, on worker threads, as steps of its trace."""

    def __init__(self, store: SessionRecordStore, trace: Trace) -> None:
        self._store = store
        self._trace = trace

    async def save(self, session_id: str, record: SessionRecord) -> None:
        """Raises AwsError, and ValueError for a window that does not fit."""
        hash_count = len(record.long_hashes) + len(record.short_hashes)
        async with self._trace.step(
            "session_record_save", keep=Keep.LAST, hash_count=hash_count
        ) as step:
            await step.in_thread(lambda: self._store.save_record(session_id, record))

    async def load(self, session_id: str, position_id: str) -> SessionRecord | None:
        """Raises AwsError."""
        async with self._trace.step("session_record_load", keep=Keep.LAST) as step:
            return await step.in_thread(lambda: self._store.load_record(session_id, position_id))


def new_session_id() -> str:
    """72 random bits in hex."""
    return secrets.token_hex(9)
