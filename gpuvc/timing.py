"""Seconds and counts per stage, collected from any number of threads."""

import threading
import time
from collections import defaultdict
from contextlib import contextmanager


class Clock:
    """Sums of wall seconds, thread CPU seconds and counts by name. `add` and `stage` may be called from any thread."""

    def __init__(self):
        self._lock = threading.Lock()
        self.wall_s = defaultdict(float)
        self.cpu_s = defaultdict(float)
        self.counts = defaultdict(int)

    @contextmanager
    def stage(self, name):
        wall, cpu = time.perf_counter(), time.thread_time()
        try:
            yield
        finally:
            wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
            with self._lock:
                self.wall_s[name] += wall
                self.cpu_s[name] += cpu

    def add(self, name, n):
        """Add `n` to the count called `name`."""
        with self._lock:
            self.counts[name] += int(n)
