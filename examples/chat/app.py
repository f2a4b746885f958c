"""A chat: the tokens of a model's answer as Server-Sent Events, and the page that shows them.

The id of an event is the number of tokens that its client has. A browser that reconnects sends the
last id back, and the answer goes on from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from lambda_streaming import (
    BadRequest,
    EventStream,
    Request,
    Response,
    ServerSentEvent,
    step,
    streaming,
)

PAGE = Path(__file__).with_name("index.html").read_bytes()
MAX_PROMPT_CHARACTERS = 500


class FakeModel:
    """Says the same to the same prompt, at the pace of a model: put yours in its place."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._sleep = sleep

    async def ask(self, prompt: str) -> list[str]:
        """Returns when the model begins to answer."""
        await self._sleep(0.4)
        words = (
            f"You asked: “{prompt}” I am not a model, only a function that sends one word at a"
            " time. Each word leaves Lambda as an event of its own, as soon as it is there. If"
            " the connection is lost, your browser comes back with the id of the last event, and"
            " any execution environment goes on from there. Put your own model in my place."
        ).split()
        return [words[0], *(f" {word}" for word in words[1:])]

    async def speak(self, tokens: list[str]) -> AsyncIterator[str]:
        for token in tokens:
            await self._sleep(0.015 + 0.005 * len(token))
            yield token


class Chat:
    def __init__(self, model: FakeModel) -> None:
        self._model = model

    def __call__(self, request: Request) -> EventStream | Response:
        """The handler phase: what it refuses has a status of its own."""
        route = request.method, request.path.removeprefix(request.root_path)
        if route == ("GET", "/"):
            return Response(PAGE, headers={"content-type": "text/html; charset=utf-8"})
        if route != ("GET", "/answer"):
            return Response("Not Found\n", 404, {"content-type": "text/plain; charset=utf-8"})
        prompt = request.query.get("prompt", "").strip()
        if not 0 < len(prompt) <= MAX_PROMPT_CHARACTERS:
            limit = f"prompt must have 1 to {MAX_PROMPT_CHARACTERS} characters"
            raise BadRequest("invalid_prompt", limit)
        return EventStream(self._events(prompt, tokens_sent(request)), retry_ms=1_000)

    async def _events(self, prompt: str, sent: int) -> AsyncIterator[ServerSentEvent]:
        """The streaming phase. A step is a span of the trace, and is not held across a `yield`."""
        with step("model_call", prompt_characters=len(prompt), tokens_sent=sent):
            tokens = await self._model.ask(prompt)
        number = sent
        async for token in self._model.speak(tokens[sent:]):
            number += 1
            yield ServerSentEvent(token, id=number)
        yield ServerSentEvent({"tokens": len(tokens)}, event="done", id=len(tokens))


def tokens_sent(request: Request) -> int:
    position = request.last_event_id or "0"
    if not (position.isascii() and position.isdigit() and len(position) < 10):
        raise BadRequest("invalid_last_event_id", "Last-Event-ID is no id of this stream")
    return int(position)


handler = streaming(Chat(FakeModel()))
