"""CPU time and memory of other processes, as Linux counts them.

CPU time comes from the processes' own clocks, in nanoseconds: the ticks of /proc/PID/stat are 10 ms
and /proc/PID/schedstat is of the first thread alone. Only how it divides into user and system time
comes from the ticks.
"""

from __future__ import annotations

import ctypes
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU time used so far."""

    cpu_ns: int
    user_ticks: int
    system_ticks: int


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU time of a stretch, in nanoseconds."""

    cpu_ns: float
    user_ns: float


class Processes:
    """One or more processes whose usage is added up. Raises ProcessLookupError for one that has
    gone."""

    def __init__(self, pids: Sequence[int]) -> None:
        self.pids = tuple(pids)
        self._clocks = tuple(map(_cpu_clock, self.pids))

    def cpu_ns(self) -> int:
        return sum(map(time.clock_gettime_ns, self._clocks))

    def usage(self) -> Usage:
        ticks = [_ticks(pid) for pid in self.pids]
        return Usage(
            self.cpu_ns(), sum(user for user, _ in ticks), sum(system for _, system in ticks)
        )

    def spent_since(self, start: Usage) -> Spent:
        now = self.usage()
        cpu_ns = now.cpu_ns - start.cpu_ns
        user, system = now.user_ticks - start.user_ticks, now.system_ticks - start.system_ticks
        return Spent(cpu_ns, cpu_ns * user / max(1, user + system))

    def peak_memory_bytes(self) -> int:
        """Resident, shared pages counted in each."""
        return sum(_status_bytes(pid, "VmHWM") for pid in self.pids)


def _cpu_clock(pid: int) -> int:
    clock = ctypes.c_int()
    status = ctypes.CDLL(None).clock_getcpuclockid(pid, ctypes.byref(clock))
    if status:
        raise OSError(status, os.strerror(status), str(pid))
    return clock.value


def _ticks(pid: int) -> tuple[int, int]:
    # The second field, the name in parentheses, may hold blanks (proc_pid_stat(5)).
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]), int(fields[12])


def _status_bytes(pid: int, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.M)
    if found is None:
        raise ProcessLookupError(f"process {pid} has ended")
    return int(found[1]) * 1024
