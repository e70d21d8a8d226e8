"""Dashboards over real tables on the local engine: every tile, filter, odd file and the single-file export."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.browser.preview_world import (
    COUNT,
    HOSTILE,
    MESSAGE_COUNT,
    WORKSPACES,
    amount,
    category,
    dashboard_json,
    field,
    make_lakehouse,
    other_dashboard,
    site_over,
    widget,
)

from genie_obs.command.cli import main
from genie_obs.config import parse_settings
from genie_obs.preview.command import open_site, packaged_dashboard
from genie_obs.preview.file.parse import load_dashboard
from genie_obs.preview.page.exporter import export_page
from genie_obs.preview.page.site import Site, UnknownTileError
from genie_obs.preview.page.tiles import DATA_KINDS
from genie_obs.preview.query.filters import CrossFilter, State
from genie_obs.preview.query.parameters import BoundSql, Selection
from genie_obs.preview.query.results import Runner

NOTHING_CHOSEN = State()


@pytest.fixture(scope="module")
def lakehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_lakehouse(tmp_path_factory.mktemp("preview") / "lakehouse")


@pytest.fixture(scope="module")
def site(lakehouse: Path) -> Iterator[Site]:
    with site_over(lakehouse, dashboard_json()) as site:
        yield site


def _key(site: Site, name: str) -> str:
    return next(w.key for page in site.dashboard.pages for w in page.widgets if w.name == name)


def _tile(site: Site, name: str, state: State = NOTHING_CHOSEN) -> dict[str, Any]:
    return site.tile(_key(site, name), state)


def _count(site: Site, **chosen: object) -> int:
    names = {"workspace": "f-workspace", "days": "f-days"}
    selections = {_key(site, names[name]): Selection(values=(value,)) for name, value in chosen.items()}
    value = _tile(site, "messages-counter", State(selections=selections))["value"]
    assert isinstance(value, int)
    return value


def test_counter_counts_all_messages(site: Site) -> None:
    assert _count(site) == MESSAGE_COUNT


def test_workspaces_add_up_to_all(site: Site) -> None:
    assert sum(_count(site, workspace=workspace) for workspace in WORKSPACES) == MESSAGE_COUNT
    assert _count(site, workspace=",".join(WORKSPACES)) == MESSAGE_COUNT


def test_days_filter_runs_the_sql_again(site: Site) -> None:
    assert 0 < _count(site, days=7) < _count(site, days="30") < MESSAGE_COUNT


def test_hostile_value_of_a_filter_is_only_a_value(site: Site) -> None:
    assert _count(site, workspace="x' OR '1' = '1") == 0


def test_value_that_does_not_fit_is_said_in_the_tile(site: Site) -> None:
    state = State(selections={_key(site, "f-days"): Selection(values=("many",))})
    assert "INTEGER" in _tile(site, "messages-counter", state)["message"]


def test_clicked_mark_filters_other_tiles_of_the_dataset_and_not_itself(site: Site) -> None:
    cross = CrossFilter(widget_key=_key(site, "messages-by-status"), values={"status": ("FAILED",)})
    state = State(cross_filters=(cross,))
    failed = _tile(site, "messages-counter", state)["value"]
    rows = _tile(site, "message-list", state)["rows"]
    assert {row[3] for row in rows} == {"FAILED"}
    assert len(rows) == failed < MESSAGE_COUNT
    assert len(_tile(site, "messages-by-status", state)["rows"]) == 3


def test_clicked_day_filters_by_the_truncated_instant(site: Site) -> None:
    tile = _tile(site, "messages-by-day")
    day = tile["rows"][0][0]
    expected = sum(row[2] for row in tile["rows"] if row[0] == day)
    cross = CrossFilter(widget_key=_key(site, "messages-by-day"), values={"daily(created_at)": (day,)})
    assert _tile(site, "messages-counter", State(cross_filters=(cross,)))["value"] == expected


def _shown(tile: dict[str, Any]) -> Any:
    return sorted(map(repr, tile["rows"])) if "rows" in tile else tile["value"]


def test_tiles_of_a_dataset_share_one_run_of_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("messages-counter", "messages-by-status", "messages-by-day", "message-list")
    before = [_tile(site, name) for name in names]
    spark, ran = site.runner._engine.spark, list[str]()
    run = spark.sql

    def watched(sql: str, args: Any = None, **frames: Any) -> Any:
        ran.append(sql)
        return run(sql, args=args, **frames)

    monkeypatch.setattr(spark, "sql", watched)
    renewed = replace(site, runner=Runner(site.runner._engine))
    cross = CrossFilter(widget_key=_key(site, "messages-by-status"), values={"status": ("FAILED",)})
    failed = _tile(renewed, "messages-counter", State(cross_filters=(cross,)))
    after = [_tile(renewed, name) for name in names]
    assert [_shown(tile) for tile in after] == [_shown(tile) for tile in before]
    assert 0 < failed["value"] < MESSAGE_COUNT
    runs = {sql for sql in ran if "message_details" in sql and "LIMIT 0" not in sql}
    assert len(runs) == 1
    assert [table.name for table in spark.catalog.listTables() if table.isTemporary] == []


def test_dataset_too_long_to_be_held_is_read_by_each_tile(site: Site) -> None:
    assert _count(replace(site, runner=Runner(site.runner._engine, max_rows=3))) == MESSAGE_COUNT


def test_table_keeps_the_order_of_its_dataset_and_leads_to_conversations(site: Site) -> None:
    tile = _tile(site, "message-list")
    instants = [row[0] for row in tile["rows"]]
    assert instants == sorted(instants, reverse=True)
    assert tile["keys"]["conversation_id"][0] == "c0000"


def test_transcript_has_every_message_of_the_conversation_oldest_first(site: Site) -> None:
    messages = site.transcript("c0000", "1001")["messages"]
    assert [m["content"] for m in messages] == list(reversed(HOSTILE))
    assert site.transcript("c0000", "1002")["messages"] == []


def test_broken_query_empty_result_and_unknown_widget_say_so(site: Site) -> None:
    assert "no_such_table" in _tile(site, "broken-tile")["message"]
    assert "days_lookback = 90" in _tile(site, "empty-tile")["message"]
    assert _tile(site, "word-cloud")["kind"] == "placeholder"
    with pytest.raises(UnknownTileError):
        site.tile("p9w9", NOTHING_CHOSEN)


def test_options_are_sorted_with_all_first(site: Site) -> None:
    assert site.options(_key(site, "f-workspace"), NOTHING_CHOSEN)["options"] == ["ALL", *WORKSPACES]
    assert site.options(_key(site, "f-days"), NOTHING_CHOSEN)["options"] == [7, 30, 90]


def _odd(sql: str, *tiles: dict[str, Any], **more: Any) -> dict[str, Any]:
    dataset = {"name": "messages", "queryLines": [sql], **more}
    return {"datasets": [dataset], "pages": [{"name": "p", "layoutVersion": "GRID_V1", "layout": list(tiles)}]}


def _table(*names: str) -> dict[str, Any]:
    columns = {"columns": [{"fieldName": name} for name in names]}
    return widget("t", "table", columns, [field(name) for name in names], disaggregated=True)


BAR = widget("t", "bar", {"x": category("a", "A"), "y": amount("count(*)", "n")}, [field("a"), COUNT])
FINE = {"chart", "table", "counter", "pivot"}
ODD_FILES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "dotted and hostile field names": (_odd("SELECT 1 AS `a.b[0]`, 2 AS `x'\"<b>`", _table("a.b[0]", "x'\"<b>")), FINE),
    "10,000 rows": (_odd("SELECT id AS a FROM range(20000)", _table("a")), FINE),
    "nulls only": (_odd("SELECT CAST(NULL AS STRING) AS a", BAR), FINE),
    "no rows": (_odd("SELECT 'x' AS a WHERE 1 = 0", BAR), {"empty"}),
    "several statements": (_odd("SELECT 1 AS a; SELECT 2 AS a", BAR), {"error"}),
    "a command": (_odd("DROP TABLE message_details", BAR), {"error"}),
    "a command hidden behind a parenthesis": (
        _odd("SELECT 1 AS a) AS x; DROP TABLE message_details; --", BAR),
        {"error"},
    ),
    "no SQL": (_odd("", BAR), {"error"}),
    "marker without declaration": (_odd("SELECT :what AS a", BAR), {"error"}),
    "column that is not there": (_odd("SELECT 1 AS b", _table("a")), {"error"}),
    "dataset that is not there": ({"pages": [{"layout": [BAR]}]}, {"error"}),
    "query without fields": (_odd("SELECT 1 AS a", widget("t", "bar", {}, [])), {"error"}),
    "measure that is text": (
        _odd(
            "SELECT 'x' AS a, 'y' AS `count(*)`",
            widget(
                "t",
                "line",
                {"x": category("a", "A"), "y": amount("count(*)", "n")},
                [field("a"), field("count(*)")],
                disaggregated=True,
            ),
        ),
        {"error"},
    ),
    "calculated column": (
        _odd(
            "SELECT 2 AS a",
            widget("t", "counter", {"value": {"fieldName": "m"}}, [field("m", "MEASURE(`twice`)")]),
            columns=[{"displayName": "twice", "expression": "SUM(`a`) * 2"}],
        ),
        FINE,
    ),
    "comment at the end": (_odd("SELECT 1 AS a -- end", BAR), FINE),
    "nested values": (_odd("SELECT array(1, 2) AS a, named_struct('x', 1) AS b", _table("a", "b")), FINE),
}


@pytest.mark.parametrize("name", ODD_FILES)
def test_odd_file_opens_and_says_what_is_wrong(site: Site, name: str) -> None:
    content, kinds = ODD_FILES[name]
    odd = other_dashboard(site, content)
    odd.boot()
    tile = odd.tile("p0w0", NOTHING_CHOSEN)
    assert tile["kind"] in kinds
    if tile["kind"] == "error":
        assert len(tile["message"]) > 10
    json.dumps(tile, allow_nan=False)


FOREIGN_SQL = {
    "column": "SELECT erasures AS a FROM (SELECT 7 AS erasures)",
    "qualified column": "SELECT x.erasures AS a FROM (SELECT 7 AS erasures) AS x",
    "CTE": "WITH message_details AS (SELECT 7 AS a) SELECT a FROM message_details",
    "CTE beside another": "WITH space_details AS (SELECT 7 AS a), b AS (SELECT a FROM space_details) SELECT a FROM b",
    "alias of a column": "SELECT 7 AS message_ledger, 7 AS a",
    "alias of a relation": "SELECT ingestion_runs.a FROM (SELECT 7 AS a) AS ingestion_runs",
    "column of an alias": "SELECT s.a.erasures AS a FROM (SELECT named_struct('erasures', 7) AS a) AS s",
}


@pytest.mark.parametrize("sql", FOREIGN_SQL.values(), ids=FOREIGN_SQL)
def test_names_of_our_tables_may_mean_something_else_in_a_file(site: Site, sql: str) -> None:
    tile = other_dashboard(site, _odd(sql, _table("a"))).tile("p0w0", NOTHING_CHOSEN)
    assert tile.get("rows") == [[7]], tile.get("message")


OWN_SQL = {
    "bare": "FROM message_details",
    "quoted": "FROM `message_details`",
    "with its schema": "FROM genie_analytics.message_details",
    "in full": "FROM main.genie_analytics.message_details AS m",
    "after a comma": "FROM (SELECT 1) AS one, message_details",
    "joined": "FROM (SELECT 1) AS one CROSS JOIN message_details",
    "in a CTE": "FROM (WITH m AS (SELECT * FROM message_details) SELECT * FROM m)",
    "as a table": "FROM (TABLE message_details)",
}


@pytest.mark.parametrize("source", OWN_SQL.values(), ids=OWN_SQL)
def test_our_tables_are_found_wherever_a_relation_stands(site: Site, source: str) -> None:
    tile = other_dashboard(site, _odd(f"SELECT count(*) AS a {source}", _table("a"))).tile("p0w0", NOTHING_CHOSEN)
    assert tile.get("rows") == [[MESSAGE_COUNT]], tile.get("message")


def test_system_tables_are_found(site: Site) -> None:
    sql = "SELECT count(DISTINCT system.access.audit.workspace_id) > 0 AS a FROM system.access.audit"
    assert other_dashboard(site, _odd(sql, _table("a"))).tile("p0w0", NOTHING_CHOSEN).get("rows") == [[True]]


def test_schema_may_have_a_name_that_must_be_quoted(lakehouse: Path) -> None:
    shutil.copytree(lakehouse / "main" / "genie_analytics", lakehouse / "my-catalog" / "my-schema")
    place = {"engine": "local", "lakehouse": str(lakehouse), "catalog": "my-catalog", "schema": "my-schema"}
    with open_site(parse_settings(place, {})) as site:
        rows = site.runner.rows(BoundSql("SELECT count(*) AS a FROM message_details"))
    assert rows.table.to_pylist() == [{"a": MESSAGE_COUNT}]


def test_rows_beyond_the_limit_are_cut_and_said(site: Site) -> None:
    tile = other_dashboard(site, _odd("SELECT id AS a FROM range(20000)", _table("a"))).tile("p0w0", NOTHING_CHOSEN)
    assert (len(tile["rows"]), tile["cut"]) == (10_000, True)


@pytest.mark.parametrize("content", [{}, {"pages": []}, {"pages": [{}]}])
def test_file_without_pages_or_layout_opens(site: Site, content: dict[str, Any]) -> None:
    odd = other_dashboard(site, content)
    assert "<!doctype html>" in export_page(odd)


def test_packaged_dashboard_has_no_tile_with_an_error(site: Site) -> None:
    ours = Site(dashboard=load_dashboard(packaged_dashboard()), runner=site.runner, overrides={}, now=site.now)
    tiles = {
        (page.title, w.name): ours.tile(w.key, NOTHING_CHOSEN)
        for page in ours.dashboard.canvas_pages
        for w in page.widgets
        if w.kind in DATA_KINDS
    }
    assert {name: tile["message"] for name, tile in tiles.items() if tile["kind"] in {"error", "placeholder"}} == {}


def _snapshot(page: str) -> dict[str, Any]:
    packed = re.search(r'id="snapshot">([^<]*)<', page)
    assert packed is not None
    found: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(packed.group(1))))
    return found


def test_export_holds_every_combination_of_the_filters_when_asked(site: Site) -> None:
    snapshot = _snapshot(export_page(site, every_filter_value=True))
    assert len(snapshot["variants"]) == 3 * 3
    assert snapshot["first"] in snapshot["variants"]
    assert len(snapshot["tiles"]) < len(snapshot["variants"]) * len(snapshot["variants"][snapshot["first"]])


def test_export_fixes_the_filters_otherwise(site: Site) -> None:
    snapshot = _snapshot(export_page(site))
    assert (list(snapshot["variants"]), snapshot["switches"]) == (["[]"], [])
    assert {m["content"] for m in snapshot["conversations"]["1001|c0000"]} == set(HOSTILE)


def test_export_command_writes_a_file_for_its_owner_only(
    lakehouse: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "dashboard.html"
    assert main(["dashboard", "export", "--lakehouse", str(lakehouse), "--out", str(out), "--days-lookback", "7"]) == 0
    assert str(out) in capsys.readouterr().out
    assert out.stat().st_mode & 0o777 == 0o600
    assert '"values":["7"]' in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--days-lookback", "0"], "--days-lookback '0'"),
        (["--workspace-id-filter", "a;b"], "--workspace-id-filter 'a;b'"),
        (["--dashboard", "/nowhere.lvdash.json"], "cannot be read"),
        (["--catalog", "a b"], "--catalog 'a b'"),
        (["--out", "/nowhere/at/all.html"], "does not exist"),
    ],
)
def test_wrong_input_is_named_and_ends_with_2(
    lakehouse: Path, tmp_path: Path, flags: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["dashboard", "export", "--lakehouse", str(lakehouse), "--out", str(tmp_path / "x.html"), *flags]
    assert main(command) == 2
    assert words in capsys.readouterr().err
