"""Python functions that tf.data calls from its own threads, and how they come to rest before Python does."""

import atexit
import threading
import time
from collections.abc import Callable
from typing import Any

# So long nobody may have called before Python goes on to end, and so long it waits for that at most, in seconds.
_QUIET = 0.1
_PATIENCE = 5


class _Calls:
    """The calls that tf.data's threads have begun and not ended.

    A thread that is in the middle of Python, or waits to enter it, when the interpreter is finalised aborts or hangs
    the process; and a dataset without end is always about to call. So at exit every call returns at once, and Python
    ends when the dataset's buffers are full of what nobody will ask for and no more calls come.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._running = 0
        self._last = None
        self.exiting = False
        atexit.register(self._settle)

    def __enter__(self):
        with self._lock:
            self._running += 1
            self._last = time.monotonic()

    def __exit__(self, *_):
        with self._lock:
            self._running -= 1
            self._last = time.monotonic()

    def _settle(self):
        if self._last is None:
            return
        self.exiting = True
        start = time.monotonic()
        while time.monotonic() < start + _PATIENCE:
            with self._lock:
                if not self._running and time.monotonic() > max(self._last, start) + _QUIET:
                    return
            time.sleep(_QUIET / 10)


_calls = _Calls()


def until_exit(function: Callable[..., Any], instead: Callable[[], Any]) -> Callable[..., Any]:
    """The function, which gives `instead()` once Python is about to end."""

    def call(*arguments):
        with _calls:
            return instead() if _calls.exiting else function(*arguments)

    return call
