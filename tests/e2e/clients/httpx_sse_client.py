"""httpx-sse, with the reconnecting loop that its README leaves to its user."""

from __future__ import annotations

import json
import sys
import time

import httpx
from httpx_sse import connect_sse


def say(**record: object) -> None:
    print(json.dumps(record), flush=True)  # noqa: T201


def watch(url: str) -> None:
    last_id, retry_ms = "", 3000
    with httpx.Client(timeout=30) as client:
        while True:
            headers = {"last-event-id": last_id} if last_id else {}
            try:
                with connect_sse(client, "GET", url, headers=headers) as source:
                    say(kind="open")
                    for event in source.iter_sse():
                        last_id, retry_ms = event.id, event.retry or retry_ms
                        if event.event == "message":
                            say(kind="message", data=event.data)
                        else:
                            say(kind="event", name=event.event, id=event.id, data=event.data)
            except httpx.TransportError:
                pass  # cut
            say(kind="error", state=0)
            time.sleep(retry_ms / 1000)


if __name__ == "__main__":
    watch(sys.argv[1])
