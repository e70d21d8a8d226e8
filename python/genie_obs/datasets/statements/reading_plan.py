"""Which days of the query history a run reads, and for which messages. This is the rule, in one place.

1. When a message older than a day is stored for the first time, its statement is looked for at once (`StatementFinder`): on the
   day of the question, on the day after, and on the day of the message's last change.
2. Every run looks for the statements of messages that changed within 7 days. It reads at most four days of the history: today,
   yesterday, and two of the six days before, which come in turn. So a job that runs every hour reads each older day every three hours.
   After 7 days without a change, a message is given up.
3. A run makes up for earlier ones that did not read the history: it was not readable, the run died, or there was no run for more
   than a day. It looks, once, for everything that was stored meanwhile, and for messages that reached their 7 days meanwhile. It
   reads the days of these messages too.

Example: a question of Monday 10:00 is stored on Monday 11:00, and its statement reaches the history on Friday. Monday is two to
seven days ago from Wednesday on: on Friday at 12:00, 13:00 or 14:00 its turn comes, and the statement is joined. Had it not come
by next Monday 10:00, it would be given up. Messages of March that are first stored today are looked for while they are stored,
and by no later run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from genie_obs.lakehouse.arrow_rows import Row
from genie_obs.runs.open_runs import SILENT_AFTER

LOOK_FOR = timedelta(days=7)
_CLOCK_SLACK = timedelta(
    hours=1
)  # a statement starts after its question, but the clocks of the two services may differ
_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)
_TURNS = 3  # of two days each


@dataclass(frozen=True, kw_only=True)
class ReadingPlan:
    """What one run looks for; all instants UTC."""

    now: datetime  # when the run began
    from_date: date  # no message before this UTC day is looked at
    changed_since: datetime  # of messages: they were asked or changed since then,
    stored_since: datetime  # or were stored since then by other runs


def plan_reading(
    runs: Sequence[Row],
    *,
    now: datetime,
    oldest_stored_date: date | None,
    find_last_reading: Callable[[], Row],
) -> ReadingPlan:
    """Return what a run looks for.

    Args:
        runs: the earlier runs of the last days, as `select_earlier_runs` gives them.
        now: when this run began, UTC.
        oldest_stored_date: earliest created_date this run stored a row for; None if it stored none.
        find_last_reading: asks for what is older than `runs`; called only if none of them read the history.
    """
    readings = [run["started_at"] for run in runs if run["is_history_read"] and run["started_at"] <= now]
    if not readings:
        last = find_last_reading()
        return _plan_after_silence(last["last_read_at"], last["first_run_at"], now)
    last_read_at = max(readings)
    unread = [run for run in runs if _is_unread(run, last_read_at, now)]
    stored = [run["oldest_stored_date"] for run in runs] + [oldest_stored_date]
    # A run that did not end well may have stored anything.
    is_unknown = any(run["status"] in {"failed", "killed", "running"} for run in runs)
    days = [day for day in stored if day is not None]
    changed_since = (now if now - last_read_at <= _DAY else last_read_at) - LOOK_FOR
    return ReadingPlan(
        now=now,
        from_date=_EPOCH.date() if is_unknown else min([*days, changed_since.date() - _DAY]),
        changed_since=changed_since,
        stored_since=min((run["started_at"] for run in unread), default=_NEVER),
    )


def _plan_after_silence(last_read_at: datetime | None, first_run_at: datetime | None, now: datetime) -> ReadingPlan:
    """Plan for a history that no run of the last days has read. In the very first run there is nothing to make up for."""
    since = last_read_at or first_run_at
    return ReadingPlan(
        now=now,
        from_date=_EPOCH.date(),
        changed_since=min(since or now, now) - LOOK_FOR,
        stored_since=since or _NEVER,
    )


def _is_unread(run: Row, last_read_at: datetime, now: datetime) -> bool:
    """Say whether nobody has looked for what a run stored: it ended without looking, and no run that looked began later."""
    if run["is_history_read"]:
        return False
    ended_at: datetime = run["finished_at"] or run["alive_at"] + SILENT_AFTER
    return last_read_at < ended_at <= now  # one that is at work looks itself


def days_in_turn(now: datetime) -> set[date]:
    """Return today, yesterday, and the two days before whose turn it is. UTC.

    The day counts too. A job that runs at the same hours every day would read the same days for ever otherwise.
    """
    today = now.astimezone(UTC).date()
    oldest = 2 + 2 * ((today.toordinal() + now.astimezone(UTC).hour) % _TURNS)
    return {today - timedelta(days=age) for age in (0, 1, oldest, oldest + 1)}


def days_of(messages: Iterable[Row]) -> set[date]:
    """Return the UTC days on which the statements of messages may have started. A message that changed later may have a new one."""
    days = set[date]()
    for message in messages:
        asked_at = message["created_at"]
        days |= {(asked_at - _CLOCK_SLACK).date(), asked_at.date(), asked_at.date() + _DAY}
        if (changed_at := _changed_at(message)) is not None:
            days |= {(changed_at - _CLOCK_SLACK).date(), changed_at.date()}
    return days


def days_to_read(plan: ReadingPlan, messages: Sequence[Row]) -> set[date]:
    """Return the days of the history to be read for messages, UTC. None lies before all of their questions, or ahead.

    A message has created_at, updated_timestamp and ingestion_timestamp.
    """
    days = days_in_turn(plan.now) | days_of(message for message in messages if _has_no_turn(message, plan))
    first = min((message["created_at"] - _CLOCK_SLACK).date() for message in messages)
    return {day for day in days if first <= day <= plan.now.date()}


def _has_no_turn(message: Row, plan: ReadingPlan) -> bool:
    """Say whether a message is looked for in this run alone, to make up for others."""
    if message["ingestion_timestamp"] >= plan.stored_since:
        return True
    given_up_before = plan.now - LOOK_FOR
    changed_at = _changed_at(message)
    return bool(message["created_at"] < given_up_before and (changed_at is None or changed_at < given_up_before))


def _changed_at(message: Row) -> datetime | None:
    changed_ms = message.get("updated_timestamp")
    return None if changed_ms is None else _EPOCH + timedelta(milliseconds=changed_ms)
