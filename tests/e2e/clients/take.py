"""In front of the page's code for Python."""

import sys
from typing import Any

url = sys.argv[1]


def take(event: Any) -> None:
    """httpx-sse's events and aiohttp-sse-client's."""
    name = event.event if hasattr(event, "event") else event.type
    event_id = event.id if hasattr(event, "id") else event.last_event_id
    print(name, event_id, event.data, sep="\t", flush=True)  # noqa: T201
