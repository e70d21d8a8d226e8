"""The Genie REST API of one workspace. Its paths, its paging and the form of its answers are known only here."""

import random
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from urllib.parse import quote

import aiohttp

from genie_obs.clock import Clock
from genie_obs.errors import NotFoundError, PermissionDeniedError, TransientApiError
from genie_obs.genie_api.client import (
    SPACES_NAMES,
    SPACES_PATH,
    ApiSettings,
    ApiStats,
    Call,
    WorkspaceClient,
    open_session,
)
from genie_obs.genie_api.exchange import USER_AGENT
from genie_obs.genie_api.limiter import AdaptiveLimiter
from genie_obs.genie_api.oauth import TokenSource
from genie_obs.genie_api.retry import RetryPolicy

__all__ = ["USER_AGENT", "ApiSettings", "ApiStats", "GenieApi", "open_session"]

_SPACE = SPACES_PATH + "/{space_id}"
_CONVERSATIONS = _SPACE + "/conversations"
_MESSAGES = _CONVERSATIONS + "/{conversation_id}/messages"
_MESSAGE = _MESSAGES + "/{message_id}"
_SPACE_NAMES = ("space_id", "title")
_MESSAGES_NAMES = ("messages", "next_page_token")
_MESSAGE_NAMES = ("message_id", "conversation_id")
_USER = "/api/2.0/preview/scim/v2/Users/{user_id}"


class GenieApi:
    """Reads one workspace: at the limiter's pace, with retries, and without following redirects.

    Every method raises an `ApiError` if its own call failed, or a `WorkspaceError` if the whole workspace cannot be read.
    Once the workspace is given up, every further call fails at once.
    """

    def __init__(
        self,
        *,
        workspace_id: str,
        host: str,
        session: aiohttp.ClientSession,
        tokens: TokenSource,
        limiter: AdaptiveLimiter,
        clock: Clock,
        retry: RetryPolicy | None = None,
        settings: ApiSettings | None = None,
        stats: ApiStats | None = None,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings or ApiSettings()
        self.stats = stats if stats is not None else ApiStats()
        self._client = WorkspaceClient(
            workspace_id=workspace_id,
            host=host,
            session=session,
            tokens=tokens,
            limiter=limiter,
            clock=clock,
            retry=retry or RetryPolicy(),
            settings=self._settings,
            stats=self.stats,
            rng=rng,
        )

    def try_again(self) -> None:
        """Forget that the workspace was given up, for a second try. Its pace is still known."""
        self._client.try_again()

    async def get_space(self, space_id: str, *, include_serialized_space: bool = False) -> dict[str, Any]:
        """Return one space; its serialized definition is only for those with CAN EDIT, others get 403."""
        query = "include_serialized_space=true" if include_serialized_space else ""
        return await self._client.get(Call("get_space", _SPACE, {"space_id": space_id}, query, expects=_SPACE_NAMES))

    async def list_spaces(self) -> AsyncIterator[dict[str, Any]]:
        """Yield every space that the service principal can see, in any order."""
        async for page in self._pages("list_spaces", SPACES_PATH, {}, SPACES_NAMES):
            for space in page:
                yield space

    def list_messages(self, space_id: str, conversation_id: str) -> AsyncIterator[list[dict[str, Any]]]:
        """Yield the pages of a conversation's messages, in any order, also within a page."""
        ids = {"space_id": space_id, "conversation_id": conversation_id}
        return self._pages("list_messages", _MESSAGES, ids, _MESSAGES_NAMES)

    async def get_message(self, space_id: str, conversation_id: str, message_id: str) -> dict[str, Any]:
        """Return one message as the service sends it, with values that we do not know."""
        ids = {"space_id": space_id, "conversation_id": conversation_id, "message_id": message_id}
        return await self._client.get(Call("get_message", _MESSAGE, ids, expects=_MESSAGE_NAMES))

    async def can_manage(self, space_id: str) -> bool:
        """Return whether the service principal has CAN MANAGE, which listing all conversations needs by its documentation."""
        query = "include_all=true&page_size=1"
        call = Call(
            "list_conversations", _CONVERSATIONS, {"space_id": space_id}, query,
            expects=("conversations", "next_page_token"), may_be_empty=True,
        )  # fmt: skip
        try:
            await self._client.get(call)
        except (PermissionDeniedError, NotFoundError):
            return False
        return True

    async def get_user(self, user_id: str) -> dict[str, Any] | None:
        """Return a user's SCIM record, or None if the user was removed."""
        try:
            return await self._client.get(Call("get_user", _USER, {"user_id": user_id}, is_of_genie=False))
        except NotFoundError:
            return None

    async def _pages(
        self, operation: str, template: str, ids: Mapping[str, str], names: tuple[str, ...]
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """Yield the pages until one has no token for the next; an empty page with a token is not the last.

        The first of `names` is that of the items.
        """
        size = f"page_size={self._settings.page_size}"
        page_token = ""
        seen: set[str] = set()
        while True:
            query = f"{size}&page_token={quote(page_token, safe='')}" if page_token else size
            call = Call(operation, template, ids, query, expects=names, may_be_empty=True)
            body = await self._client.get(call)
            items = body.get(names[0])
            if items is None:
                items = []
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise _page_error(call, f"the page's {names[0]} is not a list of objects")
            yield items
            page_token = body.get("next_page_token") or ""
            if not page_token:
                return
            if not isinstance(page_token, str):
                raise _page_error(call, "the page token is not a text")
            if page_token in seen:
                # To stop without error would lose the rest; to go on would never end.
                raise _page_error(call, "the same page token came twice")
            seen.add(page_token)


def _page_error(call: Call, text: str) -> TransientApiError:
    return TransientApiError(method="GET", path_template=call.template, ids=call.ids, status=200, cause=text)
