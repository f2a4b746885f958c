"""Run as a program: the same app behind Mangum and behind `asgi`, asked the same.

Arguments: where Mangum is, and the events, as JSON. Prints what each event brought from each.
"""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import Any

HEAD = [(b"content-type", b"application/json")]


class App:
    """Tells what it was asked, and how often it was started."""

    def __init__(self) -> None:
        self.starts = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            self.starts += 1
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        said = {
            "starts": self.starts,
            "path": scope["path"],
            "root_path": scope["root_path"],
            "repeated": [value.decode() for name, value in scope["headers"] if name == b"x-two"],
        }
        await send({"type": "http.response.start", "status": 200, "headers": HEAD})
        await send({"type": "http.response.body", "body": json.dumps(said).encode()})


def asked(handler: Any, event: dict[str, Any]) -> Any:
    try:
        answer = handler(event, SimpleNamespace(aws_request_id="request"))
    except Exception as error:
        return type(error).__name__
    return json.loads(answer["body"])


def main(mangums_folder: str, events: list[dict[str, Any]]) -> dict[str, list[Any]]:
    sys.path.insert(0, mangums_folder)
    from mangum import Mangum

    from lambda_streaming import asgi

    handlers = {"mangum": Mangum(App()), "here": asgi(App())}
    return {name: [asked(handler, event) for event in events] for name, handler in handlers.items()}


if __name__ == "__main__":
    json.dump(main(sys.argv[1], json.loads(sys.argv[2])), sys.stdout)
