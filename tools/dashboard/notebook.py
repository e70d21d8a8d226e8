"""A Databricks notebook of SQL cells only, with the queries of the dashboard."""

from __future__ import annotations

from collections.abc import Iterable

from tools.dashboard.queries import Query

_SEPARATOR = "\n\n-- COMMAND ----------\n\n"
_INTRODUCTION = """# Genie observability

The queries of the dashboard, one cell each, generated from `sql/genie_observability_queries.sql`: change them there.

Run the next two cells first: they say where the tables are and make the two widgets.
Needs a SQL warehouse or Databricks Runtime 15.2 or newer.

* `workspace_id_filter`: `ALL`, or workspace ids separated by commas
* `days_lookback`: days back from today (UTC)"""
_LOCATION = """-- Where genie-obs keeps its tables; change both names if yours are elsewhere.
USE CATALOG main;
USE SCHEMA genie_analytics;"""
_WIDGETS = """CREATE WIDGET TEXT workspace_id_filter DEFAULT 'ALL';
CREATE WIDGET TEXT days_lookback DEFAULT '30';"""


def build_notebook(queries: Iterable[Query]) -> str:
    """Return the notebook in Databricks source format; the same queries give the same text."""
    cells = [_markdown(_INTRODUCTION), _LOCATION, _WIDGETS]
    section = ""
    for query in queries:
        if query.section != section:
            section = query.section
            cells.append(_markdown(f"## {section}"))
        cells.append(_markdown(f"### {query.title}\n\n{query.answers}\n\n`{query.query_id}`: {query.grain}"))
        cells.append(_notebook_sql(query))
    return "-- Databricks notebook source\n" + _SEPARATOR.join(cells) + "\n"


def _notebook_sql(query: Query) -> str:
    # A widget is text; dates are counted back by a number.
    return query.sql.replace(":days_lookback", "CAST(:days_lookback AS INT)") + ";"


def _markdown(content: str) -> str:
    lines = ["%md", *content.splitlines()]
    return "\n".join(f"-- MAGIC {line}".rstrip() for line in lines)
