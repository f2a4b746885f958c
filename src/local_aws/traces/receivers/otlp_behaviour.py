"""The ways in which a collector answers an export, or fails to."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Manner(enum.Enum):
    ANSWER = enum.auto()
    REFUSE = enum.auto()  # the port is closed
    SILENT = enum.auto()  # takes the batch and never answers: X-Ray hangs behind it
    STATUS = enum.auto()
    TRICKLE = enum.auto()  # the answer comes byte by byte
    RESET = enum.auto()  # the connection is reset before the answer
    DIE_MID_ANSWER = enum.auto()


# The ways in which the exporter behind the receiver has the batch, whatever the client sees: the
# collector is silent, slow or cut off in its answer. It has none after a refusal or an early reset.
_TAKING = frozenset({Manner.ANSWER, Manner.SILENT, Manner.TRICKLE, Manner.DIE_MID_ANSWER})


@dataclass(frozen=True, slots=True)
class Behaviour:
    manner: Manner
    delay_seconds: float = 0.0
    status: int = 200
    byte_seconds: float = 1.0

    @property
    def takes_batch(self) -> bool:
        return self.manner in _TAKING


HEALTHY = Behaviour(Manner.ANSWER)
REFUSED = Behaviour(Manner.REFUSE)
SILENT = Behaviour(Manner.SILENT)
RESET = Behaviour(Manner.RESET)
DIES_MID_ANSWER = Behaviour(Manner.DIE_MID_ANSWER)


def delayed(seconds: float) -> Behaviour:
    return Behaviour(Manner.ANSWER, delay_seconds=seconds)


def answers_status(status: int) -> Behaviour:
    """Every export gets this status and is not taken; 429, 500 and 503 are what X-Ray causes."""
    return Behaviour(Manner.STATUS, status=status)


def trickles(byte_seconds: float = 1.0) -> Behaviour:
    return Behaviour(Manner.TRICKLE, byte_seconds=byte_seconds)
