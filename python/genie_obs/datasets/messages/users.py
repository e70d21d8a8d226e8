"""Who asked, where the audit log does not say: e-mail addresses from the workspace's directory of users (SCIM)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genie_obs.drift import DriftCounter
from genie_obs.errors import ApiError, BadRequestError, PermissionDeniedError
from genie_obs.genie_api.api import GenieApi
from genie_obs.json_text import escape_lone_surrogates

logger = logging.getLogger(__name__)

_FAILURES_AT_MOST = (
    3  # users in a row for whom nothing comes: then the directory is down, and nobody is asked for in this run
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """What is known of who asked a message."""

    email: str | None
    is_pending: bool = False  # the directory did not answer: ask again in a later run


class UserDirectory:
    """Finds the users of one workspace, each asked for at most once a run."""

    def __init__(self, api: GenieApi, known: Mapping[str, str], drift: DriftCounter | None = None) -> None:
        """Make a directory; `known` has e-mails by user id that need not be asked for."""
        self._api = api
        self._drift = drift or DriftCounter()
        self._known = known
        self._asked: dict[str, asyncio.Task[Asker]] = {}
        self._failures = 0  # in a row
        self._has_warned = False

    def try_again(self) -> None:
        """Forget who was asked for without an answer, because the workspace is tried once more."""
        self._asked = {
            user_id: asked
            for user_id, asked in self._asked.items()
            if asked.done() and not asked.cancelled() and asked.exception() is None
        }

    async def find(self, user_id: str | None) -> Asker:
        """Return who a user is; without e-mail for no user, one who is gone, and one we may not see.

        Raises:
            WorkspaceError: if the whole workspace is lost.
        """
        if user_id is None:
            return Asker(email=None)
        if user_id in self._known:
            return Asker(email=self._known[user_id])
        if user_id not in self._asked:
            self._asked[user_id] = asyncio.ensure_future(self._ask(user_id))
        return await self._asked[user_id]

    async def _ask(self, user_id: str) -> Asker:
        if self._failures >= _FAILURES_AT_MOST:
            return Asker(email=None, is_pending=True)
        try:
            user = await self._api.get_user(user_id)
        except ApiError as error:
            is_answer = isinstance(error, BadRequestError | PermissionDeniedError)
            self._failures = 0 if is_answer else self._failures + 1
            self._warn(error)
            return Asker(email=None, is_pending=not is_answer)
        self._failures = 0
        email = _email(user) if user else None
        if user is not None and email is None:
            self._drift.add("user: neither userName nor an e-mail")
        return Asker(email=email)

    def _warn(self, error: ApiError) -> None:
        """Tell the first failure only: there may be one for every user."""
        logger.log(logging.DEBUG if self._has_warned else logging.WARNING, "looking up a user failed: %s", error)
        self._has_warned = True


def _email(user: Mapping[str, Any]) -> str | None:
    name = user.get("userName")
    if isinstance(name, str) and name:
        return escape_lone_surrogates(name)
    emails = user.get("emails")
    values = [item.get("value") for item in emails if isinstance(item, dict)] if isinstance(emails, list) else []
    return next((escape_lone_surrogates(value) for value in values if isinstance(value, str) and value), None)
