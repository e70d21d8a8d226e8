"""Counts of requests, for tests and benchmarks."""

import threading
from collections import Counter


class ServerStats:
    """Counts requests by workspace, operation and status. Every thread may use it. Status 0 means that no answer was sent."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, int]] = Counter()
        self._lock = threading.Lock()

    def add(self, workspace_id: str, operation: str, status: int) -> None:
        """Count one request."""
        with self._lock:
            self._counts[workspace_id, operation, status] += 1

    def calls(self, operation: str | None = None, workspace_id: str | None = None, status: int | None = None) -> int:
        """Return how many requests have the given operation, workspace and status. None matches all."""
        wanted = (workspace_id, operation, status)
        return sum(
            count
            for key, count in self.counts().items()
            if all(want in (None, value) for want, value in zip(wanted, key, strict=True))
        )

    def counts(self) -> dict[tuple[str, str, int], int]:
        """Return a copy of the counters by (workspace_id, operation, status)."""
        with self._lock:
            return dict(self._counts)

    def reset(self) -> None:
        """Forget all counts."""
        with self._lock:
            self._counts.clear()
