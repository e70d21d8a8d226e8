"""MERGE and erasure as they are made from a declaration: two made-up tables with every kind of column, rows in and rows out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from tests.sql.statements.lake import DAY, HOUR, NOON, TODAY, Lake, Row, details_row, ledger_row

from genie_obs.erasure.erase import run_erase
from genie_obs.erasure.selector import Extent, Selector
from genie_obs.lakehouse.schema import table
from genie_obs.lakehouse.statements import declarations

FOLDER = Path(__file__).parent / "made_up"
LATER = NOON + HOUR
NOT_KEPT = "[not kept]"
OLD: Row = {
    "workspace_id": "1",
    "message_id": "m1",
    "written_date": TODAY,
    "author": "ana@example.com",
    "note": "a note",
    "labels": ["a label"],
    "detail": '{"a": 1}',
    "mood": "GLAD",
    "place": "here",
    "tags": ["a tag"],
    "stage": "first",
    "seen_at": NOON,
    "first_seen_at": NOON,
    "joined_id": "j1",
    "joined_name": "a name",
    "fault": "a fault",
    "best": 5,
    "content_policy": "full",
}
SEEN = {"seen_at": LATER}
JOINED_AWAY = {"joined_name": None, "fault": None}
ERASED = {"note": NOT_KEPT, "labels": [], "detail": "{}", "fault": NOT_KEPT, "content_policy": "erased"}

# What differs in the stored row, in the newer row, and then in the stored row; the newer one is like `OLD`, an hour later.
CASES: dict[str, tuple[Row, Row, Row]] = {
    "quiet: a difference in it alone is not written": ({}, {}, {}),
    "quiet: with another difference it is": ({}, {"stage": "second"}, {"stage": "second", **SEEN}),
    "keep: nothing does not replace a value": ({}, {"place": None, "author": None, "mood": None, "joined_id": None}, {}),
    "keep: a value replaces nothing": ({"place": None}, {}, {"place": "here", **SEEN}),
    "keep: a value replaces another": ({}, {"place": "there"}, {"place": "there", **SEEN}),
    "list: an empty one does not replace another": ({}, {"labels": [], "tags": []}, {}),
    "list: another one does": ({}, {"labels": ["b"], "tags": ["c"]}, {"labels": ["b"], "tags": ["c"], **SEEN}),
    "newest: nothing replaces a value": ({}, {"stage": None}, {"stage": None, **SEEN}),
    "once: it never changes": ({}, {"first_seen_at": LATER}, {}),
    "once: nothing is not filled either": ({"first_seen_at": None}, {}, {}),
    "text: nothing does not replace it": ({}, {"note": None, "detail": None, "labels": None}, {}),
    "text: another one does": ({}, {"note": "b", "detail": "[]"}, {"note": "b", "detail": "[]", **SEEN}),
    "text: of another policy replaces it": (
        {},
        {"note": NOT_KEPT, "detail": "{}", "content_policy": "metrics_only"},
        {"note": NOT_KEPT, "detail": "{}", "fault": NOT_KEPT, "content_policy": "metrics_only", **SEEN},
    ),
    "text: nothing of another policy replaces it too": (
        {},
        {"note": None, "detail": None, "labels": None, "content_policy": "redacted"},
        {"note": None, "detail": None, "labels": None, "fault": NOT_KEPT, "content_policy": "redacted", **SEEN},
    ),
    "text: an empty list of another policy replaces it too": (
        {},
        {"labels": [], "content_policy": "redacted"},
        {"labels": [], "fault": NOT_KEPT, "content_policy": "redacted", **SEEN},
    ),
    "text: where no policy is noted it was full": ({"content_policy": None}, {"note": None}, {"content_policy": "full", **SEEN}),
    "text: where no policy is noted a stricter one replaces it": (
        {"content_policy": None},
        {"note": None, "content_policy": "hashed"},
        {"note": None, "fault": NOT_KEPT, "content_policy": "hashed", **SEEN},
    ),
    "text: a row without a policy is taken as one of the same": (
        {"content_policy": "redacted"},
        {"note": None, "place": "there", "content_policy": None},
        {"place": "there", **SEEN},
    ),
    "text: what was erased never comes back, all else goes on": (
        ERASED,
        {"note": "b", "labels": ["b"], "detail": "[]", "stage": "second", "content_policy": "full"},
        {"stage": "second", **SEEN},
    ),
    "text: what was erased is no change": (ERASED, {"note": "b", "content_policy": "redacted"}, {}),
    "joined: it stays as it is whatever the newer row says": ({}, {"joined_name": "b", "fault": "b"}, {}),
    "joined: it is emptied with what it describes": ({}, {"joined_id": "j2"}, {"joined_id": "j2", **JOINED_AWAY, **SEEN}),
    "joined text: under a stricter policy it is not kept": (
        {},
        {"content_policy": "redacted"},
        {"fault": NOT_KEPT, "content_policy": "redacted", **SEEN},
    ),
    "joined text: full again, what is left of it stays": (
        {"fault": NOT_KEPT, "content_policy": "redacted"},
        {"content_policy": "full"},
        {"content_policy": "full", **SEEN},
    ),
    "joined text: where there is none there is none under any policy": (
        {"fault": None},
        {"content_policy": "redacted"},
        {"content_policy": "redacted", **SEEN},
    ),
    "rule: it decides": ({}, {"best": 9}, {"best": 9, **SEEN}),
    "rule: it may decide that nothing changes": ({}, {"best": 1}, {}),
    "update if: an older row changes nothing": ({}, {"stage": "second", "seen_at": NOON - HOUR}, {}),
    "update if: its parameters are bound": ({"seen_at": NOON + 9 * DAY}, {"stage": "second"}, {"stage": "second", **SEEN}),
}  # fmt: skip
OTHER_DAY = TODAY - DAY


class Shelf:
    """The made-up tables on the local engine."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake

    def merge(self, *rows: Row, expect_new: bool = False) -> int:
        schema = table("notes").arrow_schema().append(pa.field("is_gone", pa.bool_()))
        filled = pa.Table.from_pylist([{"is_gone": False, **row} for row in rows], schema)
        return self.lake.tables.merge("notes", filled, expect_new=expect_new, latest_at=NOON + DAY)

    def notes(self) -> list[Row]:
        return sorted(self.lake.read("notes"), key=lambda row: (row["message_id"], row["written_date"]))


@pytest.fixture(scope="module")
def _shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    with pytest.MonkeyPatch.context() as patch:
        for file in FOLDER.glob("*.sql"):
            patch.setitem(declarations(), file.stem, str(file.with_suffix("")))
        lake = Lake(tmp_path_factory.mktemp("declared"))
        yield Shelf(lake)
        lake.close()


@pytest.fixture
def shelf(_shelf: Shelf) -> Shelf:
    _shelf.lake.clear()
    return _shelf


@pytest.fixture(scope="module")
def merged(_shelf: Shelf) -> dict[str, Row]:
    """Merge all cases at once and return the row of each."""
    names = list(CASES)
    _shelf.lake.fill("notes", *({**OLD, **CASES[name][0], "message_id": name} for name in names))
    _shelf.merge(*({**OLD, **SEEN, **CASES[name][1], "message_id": name} for name in names))
    return {row["message_id"]: row for row in _shelf.notes()}


@pytest.mark.parametrize("name", CASES)
def test_newer_row_changes_the_stored_one_as_the_declaration_says(merged: dict[str, Row], name: str) -> None:
    before, _, changes = CASES[name]

    assert merged[name] == {**OLD, **before, "message_id": name, **changes}


def test_nothing_is_written_where_no_row_changes(shelf: Shelf) -> None:
    shelf.lake.fill("notes", OLD)
    version = shelf.lake.version("notes")

    shelf.merge({**OLD, **SEEN})

    assert shelf.lake.version("notes") == version


def test_new_row_is_inserted_as_it_is_with_what_is_joined_unless_the_declaration_says_otherwise(shelf: Shelf) -> None:
    shelf.merge(OLD, {**OLD, "message_id": "gone", "is_gone": True})

    assert shelf.notes() == [OLD]


def test_row_is_found_by_its_whole_key(shelf: Shelf) -> None:
    stored = [OLD, {**OLD, "written_date": OTHER_DAY}, {**OLD, "workspace_id": "2"}]
    shelf.lake.fill("notes", *stored)

    shelf.merge({**OLD, **SEEN, "written_date": OTHER_DAY, "stage": "second"}, {**OLD, "message_id": "m2"})

    assert shelf.notes() == [
        {**OLD, **SEEN, "written_date": OTHER_DAY, "stage": "second"},
        *(row for row in shelf.lake.read("notes") if row["written_date"] == TODAY and row["message_id"] == "m1"),
        {**OLD, "message_id": "m2"},
    ]
    assert len(shelf.notes()) == 4


def test_rows_that_are_expected_to_be_new_are_inserted_and_those_that_are_there_are_merged(shelf: Shelf) -> None:
    shelf.lake.fill("notes", OLD)

    assert shelf.merge({**OLD, **SEEN, "best": 9}, {**OLD, "message_id": "m2"}, expect_new=True) == 1
    assert [(row["message_id"], row["best"]) for row in shelf.notes()] == [("m1", 9), ("m2", 5)]


def test_columns_that_the_rows_lack_are_nothing(shelf: Shelf) -> None:
    few = {name: OLD[name] for name in ("workspace_id", "message_id", "written_date", "stage", "seen_at")}
    schema = table("notes").arrow_schema(*few).append(pa.field("is_gone", pa.bool_()))

    rows = pa.Table.from_pylist([{**few, "is_gone": False}], schema)
    shelf.lake.tables.merge("notes", rows, latest_at=NOON)

    assert shelf.notes() == [{**dict.fromkeys(OLD), **few}]


# -- erasure -------------------------------------------------------------------------------------------------------------

AUTHOR: Row = {
    "author_id": "a1", "email": "Ana@Example.com", "boss": "bob@example.com", "about": "all of it", "labels": ["a", "b"],
    "content_policy": "full",
}  # fmt: skip


def erase(shelf: Shelf, extent: Extent, **selector: str) -> None:
    run_erase(shelf.lake.tables, Selector(**selector), extent, now=lambda: LATER)  # type: ignore[arg-type]


def fill_messages(shelf: Shelf, *notes: Row) -> None:
    shelf.lake.fill("message_ledger", ledger_row())
    shelf.lake.fill("message_details", details_row())
    shelf.lake.fill("notes", *(notes or (OLD,)))


@pytest.mark.parametrize(
    ("extent", "author"), [(Extent.TEXTS, "ana@example.com"), (Extent.TEXTS_AND_ASKER, None)], ids=str
)
def test_texts_go_with_their_message_and_the_person_where_that_is_asked_for(
    shelf: Shelf, extent: Extent, author: str | None
) -> None:
    other = {**OLD, "message_id": "m2"}
    fill_messages(shelf, OLD, other)

    erase(shelf, extent, space_id="s1")

    assert shelf.notes() == [{**OLD, **ERASED, "author": author}, other]


def test_whole_row_goes_with_its_message(shelf: Shelf) -> None:
    fill_messages(shelf)

    erase(shelf, Extent.ROW, space_id="s1")

    assert shelf.notes() == []


def test_nothing_is_not_said_to_have_been_and_words_that_are_none_go(shelf: Shelf) -> None:
    nothing: Row = {"note": None, "labels": None, "detail": None, "fault": None}
    fill_messages(shelf, {**OLD, **nothing, "mood": "quite glad, thank you"})

    erase(shelf, Extent.TEXTS, space_id="s1")

    assert shelf.notes() == [{**OLD, **nothing, "mood": NOT_KEPT, "content_policy": "erased"}]


def test_person_goes_from_rows_about_people_under_every_name_they_have(shelf: Shelf) -> None:
    fill_messages(shelf)  # their message says that the address belongs to the id 77
    by_id, boss = (
        {**AUTHOR, "author_id": "a2", "email": "77"},
        {**AUTHOR, "author_id": "a3", "email": "x", "boss": "77"},
    )
    other = {**AUTHOR, "author_id": "a4", "email": "bob@example.com"}
    shelf.lake.fill("authors", AUTHOR, by_id, boss, other)

    erase(shelf, Extent.TEXTS_AND_ASKER, user="ana@example.com")

    gone = {"about": NOT_KEPT, "labels": [], "content_policy": "erased"}
    authors = sorted(shelf.lake.read("authors"), key=lambda row: str(row["author_id"]))
    assert authors == [
        {**AUTHOR, **gone, "email": None},
        {**by_id, **gone, "email": None},
        {**boss, **gone, "boss": None},
        other,
    ]


def test_person_stays_in_rows_about_people_where_only_some_of_their_messages_are_erased(shelf: Shelf) -> None:
    fill_messages(shelf)
    shelf.lake.fill("authors", AUTHOR)

    erase(shelf, Extent.TEXTS_AND_ASKER, user="ana@example.com", space_id="s1")

    assert shelf.lake.read("authors") == [AUTHOR]
