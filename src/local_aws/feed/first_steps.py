"""What the stack tells whoever has started it with a feed: how to read it, how to write to it."""

from __future__ import annotations

import json

from local_aws.feed.declaration import Declaration

EXAMPLE_CALLER = "tenant-a"


def reading(feed: Declaration, url: str, *, region: str) -> str:
    """A curl command that opens a stream. The local doors believe any signature."""
    signed, query = "", "backfill=5"
    if feed.needs_callers:
        signed = f"--aws-sigv4 aws:amz:{region}:lambda --user {EXAMPLE_CALLER}:any "
    elif feed.chosen_by == "query":
        query = f"{feed.parameter}=…&{query}"
    return f"curl -N {signed}'{url}/stream?{query}'"


def publishing(feed: Declaration) -> str:
    """A command that publishes one item. Its id and its time are filled in."""
    item = json.dumps({feed.partition: "…"}, ensure_ascii=False)
    return f"echo '{item}' | make publish FILE=-"
