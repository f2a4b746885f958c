"""Lets a test set the wall clock of one Python process: Python imports this module at its start.

The offset in seconds stands in a file named after the process id, in the folder that
WALL_CLOCK_FOLDER names. The steady clock is left alone, as it is when a machine's clock is set.
"""

import os
import time

_folder = os.environ["WALL_CLOCK_FOLDER"]
_real_time_ns = time.time_ns


def _offset_ns() -> int:
    try:
        with open(os.path.join(_folder, str(os.getpid()))) as file:
            return round(float(file.read() or 0) * 1e9)
    except FileNotFoundError:
        return 0


def _time_ns() -> int:
    return _real_time_ns() + _offset_ns()


def _time() -> float:
    return _time_ns() / 1e9


time.time_ns = _time_ns
time.time = _time
