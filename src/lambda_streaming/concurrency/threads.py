"""Threads for calls that may block for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from queue import SimpleQueue

_Calls: TypeAlias = "SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]"


class DaemonThreads(Executor):
    """As many threads as there are calls at once, each used again. A call that never returns keeps
    no other one waiting, as it would in a pool of so many threads, nor the process from its end."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._idle: list[_Calls] = []
        self._is_shut_down = False

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        with self._lock:
            if self._is_shut_down:
                raise RuntimeError("these threads take no calls any more")
            calls = self._idle.pop() if self._idle else None
        if calls is None:
            from queue import SimpleQueue  # most functions need no thread

            calls = SimpleQueue()
            threading.Thread(target=self._work, args=(calls,), name=self._name, daemon=True).start()
        calls.put((future, partial(call, *args, **kwargs)))
        return future

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = False) -> None:
        """Each thread ends with its call; none of them is waited for."""
        with self._lock:
            self._is_shut_down = True
            idle, self._idle = self._idle, []
        for calls in idle:
            calls.put(None)

    def _work(self, calls: _Calls) -> None:
        goes_on = True
        while goes_on and (work := calls.get()) is not None:
            future, call = work
            if not future.set_running_or_notify_cancel():
                goes_on = self._release(calls)
            else:
                try:
                    result = call()
                except BaseException as error:
                    goes_on = self._release(calls)
                    future.set_exception(error)
                else:
                    goes_on = self._release(calls)
                    future.set_result(result)
                    del result
            del work, future, call  # what they lead to is not kept until the next call

    def _release(self, calls: _Calls) -> bool:
        """Before the result is told: who gets it may have the next call. False after the end."""
        with self._lock:
            if not self._is_shut_down:
                self._idle.append(calls)
            return not self._is_shut_down
