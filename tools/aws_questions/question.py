"""A question, and what an answer is compared with."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from tools.aws_questions.exchange import Client


class Door(enum.StrEnum):
    """A front door, by the name of the variable that gives its address."""

    URL = "URL"
    """A Function URL with response streaming."""
    REST = "REST"
    """A stage of a REST API whose integration has responseTransferMode STREAM."""
    HTTP_API = "HTTP_API"


STREAMING_DOORS = (Door.URL, Door.REST)


class NotAskedError(Exception):
    """A deployment does not allow this question; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What an asker may use. An answer that comes is waited for `patience_seconds`, one that may
    never come `hang_seconds`. The function is silent for `silence_seconds` to see who cuts, and for
    `pause_seconds` to tell two moments apart. `concurrency` is how many invocations it may have at
    once, where that is known and small."""

    client: Client
    patience_seconds: float
    hang_seconds: float
    silence_seconds: float
    pause_seconds: float
    concurrency: int | None = None


Ask: TypeAlias = Callable[[Asking], str]


@dataclass(frozen=True, slots=True)
class Question:
    """One that a request answers. `assumed` is the expected answer of each front door that can
    be asked."""

    text: str
    how: str
    assumed: Mapping[Door, str]
    changes: str
    ask: Ask


@dataclass(frozen=True, slots=True)
class ManualQuestion:
    """One that only a person can find out, as `how` says."""

    text: str
    how: str
    assumed: str
    changes: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a door answered; `said` is None where it was not asked, and `why_not` says why."""

    number: int
    question: Question
    door: Door
    said: str | None
    why_not: str = ""

    @property
    def assumed(self) -> str:
        return self.question.assumed[self.door]

    @property
    def differs(self) -> bool:
        return self.said is not None and self.said != self.assumed
