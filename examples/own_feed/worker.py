"""Works on a job, and writes its progress: python examples/own_feed/worker.py TENANT

What a producer has to write: the job's id, its tenant, and the time, which every write raises.
"""

from __future__ import annotations

import argparse
import os
import time
import uuid
from collections.abc import Callable
from typing import Any

import boto3

STEPS = 5


def work(
    table: Any,
    tenant: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
    wall_clock: Callable[[], float] = time.time,
) -> str:
    """Does a job in STEPS of a second. Gives its id."""
    job_id = str(uuid.uuid4())
    for step in range(STEPS + 1):
        table.put_item(
            Item={
                "job_id": job_id,
                "tenant": tenant,
                "updated_at": int(wall_clock() * 1000),
                "state": "done" if step == STEPS else "running",
                "percent": 100 * step // STEPS,
            }
        )
        if step < STEPS:
            sleep(1)
    return job_id


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("tenant")
    name = os.environ.get("JOBS_TABLE", "items")
    work(boto3.resource("dynamodb").Table(name), parser.parse_args().tenant)
