"""Drift: counted, bounded, never a user's words."""

from __future__ import annotations

from genie_obs.drift import MAX_KINDS, OTHER, DriftCounter, describe_unknown


def test_each_kind_is_one_line_with_how_often() -> None:
    drift = DriftCounter()
    drift.add_all(
        ["status: unknown value PAUSED", "content: expected string, got list", "status: unknown value PAUSED"]
    )

    assert drift.lines() == ["content: expected string, got list (1 time)", "status: unknown value PAUSED (2 times)"]


def test_kinds_beyond_the_bound_are_counted_together_and_those_listed_go_on() -> None:
    drift = DriftCounter()
    drift.add_all(f"status: unknown value S{number:04}" for number in range(MAX_KINDS + 50))
    drift.add("status: unknown value S0000", 9)

    lines = drift.lines()

    assert len(lines) == MAX_KINDS + 1
    assert f"{OTHER} (50 times)" in lines
    assert "status: unknown value S0000 (10 times)" in lines


def test_counters_are_added_up() -> None:
    one, other = DriftCounter(), DriftCounter()
    one.add("a", 2)
    other.add("a", 3)
    other.add("b")
    one.merge(other)

    assert one.lines() == ["a (5 times)", "b (1 time)"]


def test_a_value_that_is_no_enumeration_is_not_quoted() -> None:
    assert describe_unknown("status", "PAUSED_2") == "status: unknown value PAUSED_2"
    for words in ("my salary", "", "paused", "PAUSED\n", "P" * 65):
        assert describe_unknown("status", words) == "status: unknown value of another form"
