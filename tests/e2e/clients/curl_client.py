"""curl -N in a loop, as a shell script would have it: the last id goes back in a header."""

from __future__ import annotations

import json
import subprocess
import sys
import time


def say(**record: object) -> None:
    print(json.dumps(record), flush=True)  # noqa: T201


def watch(url: str) -> None:
    last_id, retry_ms = "", 3000
    while True:
        resume = ["-H", f"Last-Event-ID: {last_id}"] if last_id else []
        argv = ["curl", "--silent", "--no-buffer", "--max-time", "30", *resume, url]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as curl:
            assert curl.stdout is not None
            say(kind="open")
            block: dict[str, str] = {}
            for line in curl.stdout:
                name, _, value = line.rstrip("\n").partition(": ")
                if name and line.endswith("\n") and not line.startswith(":"):
                    block[name] = value
                elif block and not name:
                    last_id = block["id"]
                    retry_ms = int(block.get("retry", retry_ms))
                    say(kind="event", name=block["event"], id=last_id, data=block["data"])
                    block = {}
        say(kind="error", state=0)
        time.sleep(retry_ms / 1000)


if __name__ == "__main__":
    watch(sys.argv[1])
