"""How many threads NumPy's products use.

The products here are small: on a busy machine, BLAS threads that wait for each
other make them a hundred times slower, and on an idle one gain nothing.
"""

from __future__ import annotations

import functools
import threading

from threadpoolctl import ThreadpoolController


class _OneBlasThread:
    """A context in which BLAS keeps to one thread, entered from any thread.

    The first to enter sets the limit and the last to leave restores it.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._users = 0

    def __enter__(self):
        with self._lock:
            if not self._users:
                _run_aside(self._set)
            self._users += 1

    def __exit__(self, *exception):
        with self._lock:
            self._users -= 1
            if not self._users:
                _run_aside(self._limit.restore_original_limits)

    def _set(self):
        self._limit = _libraries().limit(limits=1, user_api="blas")


@functools.cache
def _libraries() -> ThreadpoolController:
    """Return what sets the threads of NumPy's and SciPy's BLAS, looked up once."""
    return ThreadpoolController()


def _run_aside(function):
    """Call in a thread that ends at once.

    threadpoolctl lets only one living thread change OpenBLAS' number, and the
    one that restores it here is often another than the one that set it.
    """
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


one_blas_thread = _OneBlasThread()
