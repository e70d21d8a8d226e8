"""Cuts SQL into tokens, so that text in strings, comments and quoted names is never mistaken for SQL."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

Kind = Literal["comment", "string", "quoted", "marker", "word", "number", "space", "other"]

# As Databricks and Spark read them. A quote inside a string is doubled or has a backslash before it; a raw string (r'...') has neither.
# A colon after a name, a bracket or a colon is no marker: it is a path into JSON (`a:b`) or a cast (`a::INT`).
# A string or comment that is never closed is one token up to the end. Otherwise hostile SQL would be searched again from every quote.
_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?\*/)
      | (?P<string>(?<!\w)[rR](?:'[^']*'|"[^"]*")|'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")
      | (?P<quoted>`(?:[^`]|``)*`)
      | (?P<marker>(?<![:\w\])`'"]):[A-Za-z_]\w*)
      | (?P<word>[^\W\d]\w*)
      | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
      | (?P<space>\s+)
      | (?P<other>(?:['"`]|/\*).*|.)""",
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """A piece of SQL. The texts of all tokens of a statement, joined, are the statement."""

    kind: Kind
    text: str  # a marker with its colon, a string or quoted name with its quotes


def tokens(sql: str) -> list[Token]:
    """Return the tokens of a statement or expression; no character is lost."""
    return [Token(match.lastgroup, match.group()) for match in _TOKEN.finditer(sql)]  # type: ignore[arg-type]  # the groups are the kinds


def join(pieces: Iterable[Token]) -> str:
    """Return the SQL that tokens make."""
    return "".join(token.text for token in pieces)


def quoted(name: str) -> str:
    """Return any name as a quoted identifier."""
    return "`" + name.replace("`", "``") + "`"


def unquoted(name: str) -> str:
    """Return the name inside a quoted identifier."""
    return name[1:-1].replace("``", "`")


def without_end(sql: str) -> str:
    """Return a statement without the semicolons, blanks and comments at its end, so that it can stand in parentheses.

    A comment in its last line can remain. Write the closing parenthesis on a new line.
    """
    pieces = tokens(sql)
    while pieces and (pieces[-1].kind in {"space", "comment"} or pieces[-1].text == ";"):
        pieces.pop()
    return join(pieces)
