"""Reading one conversation: every due message gets one outcome, whatever happens to the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import pytest
from tests.unit.due_messages import due, workspace
from tests.unit.fake_tables import NOON
from tests.unit.fakes import FakeClock

from genie_obs.datasets.messages.conversation import ConversationReader
from genie_obs.datasets.messages.outcomes import Outcome
from genie_obs.datasets.messages.planner import ConversationPlan
from genie_obs.datasets.messages.users import UserDirectory
from genie_obs.datasets.spaces.directory import SpaceDirectory, SpaceVerdict
from genie_obs.drift import DriftCounter
from genie_obs.errors import (
    ApiError,
    NotFoundError,
    PermissionDeniedError,
    TransientApiError,
    WorkspaceUnreachableError,
)
from genie_obs.genie_api.api import GenieApi
from genie_obs.ledger.reasons import Reason
from genie_obs.security.content_policy import ContentGuard, ContentSettings

ODD = "a message that nobody can digest"


def failure(kind: type[ApiError], status: int | None = None) -> ApiError:
    return kind(method="GET", path_template="/x", ids={}, status=status)


def raw(message_id: str, content: str = "How many?") -> dict[str, Any]:
    return {"message_id": message_id, "content": content, "status": "COMPLETED"}


class FakeGenie:
    """Serves pages and single messages; an exception in the place of either is raised."""

    def __init__(self, pages: list[Any], alone: Mapping[str, Any]) -> None:
        self._pages = pages
        self._alone = alone
        self.asked: list[str] = []

    async def list_messages(self, space_id: str, conversation_id: str) -> AsyncIterator[list[dict[str, Any]]]:
        for page in self._pages:
            self.asked.append("page")
            yield _raised(page)

    async def get_message(self, space_id: str, conversation_id: str, message_id: str) -> Any:
        self.asked.append(message_id)
        return _raised(self._alone[message_id])


def _raised(answer: Any) -> Any:
    if isinstance(answer, Exception):
        raise answer
    return answer


class FakeSpaces:
    """One space, and whether its messages may be read."""

    def __init__(self, *, may_read: bool | Exception) -> None:
        self._may_read = may_read

    def verdict(self, space_id: str) -> SpaceVerdict:
        return SpaceVerdict(
            title="Orders",
            is_readable=True,
            code=Reason.NO_PERMISSION,
            reason="grant it",
            http_status=403,
            checked_at=NOON,
        )

    async def may_read_messages(self, space_id: str) -> bool:
        return bool(_raised(self._may_read))


class PickyGuard(ContentGuard):
    """Fails for one text, which it quotes."""

    def protect(self, row: dict[str, Any], *args: Any) -> dict[str, Any]:
        if row.get("content") == ODD:
            raise RuntimeError(f"cannot digest {ODD}")
        return super().protect(row, *args)


class Reading:
    """What came of reading the messages a, b and c of one conversation."""

    def __init__(
        self,
        *,
        pages: list[Any] | None = None,
        alone: Mapping[str, Any] | None = None,
        may_read: bool | Exception = True,
        final: frozenset[str] = frozenset(),
    ) -> None:
        self.outcomes: list[Outcome] = []
        self.genie = FakeGenie(pages or [], alone or {})
        api = cast("GenieApi", self.genie)
        self.reader = ConversationReader(
            workspace=workspace(),
            api=api,
            spaces=cast("SpaceDirectory", FakeSpaces(may_read=may_read)),
            users=UserDirectory(api, {}),
            content_guard=PickyGuard(ContentSettings()),
            drift=DriftCounter(),
            clock=FakeClock(),
            put=self._put,
        )
        messages = {name: due(message_id=name) for name in ("a", "b", "c")}
        plan = ConversationPlan(
            space_id="s1", conversation_id="c1", due=messages, final_message_ids=final, is_listed=pages is not None
        )
        self.error: Exception | None = None
        try:
            asyncio.run(self.reader.read(plan))
        except WorkspaceUnreachableError as error:
            self.error = error

    async def _put(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    @property
    def states(self) -> dict[str, str]:
        assert len({outcome.ledger["message_id"] for outcome in self.outcomes}) == len(self.outcomes)
        return {outcome.ledger["message_id"]: outcome.ledger["state"] for outcome in self.outcomes}


def test_listing_that_shows_everything_is_all_that_is_asked() -> None:
    reading = Reading(pages=[[raw("b"), raw("a")], [raw("c")], [raw("later")]])

    assert reading.states == {"a": "fetched", "b": "fetched", "c": "fetched"}
    assert reading.genie.asked == ["page", "page"]
    assert reading.reader.settled_count == 3


def test_message_that_a_listing_does_not_show_is_asked_for_alone() -> None:
    reading = Reading(pages=[[raw("a"), raw("c")]], alone={"b": failure(NotFoundError, 404)})

    assert reading.states == {"a": "fetched", "b": "retry", "c": "fetched"}
    assert reading.genie.asked == ["page", "b"]


def test_listed_message_that_is_not_due_is_stored_unless_it_is_known_as_final() -> None:
    reading = Reading(pages=[[raw("new"), raw("old"), raw("a"), raw("b"), raw("c")]], final=frozenset({"old"}))

    assert {o.ledger["message_id"] for o in reading.outcomes if o.is_listed_only} == {"new"}
    assert reading.reader.settled_count == 3


def test_odd_message_of_a_page_is_asked_for_alone_and_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    page = [raw("x", ODD), raw("a"), raw("b", ODD), raw("c")]

    reading = Reading(pages=[page], alone={"b": raw("b", ODD)})

    assert reading.states == {"a": "fetched", "b": "retry", "c": "fetched"}
    [failed] = [outcome.ledger for outcome in reading.outcomes if outcome.ledger["message_id"] == "b"]
    assert failed["reason_code"] == "unreadable_answer"
    assert ODD not in caplog.text
    assert "RuntimeError at PickyGuard.protect:" in caplog.text


def test_odd_message_is_stored_if_it_can_be_read_alone() -> None:
    reading = Reading(pages=[[raw("a"), raw("b", ODD), raw("c")]], alone={"b": raw("b")})

    assert reading.states == {"a": "fetched", "b": "fetched", "c": "fetched"}


def test_messages_asked_for_alone_fail_alone() -> None:
    reading = Reading(alone={"a": raw("a", ODD), "b": failure(TransientApiError, 503), "c": raw("c")})

    assert reading.states == {"a": "retry", "b": "retry", "c": "fetched"}


def test_listing_that_breaks_off_fails_what_it_had_not_shown() -> None:
    reading = Reading(pages=[[raw("a")], failure(TransientApiError, 503)])

    assert reading.states == {"a": "fetched", "b": "retry", "c": "retry"}
    assert reading.genie.asked == ["page", "page"]


@pytest.mark.parametrize(
    ("refusal", "may_read", "states"),
    [
        (failure(NotFoundError, 404), True, {"retry"}),
        (failure(PermissionDeniedError, 403), True, {"retry"}),
        (failure(NotFoundError, 404), False, {"forbidden"}),
        (failure(NotFoundError, 404), failure(TransientApiError, 503), {"retry"}),
    ],
)
def test_refused_listing_is_judged_by_the_right_to_read(
    refusal: ApiError, may_read: bool | Exception, states: set[str]
) -> None:
    reading = Reading(pages=[refusal], may_read=may_read)

    assert len(reading.outcomes) == reading.reader.settled_count == 3
    assert set(reading.states.values()) == states
    assert reading.genie.asked == ["page"]


@pytest.mark.parametrize("is_listed", [True, False])
def test_workspace_that_is_lost_leaves_the_rest_as_it_is(is_listed: bool) -> None:
    lost = WorkspaceUnreachableError("gone", workspace_id="1", host="h")

    reading = Reading(pages=[[raw("a")], lost]) if is_listed else Reading(alone={"a": raw("a"), "b": lost})

    assert (reading.states, reading.error, reading.reader.settled_count) == ({"a": "fetched"}, lost, 1)
