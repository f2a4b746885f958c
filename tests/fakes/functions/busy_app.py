"""An app whose routes end in every way an answer can, and that tells what its process holds."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse

from lambda_streaming import asgi, step

BACKGROUND_SECONDS = 0.05

lifespans = {"started": 0, "ended": 0}
done = {"background": 0, "cut": 0}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    lifespans["started"] += 1
    yield
    lifespans["ended"] += 1


app = FastAPI(lifespan=lifespan)


@app.get("/later")
async def later(tasks: BackgroundTasks) -> str:
    async def work() -> None:
        await asyncio.sleep(BACKGROUND_SECONDS)
        done["background"] += 1

    tasks.add_task(work)
    return "done"


@app.get("/words")
async def words() -> StreamingResponse:
    async def blocks() -> AsyncIterator[str]:
        with step("look_up"):
            await asyncio.sleep(0)
        try:
            for number in range(20):
                yield f"{number}\n"
                await asyncio.sleep(0.001)
        except (asyncio.CancelledError, GeneratorExit):
            done["cut"] += 1
            raise

    return StreamingResponse(blocks(), media_type="text/plain")


@app.get("/broken")
async def broken() -> None:
    raise LookupError("no such thing")


@app.get("/breaks")
async def breaks() -> StreamingResponse:
    async def blocks() -> AsyncIterator[str]:
        yield "one"
        raise LookupError("no such thing")

    return StreamingResponse(blocks())


@app.get("/million")
async def million() -> StreamingResponse:
    async def blocks() -> AsyncIterator[bytes]:
        for number in range(1_000_000):
            if number in (100_000, 999_999):
                os.write(1, b"rss %d\n" % _rss_bytes())
            yield b"data: tick\n\n"

    return StreamingResponse(blocks(), media_type="text/event-stream")


@app.get("/held")
def held() -> dict[str, Any]:
    gc.collect()
    return {
        "objects": len(gc.get_objects()),
        "rss_bytes": _rss_bytes(),
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "files": len(os.listdir("/proc/self/fd")),
        "tasks": len(asyncio.all_tasks(_loop())),
        **lifespans,
        **done,
    }


def _loop() -> asyncio.AbstractEventLoop:
    from anyio.from_thread import run_sync

    return run_sync(asyncio.get_running_loop)


def _rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


handler = asgi(app)
