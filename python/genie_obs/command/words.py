"""Words that several commands print: instants, lengths of time, workspaces."""

from __future__ import annotations

from datetime import datetime, timedelta

from rich.markup import escape


def name_workspace(workspace_id: str, name: str | None) -> str:
    """Return a workspace's name and id, fit for rich's markup."""
    return escape(f"{name} ({workspace_id})" if name else workspace_id)


def say_instant(instant: datetime | None) -> str:
    """Return an instant to the minute, UTC; a dash for none."""
    return f"{instant:%Y-%m-%d %H:%M} UTC" if instant else "–"


def say_duration(seconds: float) -> str:
    """Return a length of time in its largest unit."""
    rounded = timedelta(seconds=round(seconds))
    if rounded < timedelta(minutes=2):
        return f"{rounded.seconds} s"
    if rounded < timedelta(hours=2):
        return f"{rounded.seconds // 60} min"
    if rounded < timedelta(days=2):
        return f"{rounded.total_seconds() / 3600:.0f} h"
    return f"{rounded.days} days"
