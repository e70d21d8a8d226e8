"""What a generated account is like."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from genie_obs.simulator import AccountSpec, SimulatedAccount, generate_account, message_body
from genie_obs.simulator.account.quirk import Quirk
from genie_obs.simulator.instants import NEVER_US, to_us
from genie_obs.simulator.rest_api.responses import dump
from genie_obs.simulator.system_tables.tables import audit_table, statements_table, workspaces_table

UNTIL = datetime(2026, 11, 20, 15, 7, tzinfo=UTC)
TERMINAL = {"COMPLETED", "FAILED", "CANCELLED", "QUERY_RESULT_EXPIRED"}


@pytest.fixture(scope="module")
def account() -> SimulatedAccount:
    return generate_account(AccountSpec(until=UNTIL))


@pytest.fixture(scope="module")
def clean_account() -> SimulatedAccount:
    return generate_account(AccountSpec(until=UNTIL, quirks=False, message_count=600, turns_per_conversation=5))


def test_same_spec_gives_the_same_tables_and_bodies(account: SimulatedAccount) -> None:
    again = generate_account(AccountSpec(until=UNTIL))
    assert audit_table(again).equals(audit_table(account))
    assert statements_table(again).equals(statements_table(account))
    assert workspaces_table(again).equals(workspaces_table(account))
    assert [dump(message_body(row)) for row in again.messages()] == [
        dump(message_body(row)) for row in account.messages()
    ]
    assert (again.client_id, again.client_secret) == (account.client_id, account.client_secret)


def test_another_seed_gives_another_account(account: SimulatedAccount) -> None:
    other = generate_account(AccountSpec(until=UNTIL, seed=8, message_count=50))
    assert other.account_id != account.account_id
    assert set(other.workspaces).isdisjoint(account.workspaces)


@pytest.mark.parametrize("count", [0, 1, 30, 150, 1_700])
def test_message_count_is_met_exactly_at_any_size(count: int) -> None:
    account = generate_account(AccountSpec(until=UNTIL, message_count=count, days=10))
    assert sum(1 for _ in account.messages()) == count


def test_all_history_lies_in_the_past_and_nothing_young_is_in_flight(account: SimulatedAccount) -> None:
    messages = list(account.messages())
    assert max(row.created_at for row in messages) <= UNTIL - timedelta(minutes=20)
    unfinished = [row for row in messages if row.stuck_status]
    assert len(unfinished) == 5
    assert all(row.created_at <= UNTIL - timedelta(days=3) for row in unfinished)
    assert all(row.is_settled for row in messages)


def test_every_row_is_visible_at_the_accounts_now(account: SimulatedAccount) -> None:
    now_us = to_us(UNTIL)
    assert all(event.visible_us <= now_us for event in account.audit.events)
    assert all(row.visible_us <= now_us or row.visible_us == NEVER_US for row in account.statements.by_id.values())


def test_exactly_one_space_is_hidden(account: SimulatedAccount) -> None:
    access = [space.access for workspace in account.workspaces.values() for space in workspace.spaces.values()]
    assert Counter(access) == {"manage": len(access) - 1, "hidden": 1}


def test_workspaces_are_reachable_and_accept_the_credentials(account: SimulatedAccount) -> None:
    assert all(row.reachable and row.accepts_credentials for row in account.workspaces.values())


def test_every_message_is_witnessed_by_the_audit_log(account: SimulatedAccount) -> None:
    assert all(row.audit_visible_at is not None for row in account.messages())


def test_audit_actions_of_both_surfaces_and_all_kinds_occur(account: SimulatedAccount) -> None:
    actions = {event.action for event in account.audit.events}
    for group in (
        {
            "createSpace",
            "cloneSpace",
            "genieCreateSpace",
            "trashSpace",
            "genieTrashSpace",
            "updateSpace",
            "genieUpdateSpace",
        },
        {
            "createConversation",
            "updateConversation",
            "deleteConversation",
            "listConversations",
            "genieListConversations",
        },
        {
            "createConversationMessage",
            "genieCreateConversationMessage",
            "genieStartConversationMessage",
            "cancelMessage",
        },
        {
            "regenerateConversationMessage",
            "deleteConversationMessage",
            "updateMessageAttachment",
            "updateConversationMessage",
        },
        {
            "getConversationMessage",
            "genieGetConversationMessage",
            "listGenieSpaceMessages",
            "listGenieSpaceUserMessages",
        },
        {"updateConversationMessageFeedback", "genieSendMessageFeedback", "createConversationMessageComment"},
        {"executeMessageAttachmentQuery", "genieExecuteMessageAttachmentQuery", "executeMessageQuery"},
        {"createEvaluationRun", "listEvaluationRuns", "startBenchmarkSuggestions"},
    ):
        assert group <= actions


def test_earlier_reads_of_the_observer_are_told_apart(account: SimulatedAccount) -> None:
    own = [event for event in account.audit.events if event.user is account.observer and event.user_agent]
    assert own
    assert all(str(event.user_agent).startswith("genie-obs/") for event in own)


def test_weekends_and_nights_are_quiet(account: SimulatedAccount) -> None:
    days = Counter(row.created_at.weekday() for row in account.messages())
    hours = Counter(row.created_at.hour for row in account.messages())
    assert days[1] > 4 * days[6]
    assert hours[9] > 10 * hours[2]


def test_use_grows_over_the_history(account: SimulatedAccount) -> None:
    middle = UNTIL - timedelta(days=45)
    late = sum(1 for row in account.messages() if row.created_at > middle)
    assert late > 0.55 * sum(1 for _ in account.messages())


def test_people_differ_from_power_user_to_one_timer(account: SimulatedAccount) -> None:
    asked = sorted(Counter(row.user_id for row in account.messages()).values())
    assert asked[-1] > 8 * asked[len(asked) // 2]
    assert asked[0] <= 3


def test_text_and_sql_are_diverse(account: SimulatedAccount) -> None:
    questions = {row.content for row in account.messages()}
    statements = {query.sql for row in account.messages() for query in row.queries}
    assert len(questions) > 1_000
    assert len(statements) > 1_000


@pytest.mark.parametrize("quirk", [quirk for quirk in Quirk if quirk is not Quirk.NONE])
def test_every_oddity_occurs(account: SimulatedAccount, quirk: Quirk) -> None:
    assert any(quirk in row.quirks for row in account.messages())


def test_outcomes_of_all_kinds_occur(account: SimulatedAccount) -> None:
    messages = list(account.messages())
    assert {row.status for row in messages} > TERMINAL | {"PAUSED_FOR_APPROVAL"}
    assert any(row.is_clarification for row in messages)
    assert any(len(row.statement_ids) > 1 for row in messages)
    assert {row.rating for row in messages} == {None, "POSITIVE", "NEGATIVE", "NONE"}
    assert len({row.error[0] for row in messages if row.error}) > 6
    assert any(len(row.content.encode()) > 190_000 for row in messages)
    assert any("\x00" in row.content for row in messages)
    assert any(row.deleted for row in messages)
    assert any(row.is_private for row in messages)


def test_one_message_id_occurs_in_two_workspaces(account: SimulatedAccount) -> None:
    counts = Counter(row.message_id for row in account.messages())
    assert max(counts.values()) == 2
    shared = [row for row in account.messages() if counts[row.message_id] == 2]
    assert len({row.workspace_id for row in shared}) == 2


def test_some_conversations_have_more_than_a_page_of_messages(account: SimulatedAccount) -> None:
    sizes = Counter((row.workspace_id, row.conversation_id) for row in account.messages())
    assert sum(1 for size in sizes.values() if size > 100) == 2


def test_clean_account_has_no_oddities(clean_account: SimulatedAccount) -> None:
    messages = list(clean_account.messages())
    assert len(messages) == 600
    assert all(not row.quirks and row.status in TERMINAL and not row.deleted and row.user_id for row in messages)
    spaces = [space for workspace in clean_account.workspaces.values() for space in workspace.spaces.values()]
    assert all(space.access == "manage" for space in spaces)
    assert all(event.copies == 1 for event in clean_account.audit.events)


def test_fixed_number_of_turns_is_kept(clean_account: SimulatedAccount) -> None:
    sizes = Counter(row.conversation_id for row in clean_account.messages())
    assert set(sizes.values()) == {5}


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"until": datetime(2026, 1, 1)}, "time zone"),  # noqa: DTZ001 - that is the mistake
        ({"message_count": -1}, "message_count"),
        ({"space_count": 1}, "space_count"),
        ({"turns_per_conversation": 0.5}, "turns_per_conversation"),
    ],
)
def test_impossible_specs_are_refused(values: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        AccountSpec(**{"until": UNTIL, **values})  # type: ignore[arg-type]  # values vary by case


def test_small_account_in_which_a_workspace_has_no_message_left_can_be_made() -> None:
    spec = AccountSpec(
        seed=139, message_count=11, workspace_count=2, space_count=3, user_count=6, days=20, until=datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
    )  # fmt: skip

    assert generate_account(spec).messages()
