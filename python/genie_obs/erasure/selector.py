"""What is to be erased: which messages, and how much of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from genie_obs.config import Scope
from genie_obs.errors import ConfigError, Problem
from genie_obs.identifiers import is_id
from genie_obs.ledger.reasons import Reason

_NEVER = date(9999, 12, 31)


@dataclass(frozen=True, kw_only=True)
class Selector:
    """Which messages. All given conditions must hold."""

    workspace_ids: tuple[str, ...] = ()
    user: str | None = None  # e-mail in small letters, or id
    space_id: str | None = None
    before_date: date | None = None  # asked before this UTC day

    @property
    def is_whole_space(self) -> bool:
        """Return whether only a space is named. Then its own texts are erased too."""
        return bool(self.space_id and not self.user and not self.before_date)

    @property
    def is_whole_person(self) -> bool:
        """Return whether only a person is named. Then they are also erased from tables that are not about messages."""
        return bool(self.user and not self.space_id and not self.before_date)

    def values(self) -> dict[str, Any]:
        """Return the parameters of the statements."""
        return {
            "workspace_ids": self.workspace_ids,
            "space_id": self.space_id or "",
            "before_date": self.before_date or _NEVER,
        }


class Extent(StrEnum):
    """How much of a message is erased. The value is the ledger's `reason_code`."""

    TEXTS = Reason.ERASED_TEXTS.value
    TEXTS_AND_ASKER = Reason.ERASED_TEXTS_AND_ASKER.value
    ROW = Reason.ERASED_ROW.value

    @property
    def is_row(self) -> bool:
        """Return whether the whole row is erased."""
        return self is Extent.ROW

    @property
    def is_asker(self) -> bool:
        """Return whether the asker is erased too."""
        return self is not Extent.TEXTS

    @property
    def sentence(self) -> str:
        """Return the sentence that the ledger shows to people."""
        return {Extent.TEXTS: "erased: texts", Extent.TEXTS_AND_ASKER: "erased: texts and asker"}.get(
            self, "erased: row"
        )


def parse_selector(
    scope: Scope, *, user: str | None, space: str | None, older_than: str | None, today: date
) -> Selector:
    """Check what the command line names.

    Args:
        scope: names the workspaces; its spaces are not used.
        user: e-mail address, or id as in `user_id`.
        space: id of a space.
        older_than: a number of days, or a day (UTC) as 2026-01-31.
        today: the day from which a number of days counts back.

    Raises:
        ConfigError: if nothing is named, or something cannot be read; all problems together.
    """
    user, space, older_than = ((text or "").strip() or None for text in (user, space, older_than))
    problems: list[Problem] = []
    if not (user or space or older_than):
        problems.append(
            Problem("nothing to erase is named", "Use --user, --space or --older-than; several narrow it down.")
        )
    if user and re.search(r"\s", user):
        problems.append(Problem(f"--user {user!r}: it holds a blank", "Give an e-mail address or a user id."))
    if space and not is_id(space):
        problems.append(Problem(f"--space {space!r}: no id", "Give the last part of the space's address."))
    before = _parse_age(older_than, today, problems) if older_than else None
    if problems:
        raise ConfigError(problems)
    return Selector(
        workspace_ids=scope.workspace_ids, user=user.lower() if user else None, space_id=space, before_date=before
    )


def _parse_age(older_than: str, today: date, problems: list[Problem]) -> date | None:
    fix = "Give a number of days, or a day such as 2026-01-31."
    try:
        is_days = older_than.isdecimal()
        before = today - timedelta(days=int(older_than)) if is_days else date.fromisoformat(older_than)
    except (ValueError, OverflowError):
        problems.append(Problem(f"--older-than {older_than!r}: neither a number of days nor a day", fix))
        return None
    if before > today:
        problems.append(Problem(f"--older-than {older_than!r}: it lies ahead", fix))
    return before
