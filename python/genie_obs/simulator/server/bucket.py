"""A limit of requests per second."""

from collections.abc import Callable


class TokenBucket:
    """Holds up to `rate` tokens (at least one) and gets `rate` new ones each second."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._level = max(1.0, rate)
        self._at = clock()

    def take(self) -> bool:
        """Take a token. Return whether there was one."""
        now = self._clock()
        self._level = min(max(1.0, self._rate), self._level + (now - self._at) * self._rate)
        self._at = now
        if self._level < 1:
            return False
        self._level -= 1
        return True


def make_bucket(rate: float | None, clock: Callable[[], float]) -> TokenBucket | None:
    """Return a bucket for `rate` requests per second, or None for no limit."""
    return None if rate is None else TokenBucket(rate, clock)
