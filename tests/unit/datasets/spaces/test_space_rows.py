"""A space as the API sends it, in any shape: a row that the table takes, and drift that never says a user's words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from genie_obs.datasets.spaces.space_rows import parse_instant, parse_space
from genie_obs.drift import DriftCounter
from genie_obs.lakehouse.schema import table

AT = datetime(2026, 11, 20, 10, tzinfo=UTC)


def parse(**space: Any) -> tuple[dict[str, Any], list[str]]:
    drift = DriftCounter()
    row = parse_space(space, drift)
    pa.Table.from_pylist([row], table("space_details").arrow_schema(*row))
    return row, drift.lines()


def test_space_keeps_what_it_has_and_nothing_stays_nothing() -> None:
    row, drift = parse(title="Orders", etag="7", create_time="2026-11-20T10:00:00Z", new_field=1)

    assert {name: value for name, value in row.items() if value is not None} == {
        "title": "Orders",
        "etag": "7",
        "space_created_at": AT,
    }
    assert drift == []


@pytest.mark.parametrize("title", ["lone \ud800 surrogate", {"en": "lone \ud800 surrogate"}])
def test_text_that_utf_8_cannot_hold_is_escaped(title: object) -> None:
    row, _ = parse(title=title)

    assert r"lone \ud800 surrogate" in row["title"]


def test_text_of_another_type_is_kept_as_json_and_told() -> None:
    row, drift = parse(title=["words"], description={"a": 1}, update_time=7)

    assert (row["title"], row["description"], row["space_updated_at"]) == ('["words"]', '{"a":1}', None)
    assert drift == [
        "space.description: expected string, got object (1 time)",
        "space.title: expected string, got list (1 time)",
        "space.update_time: expected RFC 3339 time, got number (1 time)",
    ]


def test_text_that_is_too_deep_is_left_out() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    assert parse(title=deep)[0]["title"] is None


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        ("2026-11-20T10:00:00Z", AT),
        ("2026-11-20T11:00:00+01:00", AT),
        ("2026-11-20T10:00:00", AT),
        ("yesterday", None),
        (7, None),
        (None, None),
    ],
)
def test_instant_is_aware_or_nothing(value: object, instant: datetime | None) -> None:
    assert parse_instant(value) == instant
