"""The record of one run, as it is printed."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta, timezone

from genie_obs._version import __version__
from genie_obs.runs.record import RunRecord

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def test_new_record_says_that_the_run_goes_on() -> None:
    record = RunRecord(run_id="r", started_at=NOON, engine="local")

    assert (record.status, record.finished_at, record.version, record.workspace_errors) == (
        "running",
        None,
        __version__,
        [],
    )


def test_day_of_a_run_is_the_one_in_utc() -> None:
    late = datetime(2026, 11, 20, 23, 30, tzinfo=timezone(timedelta(hours=-3)))

    assert RunRecord(run_id="r", started_at=late, engine="local").started_date == date(2026, 11, 21)


def test_json_is_one_line_with_every_column() -> None:
    record = RunRecord(
        run_id="r", started_at=NOON, engine="local", error="a\nb é", window_start=NOON, oldest_stored_date=NOON.date()
    )

    text = record.to_json()

    assert "\n" not in text
    assert "é" in text
    read = json.loads(text)
    assert list(read) == [field.name for field in fields(RunRecord)]
    assert (read["window_start"], read["oldest_stored_date"]) == ("2026-11-20T12:00:00+00:00", "2026-11-20")
    assert (read["finished_at"], read["fetched_count"], read["workspace_ids"]) == (None, 0, None)


def test_two_records_do_not_share_their_lists() -> None:
    one, other = (RunRecord(run_id=name, started_at=NOON, engine="local") for name in "ab")

    one.workspace_errors.append("1: unreachable")

    assert other.workspace_errors == []
