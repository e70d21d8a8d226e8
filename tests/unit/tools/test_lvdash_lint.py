"""Each rule of the linter finds what it is for, and a sound dashboard passes."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from tools.lvdash_lint import lint, main

Json = dict[str, Any]
DEFAULT = {"values": {"dataType": "INTEGER", "values": [{"value": "30"}]}}
SOUND: Json = {
    "datasets": [
        {
            "name": "ds",
            "queryLines": [
                "SELECT status, COUNT(*) AS n\n",
                "FROM message_details\n",
                "WHERE 1 > :days\n",
                "GROUP BY 1",
            ],
            "parameters": [
                {"displayName": "days", "keyword": "days", "dataType": "INTEGER", "defaultSelection": DEFAULT}
            ],
        },
        {"name": "options", "queryLines": ["SELECT 7 AS days\n"]},
    ],
    "pages": [
        {
            "name": "p1",
            "displayName": "Page",
            "pageType": "PAGE_TYPE_CANVAS",
            "layoutVersion": "GRID_V1",
            "layout": [
                {
                    "position": {"x": 0, "y": 0, "width": 6, "height": 6},
                    "widget": {
                        "name": "chart",
                        "queries": [
                            {
                                "name": "main_query",
                                "query": {
                                    "datasetName": "ds",
                                    "fields": [
                                        {"name": "status", "expression": "`status`"},
                                        {"name": "n", "expression": "`n`"},
                                    ],
                                    "disaggregated": True,
                                },
                            }
                        ],
                        "spec": {
                            "version": 3,
                            "widgetType": "bar",
                            "encodings": {
                                "x": {"fieldName": "status", "scale": {"type": "categorical"}},
                                "y": {"fieldName": "n", "scale": {"type": "quantitative"}},
                            },
                        },
                    },
                },
                {
                    "position": {"x": 6, "y": 0, "width": 6, "height": 2},
                    "widget": {"name": "words", "multilineTextboxSpec": {"lines": ["# Title\n"]}},
                },
                {
                    "position": {"x": 6, "y": 2, "width": 6, "height": 2},
                    "widget": {
                        "name": "filter",
                        "queries": [
                            {
                                "name": "q0",
                                "query": {
                                    "datasetName": "options",
                                    "fields": [{"name": "days", "expression": "`days`"}],
                                    "disaggregated": False,
                                },
                            },
                            {
                                "name": "q1",
                                "query": {
                                    "datasetName": "ds",
                                    "parameters": [{"name": "days", "keyword": "days"}],
                                    "disaggregated": False,
                                },
                            },
                        ],
                        "spec": {
                            "version": 2,
                            "widgetType": "filter-single-select",
                            "disallowAll": True,
                            "selection": {"defaultSelection": DEFAULT},
                            "encodings": {
                                "fields": [
                                    {"fieldName": "days", "queryName": "q0"},
                                    {"parameterName": "days", "queryName": "q1"},
                                ]
                            },
                        },
                    },
                },
            ],
        }
    ],
}
VEGA = {
    "version": 1,
    "widgetType": "custom-vega-viz",
    "encodings": {"fields": [{"fieldName": "status"}]},
    "jsonSpec": {"spec": json.dumps({"data": {"name": "other"}, "encoding": {"x": {"field": "n"}}})},
}
COLUMNS = {"ds": {"status": "string", "n": "bigint"}, "options": {"days": "int"}}

# (where to put what, part of the message); a path of keys, the last one is set, or deleted for "DELETE".
BROKEN: list[tuple[tuple[str | int, ...], Any, str]] = [
    (("datasets", 1, "name"), "ds", "occurs 2 times"),
    (("datasets", 1, "name"), "a b", "letters, digits"),
    (("pages", 0, "pageType"), "DELETE", "pageType"),
    (("pages", 0, "layoutVersion"), "DELETE", "6-column"),
    (("pages", 0, "layout", 0, "position", "width"), 13, "outside the grid"),
    (("pages", 0, "layout", 0, "position", "width"), 7, "overlaps"),
    (("pages", 0, "layout", 0, "position", "width"), "6", "whole numbers"),
    (("pages", 0, "layout", 0, "widget", "queries", 0, "name"), "other", "main_query"),
    (("pages", 0, "layout", 0, "widget", "queries", 0, "query", "datasetName"), "gone", "does not exist"),
    (("pages", 0, "layout", 0, "widget", "queries", 0, "query", "disaggregated"), "DELETE", "disaggregated"),
    (("pages", 0, "layout", 0, "widget", "queries", 0, "query", "parameters"), [], "only filters may"),
    (("pages", 0, "layout", 0, "widget", "spec", "encodings", "x", "fieldName"), "gone", "not a field"),
    (("pages", 0, "layout", 0, "widget", "spec", "version"), 2, "must be version 3"),
    (("pages", 0, "layout", 0, "widget", "spec", "widgetType"), "word-cloud", "unknown widgetType"),
    (("pages", 0, "layout", 0, "widget", "spec", "encodings", "x", "scale", "type"), "quantitative", "is string"),
    (("pages", 0, "layout", 0, "widget", "queries", 0, "query", "fields", 1, "expression"), "`gone`", "not a column"),
    (("pages", 0, "layout", 0, "widget", "spec"), VEGA, "databricks_query"),
    (("pages", 0, "layout", 0, "widget", "spec"), VEGA, "not listed"),
    (("pages", 0, "layout", 1, "widget", "multilineTextboxSpec", "lines"), ["${var.x}"], "substituted"),
    (("pages", 0, "layout", 1, "widget", "multilineTextboxSpec", "lines"), ["{{ x }}"], "template"),
    (("pages", 0, "layout", 1, "widget", "multilineTextboxSpec"), "DELETE", "neither spec nor text"),
    (("pages", 0, "layout", 2, "widget", "spec", "encodings", "fields", 1, "queryName"), "gone", "does not exist"),
    (("pages", 0, "layout", 2, "widget", "spec", "encodings", "fields", 1, "queryName"), "q0", "not used"),
    (("pages", 0, "layout", 2, "widget", "spec", "disallowAll"), "DELETE", "disallowAll"),
    (("pages", 0, "layout", 2, "widget", "spec", "widgetType"), "filter-multi-select", "complexType"),
    (("pages", 0, "layout", 2, "widget", "spec", "selection", "defaultSelection"), {}, "defaults"),
    (("pages", 0, "layout", 2, "widget", "queries", 1, "query", "datasetName"), "options", "no filter sets"),
    (("datasets", 0, "query"), "SELECT 1", "old form"),
    (("datasets", 0, "queryLines", 0), "SELECT 1", "newline"),
    (("datasets", 0, "queryLines", 1), "FROM main.genie_analytics.message_details\n", "qualified"),
    (("datasets", 0, "queryLines", 1), "FROM message_details; SELECT 1\n", "more than one statement"),
    (("datasets", 0, "queryLines", 2), "WHERE 1 > :other\n", "not declared"),
    (("datasets", 0, "parameters", 0, "defaultSelection"), {"values": {"values": [{"value": 30}]}}, "must be a string"),
]


def test_sound_dashboard_has_no_problem() -> None:
    assert lint(SOUND, COLUMNS) == []


@pytest.mark.parametrize(("path", "value", "message"), BROKEN)
def test_problem_is_found(path: tuple[str | int, ...], value: Any, message: str) -> None:
    dashboard: Any = copy.deepcopy(SOUND)
    node = dashboard
    for key in path[:-1]:
        node = node[key]
    if value == "DELETE":
        del node[path[-1]]
    else:
        node[path[-1]] = value
    assert any(message in problem for problem in lint(dashboard, COLUMNS)), lint(dashboard, COLUMNS)


def test_marker_in_a_string_or_comment_is_no_parameter() -> None:
    dashboard = copy.deepcopy(SOUND)
    dashboard["datasets"][1]["queryLines"] = [
        "-- :a and main.x.message_details\n",
        "SELECT ':b;' AS days, `c:d` AS c\n",
    ]
    assert lint(dashboard) == []


def test_command_prints_problems_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.lvdash.json"
    file.write_text(json.dumps(SOUND))
    assert main([str(file)]) == 0
    file.write_text(json.dumps(SOUND | {"pages": SOUND["pages"] * 2}))
    assert main([str(file)]) == 1
    assert "occurs 2 times" in capsys.readouterr().out
