"""Cutting SQL into tokens, so that text in strings, comments and quoted names is never mistaken for SQL."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?\*/)
      | (?P<string>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")
      | (?P<quoted>`(?:[^`]|``)*`)
      | (?P<marker>(?<![:\w\])`'"]):[A-Za-z_]\w*(?:\.(?:min|max)\b)?)
      | (?P<word>[A-Za-z_]\w*)
      | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
      | (?P<space>\s+)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Token:
    """A piece of SQL; the texts of all tokens joined are the statement."""

    kind: str  # comment, string, quoted, marker, word, number, space or other
    text: str


def tokens(sql: str) -> list[Token]:
    """Return the tokens of a statement or expression."""
    return [Token(match.lastgroup or "other", match.group()) for match in _TOKEN.finditer(sql)]


def join(pieces: list[Token]) -> str:
    """Return the SQL the tokens make."""
    return "".join(token.text for token in pieces)


def quoted(name: str) -> str:
    """Return any name as a quoted identifier."""
    return "`" + name.replace("`", "``") + "`"


def unquoted(name: str) -> str:
    """Return the name inside a quoted identifier."""
    return name[1:-1].replace("``", "`")


def without_end(sql: str) -> str:
    """Return a statement without closing semicolons, blanks and comments, fit for parentheses.

    A line comment at the end stays harmless: callers close the parenthesis on a new line.
    """
    pieces = tokens(sql)
    while pieces and (pieces[-1].kind in {"space", "comment"} or pieces[-1].text == ";"):
        pieces.pop()
    return join(pieces)
