"""The declared tables, as Python sees them."""

from __future__ import annotations

from dataclasses import fields

import pyarrow as pa
import pytest

from genie_obs.lakehouse.schema import table, tables
from genie_obs.lakehouse.statements import our_tables
from genie_obs.runs.record import RunRecord

ALL = tables()


def test_there_are_exactly_our_tables() -> None:
    assert tuple(declared.name for declared in ALL) == our_tables()


@pytest.mark.parametrize("name", our_tables())
def test_no_line_of_a_declaration_is_overlooked(name: str) -> None:
    declared = table(name)
    lines = [line for line in declared.ddl.splitlines() if line.startswith("  ")]

    assert [column.name for column in declared.columns] == [line.split()[0] for line in lines]
    assert len({column.name for column in declared.columns}) == len(lines)
    assert all(column.comment.strip() for column in declared.columns)


@pytest.mark.parametrize("name", our_tables())
def test_layout_names_declared_columns(name: str) -> None:
    declared = table(name)
    names = {column.name for column in declared.columns}

    assert set(declared.cluster_by) | set(declared.partition_by) <= names
    assert 0 < len(declared.cluster_by) <= 4  # Databricks takes no more clustering keys


@pytest.mark.parametrize("name", our_tables())
def test_declaration_leaves_the_layout_to_the_engine(name: str) -> None:
    lines = [line for line in table(name).ddl.upper().splitlines() if not line.startswith("--")]

    assert not any(word in "\n".join(lines) for word in ("PARTITIONED BY", "CLUSTER BY", "LOCATION"))


@pytest.mark.parametrize("name", our_tables())
def test_clustering_columns_are_among_those_with_statistics(name: str) -> None:
    names = [column.name for column in table(name).columns]

    assert max(names.index(column) for column in table(name).cluster_by) < 32


def test_arrow_types_are_those_of_the_columns() -> None:
    schema = table("message_details").arrow_schema(
        "content", "created_at", "statement_ids", "attachments_count", "is_deleted"
    )

    assert dict(zip(schema.names, schema.types, strict=True)) == {
        "content": pa.string(),
        "created_at": pa.timestamp("us", tz="UTC"),
        "statement_ids": pa.list_(pa.string()),
        "attachments_count": pa.int32(),
        "is_deleted": pa.bool_(),
    }


def test_arrow_schema_without_names_has_all_columns_in_order() -> None:
    for declared in ALL:
        assert declared.arrow_schema().names == [column.name for column in declared.columns]


def test_run_record_has_the_columns_of_its_table() -> None:
    assert {field.name for field in fields(RunRecord)} == set(table("ingestion_runs").arrow_schema().names)
