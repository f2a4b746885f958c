"""Run as a program: what the X-Ray SDK, in Lambda, records under each trace header given.

Its detection of Lambda happens at import and its recorder is global to the process, so this runs
in a process of its own. Reads a JSON list of headers (null: unset) from stdin; writes one object
per header: the documents that it would send, and the warnings it logged.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Any

VARIABLE = "_X_AMZN_TRACE_ID"


class _Collecting(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


class _MemoryEmitter:
    def __init__(self) -> None:
        self.documents: list[dict[str, Any]] = []

    def send_entity(self, entity: Any) -> None:
        self.documents.append(json.loads(entity.serialize()))


def main() -> None:
    os.environ["LAMBDA_TASK_ROOT"] = "/var/task"
    os.environ[VARIABLE] = ""
    from aws_xray_sdk.core import xray_recorder

    log, answers = _Collecting(), []
    logging.getLogger().addHandler(log)
    for header in json.load(sys.stdin):
        os.environ.pop(VARIABLE, None)
        if header is not None:
            os.environ[VARIABLE] = header
        emitter = xray_recorder.emitter = _MemoryEmitter()
        log.lines.clear()
        xray_recorder.clear_trace_entities()
        with xray_recorder.in_subsegment("## handler"):
            pass
        answers.append({"documents": emitter.documents, "warnings": list(log.lines)})
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
