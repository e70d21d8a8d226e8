"""Askers whom the audit log does not name: looked up once a run, and an outage is not taken for an answer."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest

from genie_obs.datasets.messages.users import Asker, UserDirectory
from genie_obs.drift import DriftCounter
from genie_obs.errors import (
    ApiError,
    BadRequestError,
    PermissionDeniedError,
    TransientApiError,
    UnauthenticatedError,
    WorkspaceUnreachableError,
)
from genie_obs.genie_api.api import GenieApi

NOT_YET = Asker(email=None, is_pending=True)
NOBODY = Asker(email=None)


def failure(kind: type[ApiError]) -> ApiError:
    return kind(method="GET", path_template="/Users/{user_id}", ids={})


class FakeScim:
    """Answers with what stands for a user, raises it if it is an error; counts the calls."""

    def __init__(self, users: Mapping[str, Any] | Callable[[str], Any]) -> None:
        self._answer = users if callable(users) else users.get
        self.calls: Counter[str] = Counter()

    async def get_user(self, user_id: str) -> Any:
        self.calls[user_id] += 1
        await asyncio.sleep(0)
        answer = self._answer(user_id)
        if isinstance(answer, Exception):
            raise answer
        return answer


def ask(scim: FakeScim, *user_ids: str | None, known: Mapping[str, str] | None = None) -> list[Asker]:
    """Ask for one user after another."""
    users = UserDirectory(cast("GenieApi", scim), known or {})

    async def ask_all() -> list[Asker]:
        return [await users.find(user_id) for user_id in user_ids]

    return asyncio.run(ask_all())


def test_user_is_asked_for_once_a_run_and_a_known_one_never() -> None:
    scim = FakeScim({"7": {"userName": "ana@example.com"}})
    users = UserDirectory(cast("GenieApi", scim), {"8": "bo@example.com"})

    async def ask_at_once() -> list[Asker]:
        return await asyncio.gather(*(users.find(user_id) for user_id in ("7", "7", "8", None)))

    found = asyncio.run(ask_at_once())

    assert found == [
        Asker(email="ana@example.com"),
        Asker(email="ana@example.com"),
        Asker(email="bo@example.com"),
        NOBODY,
    ]
    assert scim.calls == {"7": 1}


@pytest.mark.parametrize("kind", [TransientApiError, UnauthenticatedError, ApiError])
def test_directory_that_does_not_answer_leaves_the_asker_open(kind: type[ApiError]) -> None:
    assert ask(FakeScim({"7": failure(kind)}), "7", "7") == [NOT_YET, NOT_YET]


@pytest.mark.parametrize("answer", [None, failure(PermissionDeniedError), failure(BadRequestError)])
def test_user_who_is_gone_or_hidden_is_an_answer(answer: object) -> None:
    assert ask(FakeScim({"7": answer}), "7") == [NOBODY]


def test_workspace_that_is_lost_is_lost_for_the_reader_too() -> None:
    lost = WorkspaceUnreachableError("gone", workspace_id="1", host="h")

    with pytest.raises(WorkspaceUnreachableError):
        ask(FakeScim({"7": lost}), "7")


def test_outage_costs_few_calls() -> None:
    scim = FakeScim(lambda _: failure(TransientApiError))

    found = ask(scim, *(str(n) for n in range(50)))

    assert found == [NOT_YET] * 50
    assert sum(scim.calls.values()) == 3


def test_single_failures_do_not_stop_the_look_up() -> None:
    scim = FakeScim(lambda user: failure(TransientApiError) if int(user) % 3 else {"userName": f"u{user}"})

    found = ask(scim, *(str(n) for n in range(30)))

    assert [asker.email for asker in found[::3]] == [f"u{n}" for n in range(0, 30, 3)]
    assert sum(scim.calls.values()) == 30


def test_failures_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    ask(FakeScim(lambda _: failure(PermissionDeniedError)), *(str(n) for n in range(50)))

    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("user", "email"),
    [
        ({"userName": "ana@example.com"}, "ana@example.com"),
        ({"userName": "", "emails": [{"value": "bo@example.com"}]}, "bo@example.com"),
        ({"userName": 7, "emails": [None, {"value": ""}, {"value": "cy@example.com"}]}, "cy@example.com"),
        ({"userName": "\ud800@example.com"}, r"\ud800@example.com"),
        ({"emails": {"value": "no list"}}, None),
        ({}, None),
    ],
)
def test_email_of_a_user_comes_from_its_name_or_its_addresses(user: dict[str, Any], email: str | None) -> None:
    drift = DriftCounter()
    users = UserDirectory(cast("GenieApi", FakeScim({"7": user})), {}, drift)

    assert asyncio.run(users.find("7")) == Asker(email=email)
    assert bool(drift.lines()) == (email is None)
