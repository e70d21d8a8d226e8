"""Tokens of SQL: every character is kept, and text in strings, comments and quoted names is never taken for SQL."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genie_obs.lakehouse.sql_tokens import join, quoted, tokens, unquoted, without_end

QUOTES = st.text(alphabet="'\"`\\rR/*-:. \nap1é", max_size=60)


@given(st.text() | QUOTES)
def test_no_character_is_lost(sql: str) -> None:
    assert join(tokens(sql)) == sql


@pytest.mark.parametrize(
    ("sql", "kinds"),
    [
        ("'it''s :p'", ["string"]),
        (r"'it\'s :p'", ["string"]),
        ('"say ""x"" :p"', ["string"]),
        (r"r'\':p", ["string", "other", "word"]),
        (r'R"\"', ["string"]),
        ("bar'x'", ["word", "string"]),
        ("`a``b:p`", ["quoted"]),
        ("-- it's\n1", ["comment", "space", "number"]),
        ("/* ' \n */1.5e-3", ["comment", "number"]),
        ("(:p", ["other", "marker"]),
        ("é1", ["word"]),
        (":p.min", ["marker", "other", "word"]),
    ],
)  # fmt: skip
def test_pieces_are_told_apart(sql: str, kinds: list[str]) -> None:
    assert [token.kind for token in tokens(sql)] == kinds


@pytest.mark.parametrize("sql", ["x::int", "a:b", "a[1]:b", "f(a):b", "`a`:b", "'a':b"])
def test_casts_and_paths_are_no_markers(sql: str) -> None:
    assert "marker" not in [token.kind for token in tokens(sql)]


@pytest.mark.parametrize("start", ["'", '"', "`", "/*"])
def test_what_is_not_closed_is_one_piece_to_the_end(start: str) -> None:
    assert [token.text for token in tokens(f"a{start}b :p -- c")] == ["a", f"{start}b :p -- c"]


@pytest.mark.timeout(20)  # a search from every quote to the end takes hours
@pytest.mark.parametrize("piece", ["/* ", "'\\", '"\\', "`a", "'a", "''", "r'\\", "--", ":"])
def test_hostile_sql_is_cut_in_time(piece: str) -> None:
    assert tokens(piece * 200_001)


def test_closing_semicolons_and_comments_are_dropped() -> None:
    assert without_end("SELECT 1 -- a;\n ; ; -- end") == "SELECT 1"


@given(st.text())
def test_any_name_can_be_quoted_and_back(name: str) -> None:
    assert [(token.kind, unquoted(token.text)) for token in tokens(quoted(name))] == [("quoted", name)]
