"""Instants and durations, in microseconds since 1970 (UTC)."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
NEVER_US = 1 << 62  # later than every instant that the simulator can reach


class Clock:
    """The time of one account. Everything in the account shares it."""

    __slots__ = ("now_us",)

    def __init__(self, now_us: int) -> None:
        self.now_us = now_us


def to_us(instant: datetime) -> int:
    """Return microseconds since 1970 of an aware instant.

    Raises:
        ValueError: if the instant has no time zone.
    """
    if instant.tzinfo is None:
        raise ValueError(f"the instant {instant.isoformat()} has no time zone; give an aware datetime, e.g. in UTC")
    return (instant - _EPOCH) // timedelta(microseconds=1)


def from_us(microseconds: int) -> datetime:
    """Return the UTC instant of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=microseconds)


def duration_us(delta: timedelta) -> int:
    """Return a duration in microseconds. It has a limit, so that an instant plus a duration stays below NEVER_US."""
    return min(delta // timedelta(microseconds=1), NEVER_US // 2)
