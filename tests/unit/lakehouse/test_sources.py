"""System tables that are not as declared: what is read instead, and what is said."""

from __future__ import annotations

import pytest

from genie_obs.lakehouse.sources import AUDIT, QUERY_HISTORY, SOURCES, WORKSPACES, Source, check_source


def as_declared(source: Source) -> dict[str, str]:
    found = {column.path: column.sql_type for column in source.columns}
    return found | {column.parent: "struct<x>" for column in source.columns if column.leaf}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_table_as_declared_is_left_alone(source: Source) -> None:
    check = check_source(source, as_declared(source) | {"new_column": "string", "other": "variant"})

    assert (check.drift, check.problems) == ([], [])


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_column_is_either_required_or_missed_with_a_word(source: Source) -> None:
    for column in source.columns:
        check = check_source(source, {path: kind for path, kind in as_declared(source).items() if path != column.path})
        assert (check.problems == [f"{column.path} is missing"]) == column.is_required
        assert [line.partition(": ")[0] for line in check.drift] == (
            [] if column.is_required else [f"system.{source.name}.{column.path}"]
        )


def test_missing_columns_become_null_or_what_stands_for_them() -> None:
    found = as_declared(AUDIT)
    for path in ("event_date", "user_agent", "response.status_code"):
        del found[path]

    check = check_source(AUDIT, found)

    assert check.drift == [
        "system.access.audit.event_date: missing, event_time instead",
        "system.access.audit.user_agent: missing",
        "system.access.audit.response.status_code: missing",
    ]
    assert "CAST(event_time AS date) AS event_date" in check.expressions
    assert "CAST(NULL AS string) AS user_agent" in check.expressions
    response = (
        "named_struct('status_code', CAST(NULL AS int), 'error_message', response.error_message, "
        "'result', response.result) AS response"
    )
    assert response in check.expressions


@pytest.mark.parametrize(
    ("source", "path", "kind", "expression"),
    [
        (WORKSPACES, "workspace_id", "bigint", "CAST(workspace_id AS STRING)"),
        (WORKSPACES, "workspace_name", "struct<a:string>", "to_json(workspace_name)"),
        (WORKSPACES, "workspace_name", "variant", "to_json(workspace_name)"),
        (QUERY_HISTORY, "read_rows", "string", "try_cast(read_rows AS bigint)"),
        (QUERY_HISTORY, "read_rows", "double", "CAST(NULL AS bigint)"),
        (QUERY_HISTORY, "start_time", "timestamp_ntz", "try_cast(start_time AS timestamp)"),
        (QUERY_HISTORY, "from_result_cache", "string", "try_cast(from_result_cache AS boolean)"),
        (AUDIT, "event_date", "string", "try_cast(event_date AS date)"),
        (AUDIT, "request_params", "string", "from_json(request_params, 'map<string,string>')"),
        (AUDIT, "request_params", "struct<a:string>", "from_json(to_json(request_params), 'map<string,string>')"),
        (AUDIT, "request_params", "map<string,variant>", "from_json(to_json(request_params), 'map<string,string>')"),
    ],
)
def test_another_type_is_converted_and_named(source: Source, path: str, kind: str, expression: str) -> None:
    check = check_source(source, as_declared(source) | {path: kind})

    [line] = check.drift
    assert line.startswith(f"system.{source.name}.{path}: expected ")
    assert check.problems == []
    assert f"{expression} AS {path}" in check.expressions


@pytest.mark.parametrize(
    ("source", "path", "kind"),
    [
        (AUDIT, "event_time", "bigint"),
        (AUDIT, "request_params", "array<string>"),
        (QUERY_HISTORY, "start_time", "bigint"),
    ],
)
def test_a_required_column_of_a_type_that_says_nothing_is_a_problem(source: Source, path: str, kind: str) -> None:
    check = check_source(source, as_declared(source) | {path: kind})

    assert check.problems == [f"{path} is of type {kind.partition('<')[0]}, not {as_declared(source)[path]}"]


@pytest.mark.parametrize(
    ("kind", "expression"),
    [
        ("string", "get_json_object(response, '$.result')"),
        ("map<string,string>", "response['result']"),
        ("map<string,bigint>", "CAST(response['result'] AS STRING)"),
    ],
)
def test_struct_that_became_json_or_a_map_is_looked_into(kind: str, expression: str) -> None:
    found = {path: type_ for path, type_ in as_declared(AUDIT).items() if not path.startswith("response")}

    check = check_source(AUDIT, found | {"response": kind})

    assert check.problems == []
    assert any(f"'result', {expression}) AS response" in text for text in check.expressions)
