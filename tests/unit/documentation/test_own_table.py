"""The declaration and the item of the pages on a table of one's own, as they stand there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from lambdas.sse_streaming import FeedSchema, Filter, QueryParameter
from lambdas.sse_streaming.feeds.items import ItemFields
from lambdas.sse_streaming.feeds.schema import is_key
from tests.unit.documentation.pages import ROOT, text_of

_PYTHON = re.compile(r"```python\n(.*?)```", re.S)
_DECLARATION = re.compile(r"^python -m (lambdas.sse_streaming.declaration) (\S+) > ", re.M)
SERVICE, TABLES = text_of("docs/sentiment-service.md"), text_of("docs/tables.md")


def test_the_pages_feed_declares_itself_by_the_pages_command(tmp_path: Path) -> None:
    (declared,) = _PYTHON.findall(SERVICE)
    (tmp_path / "jobs.py").write_text(declared, encoding="utf-8")
    (command,) = _DECLARATION.findall(SERVICE)

    ran = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["index"] == "by_tenant"


def test_the_pages_item_is_one_of_that_feed() -> None:
    (written,) = _PYTHON.findall(TABLES)
    names: dict[str, Any] = {}
    exec(written, names)
    jobs = FeedSchema("job", "tenant", QueryParameter("tenant"), "changed_at", "job_id")

    item = ItemFields(jobs).read(names["item"])

    assert item is not None
    assert abs(item.published_at_ms - time.time() * 1000) < 60_000
    assert is_key(names["item"][jobs.partition]["S"])


def test_the_pages_filters_can_be_made() -> None:
    filters = re.findall(r"`(Filter\(.*?\))`", SERVICE.replace("(…)", "('a',)"))

    assert len(filters) == 2
    for one in filters:
        assert isinstance(eval(one, {"Filter": Filter}), Filter)
