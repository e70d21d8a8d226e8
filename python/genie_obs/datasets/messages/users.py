"""E-mail addresses of askers for whom the audit log has none."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from genie_obs.drift import DriftCounter
from genie_obs.errors import ApiError
from genie_obs.genie_api.api import GenieApi

logger = logging.getLogger(__name__)


class UserDirectory:
    """Resolves numeric user ids of one workspace through SCIM, each at most once a run."""

    def __init__(self, api: GenieApi, known: Mapping[str, str], drift: DriftCounter | None = None) -> None:
        self._api = api
        self._drift = drift or DriftCounter()
        self._known = known
        self._asked: dict[str, asyncio.Task[str | None]] = {}

    async def email(self, user_id: str | None) -> str | None:
        """Return the e-mail of a user; None for no user, a deleted one, or when SCIM does not answer."""
        if user_id is None:
            return None
        if user_id in self._known:
            return self._known[user_id]
        if user_id not in self._asked:
            self._asked[user_id] = asyncio.ensure_future(self._ask(user_id))
        return await self._asked[user_id]

    async def _ask(self, user_id: str) -> str | None:
        try:
            user = await self._api.get_user(user_id)
        except ApiError as error:
            logger.warning("looking up a user failed: %s", error)
            return None
        email = _email(user) if user else None
        if user is not None and email is None:
            self._drift.add("user: neither userName nor an e-mail")
        return email


def _email(user: Mapping[str, Any]) -> str | None:
    name = user.get("userName")
    if isinstance(name, str) and name:
        return name
    emails = user.get("emails")
    values = [item.get("value") for item in emails if isinstance(item, dict)] if isinstance(emails, list) else []
    return next((value for value in values if isinstance(value, str) and value), None)
