"""The contract of a table engine, on Apache Spark: creating, upgrading, values that come back, writers that collide."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pytest
from tests.integration.privacy_world import places_of
from tests.spark.spark_lake import CATALOG, spark_settings

from genie_obs.datasets.messages.parsing.known_values import TERMINAL_STATUSES
from genie_obs.erasure.erase import run_erase
from genie_obs.erasure.selector import Extent, Selector
from genie_obs.lakehouse.engines.cluster import ClusterEngine
from genie_obs.lakehouse.schema import table, tables
from genie_obs.lakehouse.tables import Tables
from genie_obs.ledger.lookup import WITNESS_COLUMNS
from genie_obs.runs.record import RunRecord

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOSTILE = {
    "quotes": """'; DROP TABLE message_details; -- "` \\' ''""",
    "NUL": "a\x00b",
    "emoji": "😀👩‍👩‍👧 ⵣ \u202e\ufeff",
    "control": "\r\n\t\x01\x7f\u2028",
    "parameters": ":created_dates ${x} {{y}} %s ?",
    "empty": "",
    "long": "a'\n😀" * 300_000,
}
Open = Callable[[str], ClusterEngine]


@pytest.fixture
def opened(spark_server: str) -> Iterator[Open]:
    engines: list[ClusterEngine] = []

    def open_schema(schema: str) -> ClusterEngine:
        engines.append(ClusterEngine(spark_settings(spark_server, schema)))
        return engines[-1]

    yield open_schema
    for engine in engines:
        engine.close()


def rows_of(engine: ClusterEngine, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = engine.spark.table(engine.names.table(name)).toArrow().to_pylist()
    return rows


def save_run(on: Tables, run_id: str, **values: Any) -> None:
    RunRecord(run_id=run_id, started_at=NOON, engine="connect", **values).store(on)


def test_create_makes_every_table_as_declared_and_is_safe_to_repeat(opened: Open) -> None:
    engine = opened("contract_create")

    assert set(Tables(engine).create()) == {declared.name for declared in tables()}
    assert Tables(engine).create() == {}

    for declared in tables():
        fields = engine.spark.table(engine.names.table(declared.name)).schema.fields
        assert [field.name for field in fields] == [column.name for column in declared.columns]
        types = [field.dataType.simpleString().lower() for field in fields]
        assert types == [column.sql_type.lower().replace(" ", "") for column in declared.columns]
        assert [field.metadata.get("comment") for field in fields] == [column.comment for column in declared.columns]


def test_tables_are_clustered_with_deletion_vectors_and_not_partitioned(opened: Open) -> None:
    engine = opened("contract_layout")
    Tables(engine).create()

    for declared in tables():
        [detail] = engine.spark.sql(f"DESCRIBE DETAIL {engine.names.table(declared.name)}").toArrow().to_pylist()
        assert tuple(detail["clusteringColumns"]) == declared.cluster_by
        assert detail["partitionColumns"] == []
        assert dict(detail["properties"])["delta.enableDeletionVectors"] == "true"


def test_older_table_gets_the_new_columns_with_their_comments_and_keeps_its_rows(opened: Open) -> None:
    engine = opened("contract_upgrade")
    name = engine.names.table("space_details")
    engine.spark.sql(f"CREATE SCHEMA {CATALOG}.contract_upgrade").collect()
    engine.spark.sql(
        f"CREATE TABLE {name} (workspace_id STRING, space_id STRING, fetched_at TIMESTAMP) USING DELTA"
    ).collect()
    engine.spark.sql(f"INSERT INTO {name} VALUES ('1', 's1', TIMESTAMP '2026-11-20 12:00:00')").collect()  # noqa: S608

    added = Tables(engine).create()["space_details"]

    declared = table("space_details").columns
    assert added == [
        column.name for column in declared if column.name not in {"workspace_id", "space_id", "fetched_at"}
    ]
    [row] = rows_of(engine, "space_details")
    assert (row["workspace_id"], row["space_id"], row["title"], row["fetched_at"]) == ("1", "s1", None, NOON)
    comments = {f.name: f.metadata.get("comment") for f in engine.spark.table(name).schema.fields}
    assert {column.name: column.comment for column in declared if column.name in added}.items() <= comments.items()
    assert Tables(engine).create() == {}


def test_hostile_values_are_stored_as_they_are(opened: Open) -> None:
    engine = opened("contract_values")
    on = Tables(engine)
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
    schema = pa.unify_schemas([table("message_details").arrow_schema(), pa.schema([("is_terminal", pa.bool_())])])
    fetched = pa.Table.from_pylist(rows, schema)

    for _ in range(2):  # inserted, then compared and found unchanged
        on.merge("message_details", fetched, latest_credible_at=NOON, terminal_statuses=sorted(TERMINAL_STATUSES))

    stored = {row["message_id"]: row for row in rows_of(engine, "message_details")}
    assert {name: row["content"] for name, row in stored.items()} == HOSTILE
    assert {name: row["suggested_questions"] for name, row in stored.items()} == {
        name: [text[:1_000], ""] for name, text in HOSTILE.items()
    }


@pytest.mark.parametrize("extent", [Extent.TEXTS_AND_ASKER, Extent.ROW])
def test_no_file_holds_what_was_erased_once_older_versions_are_removed(opened: Open, extent: Extent) -> None:
    engine = opened(f"contract_erase_{extent.name.lower()}")
    on = Tables(engine)
    on.create()
    shared = {"workspace_id": "1", "witnessed_date": NOON.date(), "created_date": NOON.date(), "first_event_time": NOON}
    people = {"m1": "ana@zebra.example", "m2": "bob@zebra.example"}
    ledger = [{**shared, "message_id": name, "user_email": user, "state": "pending"} for name, user in people.items()]
    witnessed = pa.Table.from_pylist(ledger, table("message_ledger").arrow_schema(*WITNESS_COLUMNS, "witnessed_date"))
    on.execute("ledger/merge_witnesses", witnessed_messages=witnessed, witnessed_dates=[NOON.date()], updated_at=NOON)
    details = [
        {**shared, "message_id": name, "user_email": user, "content": f"Zebrafish of {name}", "is_terminal": True, "is_deleted": False}
        for name, user in people.items()
    ]  # fmt: skip
    columns = pa.unify_schemas([table("message_details").arrow_schema(), pa.schema([("is_terminal", pa.bool_())])])
    wanted = [{name: row.get(name) for name in columns.names} for row in details]
    fetched = pa.Table.from_pylist(wanted, columns)
    on.merge("message_details", fetched, latest_credible_at=NOON, terminal_statuses=sorted(TERMINAL_STATUSES))
    places = [_folder(engine, name) for name in ("message_details", "message_ledger")]
    before = [file for place in places for text in people.values() for file in places_of(text, place)]

    receipt = run_erase(on, Selector(user="ana@zebra.example"), extent, now=lambda: NOON, is_vacuumed=True)

    assert (receipt.status, receipt.message_count, receipt.stored_count) == ("done", 1, 1)
    assert before
    assert [
        place for place in places if places_of("ana@zebra.example", place) or places_of("Zebrafish of m1", place)
    ] == []
    kept = {row["message_id"]: row["content"] for row in rows_of(engine, "message_details")}
    assert kept == {"m2": "Zebrafish of m2"} | ({} if extent.is_row else {"m1": "[not kept]"})
    assert all(engine.spark.sql(f"SHOW TBLPROPERTIES {engine.names.table(name)}").filter("key LIKE '%deletedFile%'").count() == 0
               for name in ("message_details", "message_ledger"))  # fmt: skip


def _folder(engine: ClusterEngine, name: str) -> Path:
    [row] = engine.spark.sql(f"DESCRIBE DETAIL {engine.names.table(name)}").collect()
    return Path(urlsplit(row["location"]).path)


def test_text_parameters_of_queries_are_values_not_sql(opened: Open) -> None:
    on = Tables(opened("contract_parameters"))
    on.create()
    save_run(on, "run1")

    for text in ("' OR 1=1 --", "\\", "'; DROP TABLE ingestion_runs; --", "a\x00b", "😀"):
        assert on.rows("datasets/spaces/select_spaces", workspace_ids=[text]) == []
    assert len(on.rows("runs/select_recent_runs")) == 1


def test_instants_keep_their_microseconds_and_come_back_aware(opened: Open) -> None:
    on = Tables(opened("contract_instants"))
    on.create()
    at = datetime(2026, 11, 20, 23, 59, 59, 999_999, tzinfo=UTC)

    RunRecord(run_id="run1", started_at=at, engine="connect").store(on)

    [row] = on.rows("runs/select_recent_runs")
    assert row["started_at"] == at
    assert row["started_at"].utcoffset() is not None


def test_writers_that_collide_both_get_their_rows_in_once(opened: Open) -> None:
    engines = {name: opened("contract_writers") for name in ("a", "b")}
    for engine in engines.values():
        Tables(engine).create()
    start, failures = threading.Barrier(2), list[BaseException]()

    def write(name: str, engine: ClusterEngine) -> None:
        try:
            start.wait(timeout=60)
            for number in range(3):
                save_run(Tables(engine), f"{name}{number}")
        except BaseException as error:  # noqa: BLE001  # a thread's failure belongs to the test
            failures.append(error)

    threads = [threading.Thread(target=write, args=item) for item in engines.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    runs = sorted(row["run_id"] for row in rows_of(engines["a"], "ingestion_runs"))
    assert runs == sorted(f"{name}{number}" for name in "ab" for number in range(3))
