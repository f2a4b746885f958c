"""How often a test repeats what only numbers prove: the full count in CI, a tenth elsewhere."""

from __future__ import annotations

import os


def count(full: int) -> int:
    return full if os.environ.get("FULL_COUNTS") == "1" else max(1, full // 10)
