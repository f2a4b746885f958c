"""A process of racers for connection slots, each thread an execution environment of its own.

    python -m tests.fakes.lease_racers TABLE SLOTS LEASE_SECONDS RACERS

Reads rounds from stdin, one JSON line each: the wall clock that the racers see, and the steady
instant (the same in every process of a machine) at which all ask at once. Answers with one line.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

from lambdas.sse_streaming.connections.dynamodb import DynamoConnections
from lambdas.sse_streaming.connections.lease import AcquireRequest, Granted
from lambdas.sse_streaming.sessions import new_session_id
from tests.fakes.dynamodb import counted_requests, function_client


def main() -> None:
    table, slots, lease_seconds, racers = sys.argv[1], *map(float, sys.argv[2:])
    client = function_client()
    client()  # made before the race: it takes longer than one
    now = [0.0]
    environments = [
        DynamoConnections(
            client,
            table,
            max_connections=int(slots),
            lease_seconds=lease_seconds,
            replay_seconds=3600,
            now_seconds=lambda: now[0],
            random=Random(),
        )
        for _ in range(int(racers))
    ]

    def race(connections: DynamoConnections, start_at: float) -> dict[str, Any]:
        time.sleep(max(0.0, start_at - time.monotonic()))
        with counted_requests() as requests:
            answer = connections.acquire(AcquireRequest(new_session_id(), 1, None))
        slot = answer.lease.slot if isinstance(answer, Granted) else None
        return {"slot": slot, "requests": len(requests)}

    with ThreadPoolExecutor(len(environments)) as pool:
        print("ready", flush=True)  # noqa: T201
        for line in sys.stdin:
            told = json.loads(line)
            now[0] = told["now"]
            starts = [told["start_at"]] * len(environments)
            print(json.dumps(list(pool.map(race, environments, starts))), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
