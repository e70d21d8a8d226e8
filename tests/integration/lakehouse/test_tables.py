"""The table layer on the local engine: creating, upgrading, checking, colliding, and handing rows over."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from genie_obs.config import EngineSettings
from genie_obs.errors import ConfigError, SourceError
from genie_obs.lakehouse.engines.engine import open_engine
from genie_obs.lakehouse.schema import Column, Table, table, tables
from genie_obs.lakehouse.sources import AUDIT, State
from genie_obs.lakehouse.sql import Names
from genie_obs.lakehouse.tables import Tables
from genie_obs.runs.record import RunRecord

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DECLARED = {declared.name: declared for declared in tables()}
DELTA_TYPES = {
    "STRING": "string",
    "BIGINT": "long",
    "INT": "integer",
    "DOUBLE": "double",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
}


def delta_type(sql_type: str) -> object:
    """Return a type as the Delta log spells it."""
    if sql_type.startswith("ARRAY<"):
        return {"type": "array", "elementType": delta_type(sql_type[6:-1]), "containsNull": True}
    if sql_type.startswith("STRUCT<"):
        pairs = [field.split(": ") for field in sql_type[7:-1].split(", ")]
        fields = [{"name": name, "type": delta_type(kind), "nullable": True, "metadata": {}} for name, kind in pairs]
        return {"type": "struct", "fields": fields}
    return DELTA_TYPES[sql_type]


class Opened:
    """Engines over one folder; each has a catalog of its own, as two processes have."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._engines: list[Any] = []

    def open(self, **settings: str) -> Tables:
        engine = open_engine(EngineSettings(lakehouse=self.root, **settings))
        self._engines.append(engine)
        return Tables(engine)

    def delta(self, name: str, catalog: str = "main", schema: str = "genie_analytics") -> DeltaTable:
        return DeltaTable(str(self.root / catalog / schema / name))

    def read(self, name: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.delta(name).to_pyarrow_table().to_pylist()
        return rows

    def close(self) -> None:
        for engine in self._engines:
            engine.close()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    (tmp_path / "system").mkdir()
    opened = Opened(tmp_path)
    yield opened
    opened.close()


def delta_columns(delta: DeltaTable) -> dict[str, Any]:
    return {
        field.name: (field.type.type if hasattr(field.type, "type") else field.type) for field in delta.schema().fields
    }


def save_run(on: Tables, run_id: str, **values: Any) -> None:
    RunRecord(run_id=run_id, started_at=NOON, engine="local", **values).store(on)


def test_create_makes_all_tables_and_tells_their_columns(opened: Opened) -> None:
    done = opened.open().create()

    assert done == {name: [column.name for column in declared.columns] for name, declared in DECLARED.items()}


def test_create_is_safe_to_repeat_and_keeps_rows(opened: Opened) -> None:
    first = opened.open()
    first.create()
    save_run(first, "run1")

    assert first.create() == {}
    assert opened.open().create() == {}
    assert [row["run_id"] for row in opened.read("ingestion_runs")] == ["run1"]


def test_tables_that_another_process_created_are_found_by_create(opened: Opened) -> None:
    early, creator = opened.open(), opened.open()
    creator.create()
    save_run(creator, "run1")

    early.create()
    save_run(early, "run2")

    assert sorted(row["run_id"] for row in opened.read("ingestion_runs")) == ["run1", "run2"]
    assert sorted(row["run_id"] for row in creator.rows("runs/select_recent_runs")) == ["run1", "run2"]


def test_catalog_and_schema_are_settings(opened: Opened) -> None:
    on = opened.open(catalog="observe-dev", schema="genie_2")
    on.create()
    save_run(on, "run1")

    assert opened.delta("ingestion_runs", "observe-dev", "genie_2").to_pyarrow_table().num_rows == 1
    assert not (opened.root / "main").exists()


@pytest.mark.parametrize("name", ["it's", "My Lake é", "100% #1?", "a+b"])
def test_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    (root / "system").mkdir(parents=True)
    opened = Opened(root)
    try:
        first = opened.open()
        first.create()
        save_run(first, "run1")
        assert [row["run_id"] for row in opened.open().rows("runs/select_recent_runs")] == ["run1"]
    finally:
        opened.close()


def test_has_table_says_what_is_there(opened: Opened) -> None:
    on = opened.open()
    assert not on.has_table("message_ledger")

    on.create()

    assert all(on.has_table(name) for name in DECLARED)


def test_stored_tables_are_as_declared(opened: Opened) -> None:
    opened.open().create()

    for name, declared in DECLARED.items():
        delta = opened.delta(name)
        fields = {field.name: field for field in delta.schema().fields}
        assert list(fields) == [column.name for column in declared.columns]
        stored_types = {field["name"]: field["type"] for field in _schema(delta)}
        assert stored_types == {column.name: delta_type(column.sql_type) for column in declared.columns}
        assert {f: field.metadata.get("comment") for f, field in fields.items()} == {
            c.name: c.comment for c in declared.columns
        }
        assert tuple(delta.metadata().partition_columns) == declared.partition_by
        assert delta.metadata().description in declared.ddl
        assert all(field.nullable for field in fields.values())


def _schema(delta: DeltaTable) -> list[dict[str, Any]]:
    fields: list[dict[str, Any]] = json.loads(delta.schema().to_json())["fields"]
    return fields


def test_arrow_rows_of_every_column_come_back_as_they_were(opened: Opened) -> None:
    """The Arrow types rows travel as are those the tables are read back with."""
    opened.open().create()

    for name, declared in DECLARED.items():
        stored = opened.delta(name).to_pyarrow_table().schema
        for field in declared.arrow_schema():
            found = stored.field(field.name).type
            assert found == field.type or (pa.types.is_list(found) and found.value_type == field.type.value_type)


def _older(name: str, *dropped: str) -> pa.Schema:
    return pa.schema([field for field in table(name).arrow_schema() if field.name not in dropped])


def _write_older(root: Path, name: str, rows: list[dict[str, Any]], *dropped: str) -> None:
    folder = root / "main" / "genie_analytics" / name
    partitions = list(table(name).partition_by) or None
    write_deltalake(folder, pa.Table.from_pylist(rows, _older(name, *dropped)), partition_by=partitions)


def test_older_tables_get_the_new_columns_and_keep_their_rows(opened: Opened) -> None:
    run = {"run_id": "run1", "started_date": NOON.date(), "started_at": NOON, "status": "succeeded", "fetched_count": 7}
    space = {"workspace_id": "1", "space_id": "s1", "title": "Orders", "fetched_at": NOON}
    _write_older(opened.root, "ingestion_runs", [run], "workspace_errors", "merge_seconds", "oldest_stored_date")
    _write_older(opened.root, "space_details", [space], "etag")
    on = opened.open()

    done = on.create()

    assert {name: done[name] for name in ("ingestion_runs", "space_details")} == {
        "ingestion_runs": ["oldest_stored_date", "merge_seconds", "workspace_errors"],
        "space_details": ["etag"],
    }
    [row] = opened.read("ingestion_runs")
    assert {name: row[name] for name in run} == run
    assert (row["workspace_errors"], row["merge_seconds"], row["oldest_stored_date"]) == (None, None, None)
    save_run(on, "run2", workspace_errors=("1: no",), merge_seconds=0.5)
    rows = {row["run_id"]: row for row in opened.read("ingestion_runs")}
    assert (rows["run2"]["workspace_errors"], rows["run2"]["merge_seconds"]) == (["1: no"], 0.5)
    assert on.create() == {}
    assert on.rows("datasets/spaces/select_spaces", workspace_ids=())[0]["etag"] is None


def test_columns_added_to_an_older_table_are_documented(opened: Opened) -> None:
    _write_older(opened.root, "space_details", [], "etag")

    opened.open().create()

    [etag] = [field for field in opened.delta("space_details").schema().fields if field.name == "etag"]
    assert etag.metadata.get("comment")


def test_upgrade_leaves_columns_alone_that_it_does_not_know(opened: Opened) -> None:
    schema = pa.schema([*_older("space_details", "etag"), pa.field("note", pa.string())])
    folder = opened.root / "main" / "genie_analytics" / "space_details"
    write_deltalake(folder, pa.Table.from_pylist([{"workspace_id": "1", "space_id": "s1", "note": "mine"}], schema))

    opened.open().create()

    assert [row["note"] for row in opened.read("space_details")] == ["mine"]


def test_older_ledger_gets_codes_for_what_its_sentences_said(opened: Opened) -> None:
    known = {"workspace_id": "1", "witnessed_date": NOON.date()}
    rows = [
        {
            **known,
            "message_id": "a",
            "state": "retry",
            "state_reason": "404 although the space can be read; asked again",
        },
        {**known, "message_id": "b", "state": "fetched"},
    ]
    _write_older(opened.root, "message_ledger", rows, "reason_code")
    on = opened.open()

    assert on.create()["message_ledger"] == ["reason_code"]

    codes = {row["message_id"]: row["reason_code"] for row in opened.read("message_ledger")}
    assert codes == {"a": "absent_once", "b": None}
    assert "message_ledger" not in on.create()


def test_missing_system_table_is_named(opened: Opened) -> None:
    found = opened.open().adopt_source(AUDIT)

    assert (found.state, found.problem) == (State.MISSING, "system.access.audit does not exist or is not visible")


def test_columns_nothing_can_be_done_without_are_all_named(opened: Opened) -> None:
    write_deltalake(opened.root / "system" / "access" / "audit", pa.table({"event_id": ["e"], "event_time": [1.5]}))

    found = opened.open().adopt_source(AUDIT)

    assert found.state is State.LACKS_COLUMNS
    assert found.problem == (
        "system.access.audit: workspace_id is missing; event_time is of type double, not timestamp; service_name is missing; "
        "action_name is missing; request_params is missing; response.result is missing; nothing can be made of it without"
    )
    assert "system.access.audit: workspace_id is missing" in found.drift


def test_system_table_that_fails_while_it_is_read_is_an_error_that_names_it(opened: Opened) -> None:
    on = opened.open()
    scope = {"from_date": NOON.date(), "until_date": NOON.date(), "workspace_ids": ()}

    with pytest.raises(SourceError, match=r"system\.access\.audit") as caught:
        on.select("datasets/events/select_audit_days", **scope)

    assert (caught.value.source, caught.value.state) == ("access.audit", "missing")


def test_folder_that_is_no_lakehouse_is_refused_with_the_way_to_make_one(tmp_path: Path) -> None:
    for folder, what in ((tmp_path / "nowhere", "does not exist"), (tmp_path, "has no 'system' folder")):
        with pytest.raises(ConfigError, match=what) as caught:
            open_engine(EngineSettings(lakehouse=folder))
        assert "genie-obs simulate" in str(caught.value)


def test_statement_refuses_missing_and_unknown_parameters(opened: Opened) -> None:
    on = opened.open()
    on.create()

    for values in ({}, {"workspace_ids": "", "more": 1}, {"workspace": ""}):
        with pytest.raises(ValueError, match="select_spaces takes"):
            on.rows("datasets/spaces/select_spaces", **values)


def test_text_parameter_of_a_command_is_never_part_of_its_sql(opened: Opened) -> None:
    """Text only ever gets into a statement as hexadecimal digits: here no date, so nothing matches and nothing is dropped."""
    on = opened.open()
    on.create()
    save_run(on, "run1")

    with contextlib.suppress(Exception):  # engines differ in whether comparing a date with such text is an error
        hostile = "2026-11-20') THEN DELETE; DROP TABLE ingestion_runs; --"
        on.execute(
            "runs/merge_run_signs",
            run_signs=table("ingestion_runs").arrow_schema().empty_table(),
            started_dates=hostile,
        )

    assert [row["run_id"] for row in opened.read("ingestion_runs")] == ["run1"]


def test_text_parameters_of_queries_are_values_not_sql(opened: Opened) -> None:
    on = opened.open()
    on.create()
    save_run(on, "run1")

    for text in ("' OR 1=1 --", "\\", "'; DROP TABLE ingestion_runs; --", "a\x00b", "😀"):
        assert on.rows("datasets/spaces/select_spaces", workspace_ids=[text]) == []
    assert len(on.rows("runs/select_recent_runs")) == 1


def test_instants_keep_their_microseconds_and_come_back_aware(opened: Opened) -> None:
    on = opened.open()
    on.create()
    at = datetime(2026, 11, 20, 23, 59, 59, 999_999, tzinfo=UTC)

    RunRecord(run_id="run1", started_at=at, engine="local").store(on)

    [row] = on.rows("runs/select_recent_runs")
    assert row["started_at"] == at
    assert row["started_at"].utcoffset() is not None


HOSTILE = {
    "quotes": """'; DROP TABLE message_details; -- "` \\' ''""",
    "NUL": "a\x00b",
    "emoji": "😀👩‍👩‍👧 ⵣ \u202e\ufeff",
    "control": "\r\n\t\x01\x7f\u2028",
    "parameters": ":created_dates ${x} {{y}} %s ?",
    "empty": "",
    "long": "a'\n😀" * 1_000_000,
}


def test_hostile_values_are_stored_as_they_are(opened: Opened) -> None:
    on = opened.open()
    on.create()
    rows = [
        {
            "workspace_id": "1",
            "message_id": name,
            "content": text,
            "suggested_questions": [text[:1_000], ""],
            "created_date": NOON.date(),
            "is_terminal": True,
            "is_deleted": False,
            "api_fetch_timestamp": NOON,
            "ingestion_timestamp": NOON,
        }
        for name, text in HOSTILE.items()
    ]
    assert len(HOSTILE["long"].encode()) > 5 * 1024 * 1024
    schema = pa.unify_schemas([table("message_details").arrow_schema(), pa.schema([("is_terminal", pa.bool_())])])
    fetched = pa.Table.from_pylist(rows, schema)

    for _ in range(2):  # inserted, then compared and found unchanged
        on.merge("message_details", fetched, latest_credible_at=NOON, terminal_statuses=["COMPLETED"])

    stored = {row["message_id"]: row for row in opened.read("message_details")}
    assert {name: row["content"] for name, row in stored.items()} == HOSTILE
    assert {name: row["suggested_questions"] for name, row in stored.items()} == {
        name: [text[:1_000], ""] for name, text in HOSTILE.items()
    }


def test_engine_keeps_no_rows_that_were_handed_over(opened: Opened) -> None:
    """Sail keeps the rows of every temporary view until the session ends: the memory of a run would grow with it."""
    on = opened.open()
    on.create()

    save_run(on, "run1")
    save_run(on, "run2")

    assert sorted(row["run_id"] for row in opened.read("ingestion_runs")) == ["run1", "run2"]
    assert [
        row for row in on._engine.spark.sql("SHOW TABLES IN main.genie_analytics").collect() if row["isTemporary"]
    ] == []


def _merge_many(on: Tables, name: str, start: threading.Barrier, failures: list[BaseException]) -> None:
    try:
        start.wait(timeout=30)
        for number in range(12):
            save_run(on, f"{name}{number}")
    except BaseException as error:  # noqa: BLE001  # a thread's failure belongs to the test
        failures.append(error)


def test_writers_that_collide_both_get_their_rows_in_once(opened: Opened, caplog: pytest.LogCaptureFixture) -> None:
    """All rows go to one partition, so that each commit collides with the other writer's."""
    opened.open().create()
    writers = {name: opened.open() for name in ("a", "b")}
    start, failures = threading.Barrier(2), list[BaseException]()
    threads = [threading.Thread(target=_merge_many, args=(on, name, start, failures)) for name, on in writers.items()]

    with caplog.at_level("INFO", logger="genie_obs.lakehouse.tables"):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert failures == []
    assert sorted(row["run_id"] for row in opened.read("ingestion_runs")) == sorted(
        f"{n}{i}" for n in "ab" for i in range(12)
    )


class FakeSession:
    """Stands for a Spark session whose next commands fail with these texts, and then succeed."""

    def __init__(self, *failures: str) -> None:
        self._failures = list(failures)
        self.count = 0

    def sql(self, text: str) -> FakeSession:
        self.count += 1
        return self

    def collect(self) -> list[Any]:
        if self._failures:
            raise RuntimeError(self._failures.pop(0))
        return [(1,)]


class FakeEngine:
    """As much of an engine as running a command takes."""

    kind = "local"
    is_loopback = True
    binds_parameters = True
    names = Names(catalog="main", schema="genie_analytics")

    def __init__(self, *failures: str) -> None:
        self.session = FakeSession(*failures)
        self.spark: Any = self.session

    def layout_clause(self, table: Table) -> str:
        raise NotImplementedError

    def add_columns(self, table: Table, columns: Sequence[Column]) -> None:
        raise NotImplementedError

    def set_statistics(self, table: Table) -> None:
        raise NotImplementedError

    def version(self, table: Table) -> int:
        raise NotImplementedError

    def purge(self, table: Table) -> None:
        raise NotImplementedError

    def vacuum(self, table: Table) -> None:
        raise NotImplementedError

    def compact(self, table: Table) -> None:
        raise NotImplementedError

    def refresh(self) -> None: ...

    def close(self) -> None: ...


COLLISIONS = [
    "Failed to commit transaction: 42",
    "[DELTA_CONCURRENT_APPEND] ConcurrentAppendException: Files were added",
    "MetadataChangedException: The metadata of the Delta table has been changed",
    "ProtocolChangedException",
    # Sail 0.7 now and then, when the other writer is about to write a checkpoint.
    "Missing commit file: expected version 0, found 28",
]


@pytest.mark.parametrize("text", COLLISIONS)
def test_command_that_collides_is_run_again(text: str) -> None:
    engine = FakeEngine(text)

    Tables(engine).execute("runs/merge_run_signs", started_dates=[NOON.date()])

    assert engine.session.count == 2


def test_failure_that_is_no_collision_is_raised_at_once(opened: Opened) -> None:
    on = opened.open()
    on.create()

    with pytest.raises(Exception, match="run_signs"):  # the relation it reads is not there
        on.execute("runs/merge_run_signs", started_dates=[NOON.date()])


def test_two_processes_may_create_at_the_same_time(opened: Opened) -> None:
    both = [opened.open(), opened.open()]
    start, failures = threading.Barrier(2), list[BaseException]()

    def create(on: Tables) -> None:
        try:
            start.wait(timeout=30)
            on.create()
        except BaseException as error:  # noqa: BLE001  # a thread's failure belongs to the test
            failures.append(error)

    threads = [threading.Thread(target=create, args=(on,)) for on in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    for name, declared in DECLARED.items():
        assert [field.name for field in opened.delta(name).schema().fields] == [
            column.name for column in declared.columns
        ]


def test_every_declared_column_is_documented() -> None:
    for declared in tables():
        lines = [line for line in declared.ddl.splitlines() if line.startswith("  ")]
        assert len(declared.columns) == len(lines), declared.name
        assert all(isinstance(column, Column) and column.comment for column in declared.columns)
        assert isinstance(declared, Table)
