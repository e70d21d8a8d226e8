"""The dashboard's SQL file: split into headed queries, each with its contract."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
QUERY_FILE = ROOT / "sql" / "genie_observability_queries.sql"
VIEWS = ROOT / "sql" / "views"
HEADER_KEYS = ("query", "title", "answers", "grain", "reads", "params")

_START = re.compile(r"^-- query: ", re.MULTILINE)
_HEADER_LINE = re.compile(r"-- (\w+): +(.+)")
_SECTION_RULE = re.compile(r"^-- -{20,}$", re.MULTILINE)
_STRING_OR_COMMENT = re.compile(r"'(?:[^'\\]|\\.|'')*'|--[^\n]*|`[^`]*`")
_MARKER = re.compile(r"(?<![:\w]):([A-Za-z_]\w*)")


@dataclass(frozen=True, kw_only=True)
class Query:
    """One query of the file."""

    query_id: str
    section: str  # the part of the file it stands in, which is the page that shows it
    title: str
    answers: str
    grain: str
    reads: tuple[str, ...]
    sql: str  # one statement, without header and semicolon; the views it reads are written out before it

    @property
    def parameters(self) -> tuple[str, ...]:
        """Return the names of the parameters the statement takes, in alphabetical order."""
        return tuple(sorted(set(_MARKER.findall(_STRING_OR_COMMENT.sub("", self.sql)))))


def load_queries(path: Path = QUERY_FILE) -> dict[str, Query]:
    """Return the queries of the file by id, in the order of the file.

    Raises:
        ValueError: if a header is incomplete, an id occurs twice, or a block is not one statement ending in a semicolon.
    """
    text = path.read_text(encoding="utf-8")
    starts = [match.start() for match in _START.finditer(text)]
    queries: dict[str, Query] = {}
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        query = _parse_block(text[start:end], _section_at(text, start))
        if query.query_id in queries:
            raise ValueError(f"query {query.query_id} occurs twice in {path.name}; rename one")
        queries[query.query_id] = query
    return queries


def _parse_block(block: str, section: str) -> Query:
    # What follows the semicolon up to the next query is the heading of the next section.
    block = _SECTION_RULE.split(block)[0].strip()
    lines = block.splitlines()
    header: dict[str, str] = {}
    while lines and (match := _HEADER_LINE.fullmatch(lines[0].rstrip())) and match[1] in HEADER_KEYS:
        header[match[1]] = match[2].strip()
        lines.pop(0)
    if tuple(header) != HEADER_KEYS:
        found = ", ".join(header) or "none"
        raise ValueError(
            f"query {header.get('query')}: header lines are {found}; write {', '.join(HEADER_KEYS)}, in this order"
        )
    sql = "\n".join(lines).strip()
    if not sql.endswith(";"):
        raise ValueError(f"query {header['query']}: end the statement with a semicolon")
    if ";" in _STRING_OR_COMMENT.sub("", sql[:-1]):
        raise ValueError(f"query {header['query']}: more than one statement; make one block of each")
    named = () if header["reads"] == "none" else tuple(name.strip() for name in header["reads"].split(","))
    views = [name for name in named if (VIEWS / f"{name}.sql").is_file()]
    return Query(
        query_id=header["query"],
        section=section,
        title=header["title"],
        answers=header["answers"],
        grain=header["grain"],
        reads=tuple(name for name in named if name not in views),
        sql=_with_views(sql[:-1].rstrip(), views),
    )


def _with_views(sql: str, views: list[str]) -> str:
    """Return a statement with the views it reads as its first common table expressions, so that it runs where they do not exist."""
    if not views:
        return sql
    written = ",\n".join(f"{name} AS (\n{_body_of(name)}\n)" for name in views)
    rest = sql.removeprefix("WITH ")
    return f"WITH {written},\n{rest}" if rest != sql else f"WITH {written}\n{sql}"


def _body_of(view: str) -> str:
    _, _, body = (VIEWS / f"{view}.sql").read_text(encoding="utf-8").partition(f"CREATE OR REPLACE VIEW {view} AS\n")
    return "\n".join(f"  {line}" for line in body.strip().removesuffix(";").splitlines())


def _section_at(text: str, position: int) -> str:
    rules = [match.end() for match in _SECTION_RULE.finditer(text, 0, position)]
    # A heading is two lines of hyphens with the name between them.
    heading = text[rules[-2] : rules[-1]].splitlines()[1] if len(rules) > 1 else "--"
    return heading.removeprefix("--").strip()
