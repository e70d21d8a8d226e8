"""A small lakehouse with hostile text, and a dashboard with every kind of tile, for the tests of the preview."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from genie_obs.config import parse_settings
from genie_obs.lakehouse.engines.engine import open_engine
from genie_obs.lakehouse.tables import Tables
from genie_obs.preview.command import open_site
from genie_obs.preview.file.parse import parse_dashboard
from genie_obs.preview.page.server import serve
from genie_obs.preview.page.site import Site
from genie_obs.simulator import AccountSpec, generate_account, write_system_tables

HOSTILE = (
    "<script>window.hacked = 1</script>",
    '"><img src="https://example.invalid/x.png" onerror="window.hacked = 2">',
    "</script><script>window.hacked = 3</script>",
    "{{constructor.constructor('window.hacked = 4')()}} <!-- `${1}` \u2028 javascript:alert(1)",
)
STATUSES = ("COMPLETED", "COMPLETED", "COMPLETED", "FAILED", "CANCELLED")
WORKSPACES = ("1001", "1002")
MESSAGE_COUNT = 120


def message_rows(now: datetime) -> list[dict[str, Any]]:
    """Return messages of the last 60 days in two workspaces; every question of the first conversation is hostile."""
    rows = []
    for number in range(MESSAGE_COUNT):
        created = (now - timedelta(hours=12 * number + 1)).replace(microsecond=0)
        is_hostile = number < len(HOSTILE)
        text = HOSTILE[number] if is_hostile else f"Question {number}"
        status = "COMPLETED" if is_hostile else STATUSES[number % len(STATUSES)]
        conversation = 0 if is_hostile else 1 + number // 3
        rows.append(
            {
                "workspace_id": WORKSPACES[conversation % 2],
                "workspace_name": f"workspace {conversation % 2}",
                "message_id": f"m{number:04d}",
                "conversation_id": f"c{conversation:04d}",
                "space_id": f"s{number % 4}",
                "space_name": HOSTILE[1] if number % 4 == 0 else f"Space {number % 4}",
                "user_email": f"user{number % 7}@example.com",
                "content": text,
                "status": status,
                "created_timestamp": int(created.timestamp() * 1_000),
                "created_at": created,
                "created_date": created.date(),
                "query_sql": f"SELECT {number} -- {text}" if status == "COMPLETED" else None,
                "answer_text": text if is_hostile else f"Answer {number}",
                "query_duration_ms": None if status == "FAILED" else 400 + 37 * number % 9_000,
                "query_row_count": number,
                "feedback_rating": ("POSITIVE", "NEGATIVE", None)[number % 3],
                "feedback_comment": text if is_hostile else None,
                "error_type": "SQL_EXECUTION_EXCEPTION" if status == "FAILED" else None,
                "error_message": f"{HOSTILE[0]} failed" if status == "FAILED" else None,
                "is_deleted": False,
            }
        )
    return rows


def make_lakehouse(folder: Path) -> Path:
    """Make system tables of a tiny account, our tables, and the messages above in them."""
    account = generate_account(AccountSpec(message_count=40, days=10, user_count=8, until=datetime.now(UTC)))
    write_system_tables(account, folder)
    settings = parse_settings({"engine": "local", "lakehouse": str(folder)}, {})
    engine = open_engine(settings.engine)
    try:
        Tables(engine).create()
    finally:
        engine.close()
    place = str(folder / "main" / "genie_analytics" / "message_details")
    schema = pa.schema(DeltaTable(place).schema().to_arrow())
    rows = message_rows(datetime.now(UTC))
    columns = {field.name: [row.get(field.name) for row in rows] for field in schema}
    write_deltalake(place, pa.table(columns, schema=schema), mode="append")
    return folder


def field(name: str, expression: str | None = None) -> dict[str, str]:
    return {"name": name, "expression": expression or f"`{name}`"}


def widget(
    name: str,
    kind: str,
    encodings: dict[str, Any],
    fields: list[dict[str, str]],
    *,
    dataset: str = "messages",
    disaggregated: bool = False,
    place: tuple[int, int, int, int] = (0, 0, 6, 6),
    query: dict[str, Any] | None = None,
    spec: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a widget in its place, as the file holds it."""
    main = {"datasetName": dataset, "fields": fields, "disaggregated": disaggregated, **(query or {})}
    x, y, width, height = place
    return {
        "widget": {
            "name": name,
            "queries": [{"name": "main_query", "query": main}],
            "spec": {
                "version": 3,
                "widgetType": kind,
                "encodings": encodings,
                "frame": {"showTitle": True, "title": name.replace("-", " ").capitalize()},
                **(spec or {}),
            },
        },
        "position": {"x": x, "y": y, "width": width, "height": height},
    }


def temporal(name: str, title: str) -> dict[str, Any]:
    return {"fieldName": name, "displayName": title, "scale": {"type": "temporal"}}


def amount(name: str, title: str) -> dict[str, Any]:
    return {"fieldName": name, "displayName": title, "scale": {"type": "quantitative"}}


def category(name: str, title: str, **scale: Any) -> dict[str, Any]:
    return {"fieldName": name, "displayName": title, "scale": {"type": "categorical", **scale}}


MARKDOWN = """## How to read this page
A line of text, then a table:
| tile | shows | rows |
|---|:-:|--:|
| Heat | **hours** | 24 |
| Pivot | `spaces` \\| states | 4 |

- first, and its parts
  - a part
    1. deep
    2. deeper
  - another part,
    which goes on
- second with \\*stars\\* and **a * b**, see https://example.com/a_b.

3. starts at three

> quoted

```
SELECT 1
```
"""
DAY = field("daily(created_at)", 'DATE_TRUNC("DAY", `created_at`)')
COUNT = field("count(*)", "COUNT(`*`)")
DATASET_SQL = """SELECT
  workspace_id, space_name, conversation_id, message_id, user_email, content, status, created_date, created_at,
  query_duration_ms / 1000.0 AS duration_s, hour(created_at) AS hour_of_day
FROM message_details
WHERE (:workspace_id_filter = 'ALL' OR array_contains(split(:workspace_id_filter, ','), workspace_id))
  AND created_date >= date_sub(current_date(), :days_lookback)
ORDER BY created_at DESC
"""


def parameter(keyword: str, data_type: str, value: str) -> dict[str, Any]:
    chosen = {"values": {"dataType": data_type, "values": [{"value": value}]}}
    return {"displayName": keyword, "keyword": keyword, "dataType": data_type, "defaultSelection": chosen}


PARAMETERS = [parameter("workspace_id_filter", "STRING", "ALL"), parameter("days_lookback", "INTEGER", "90")]


def parameter_filter(name: str, title: str, keyword: str, options: str, default: dict[str, Any]) -> dict[str, Any]:
    """Return a single select that sets a parameter of the dataset `messages` and takes its options from another."""
    queries = [
        {"name": "o", "query": {"datasetName": options, "fields": [field(keyword)], "disaggregated": False}},
        {
            "name": "p",
            "query": {
                "datasetName": "messages",
                "parameters": [{"name": keyword, "keyword": keyword}],
                "disaggregated": False,
            },
        },
    ]
    spec = {
        "version": 2,
        "widgetType": "filter-single-select",
        "disallowAll": True,
        "encodings": {
            "fields": [{"fieldName": keyword, "queryName": "o"}, {"parameterName": keyword, "queryName": "p"}]
        },
        "selection": {"defaultSelection": default},
        "frame": {"showTitle": True, "title": title},
    }
    return {
        "widget": {"name": name, "queries": queries, "spec": spec},
        "position": {"x": 0, "y": 0, "width": 1, "height": 2},
    }


def dashboard_json() -> dict[str, Any]:
    """Return a dashboard with every kind of tile over one dataset, so that clicks on marks filter all of them."""
    datasets = [
        {"name": "messages", "queryLines": [DATASET_SQL], "parameters": PARAMETERS},
        {
            "name": "workspaces",
            "queryLines": ["SELECT 'ALL' AS workspace_id_filter UNION SELECT workspace_id FROM message_details"],
        },
        {"name": "lookbacks", "queryLines": ["SELECT * FROM VALUES (7), (30), (90) AS t(days_lookback)"]},
        {"name": "broken", "queryLines": ["SELECT nothing FROM no_such_table"]},
    ]
    return {"datasets": datasets, "pages": [_overview(), _more(), _filters()], "uiSettings": {}}


def _overview() -> dict[str, Any]:
    columns = [
        {"fieldName": n, "displayName": n} for n in ("created_at", "space_name", "content", "status", "duration_s")
    ]
    layout = [
        {
            "widget": {"name": "t", "multilineTextboxSpec": {"lines": ["# Messages\n", f"Text with {HOSTILE[0]}"]}},
            "position": {"x": 0, "y": 0, "width": 12, "height": 2},
        },
        widget("messages-counter", "counter", {"value": amount("count(*)", "Messages")}, [COUNT], place=(0, 2, 3, 3)),
        widget(
            "messages-by-status",
            "bar",
            {"x": category("status", "Status"), "y": amount("count(*)", "Messages")},
            [field("status"), COUNT],
            place=(0, 5, 6, 6),
        ),
        widget(
            "messages-by-day",
            "bar",
            {
                "x": temporal(DAY["name"], "Day"),
                "y": amount("count(*)", "Messages"),
                "color": category("status", "Status"),
            },
            [DAY, field("status"), COUNT],
            place=(6, 5, 6, 6),
        ),
        widget(
            "spaces",
            "pie",
            {"angle": amount("count(*)", "Messages"), "color": category("space_name", HOSTILE[1])},
            [field("space_name"), COUNT],
            place=(0, 11, 6, 6),
        ),
        widget(
            "message-list",
            "table",
            {"columns": columns},
            [field(c["fieldName"]) for c in columns],
            disaggregated=True,
            place=(0, 17, 12, 8),
        ),
    ]
    return {
        "name": "overview",
        "displayName": "Overview",
        "pageType": "PAGE_TYPE_CANVAS",
        "layoutVersion": "GRID_V1",
        "layout": layout,
    }


def _more() -> dict[str, Any]:
    status, space = field("status"), field("space_name")
    layout = [
        widget(
            "by-space",
            "line",
            {
                "x": temporal(DAY["name"], "Day"),
                "y": amount("count(*)", "Messages"),
                "color": category("space_name", "Space"),
            },
            [DAY, space, COUNT],
        ),
        widget(
            "heat",
            "heatmap",
            {
                "x": category("hour_of_day", "Hour"),
                "y": category("status", "Status"),
                "color": amount("count(*)", "Messages"),
            },
            [field("hour_of_day"), status, COUNT],
            place=(6, 0, 6, 6),
        ),
        widget(
            "pivot",
            "pivot",
            {
                "rows": [{"fieldName": "space_name", "displayTotal": True}],
                "columns": [{"fieldName": "status"}],
                "cell": {"fields": [{"fieldName": "count(*)"}]},
            },
            [space, status, COUNT],
            place=(0, 6, 6, 6),
        ),
        widget(
            "broken-tile",
            "bar",
            {"x": category("nothing", "x"), "y": amount("count(*)", "y")},
            [field("nothing"), COUNT],
            dataset="broken",
            place=(6, 6, 6, 6),
        ),
        widget(
            "empty-tile",
            "bar",
            {"x": category("status", "x"), "y": amount("count(*)", "y")},
            [status, COUNT],
            query={"filters": [{"expression": "`status` = 'NOBODY'"}]},
            place=(0, 12, 6, 4),
        ),
        widget("word-cloud", "word-cloud", {}, [status], place=(6, 12, 6, 4)),
        {
            "widget": {"name": "markdown", "multilineTextboxSpec": {"lines": MARKDOWN.splitlines(keepends=True)}},
            "position": {"x": 0, "y": 16, "width": 6, "height": 8},
        },
    ]
    return {
        "name": "more",
        "displayName": "More",
        "pageType": "PAGE_TYPE_CANVAS",
        "layoutVersion": "GRID_V1",
        "layout": layout,
    }


def _filters() -> dict[str, Any]:
    layout = [
        parameter_filter(
            "f-workspace", "Workspace", "workspace_id_filter", "workspaces", PARAMETERS[0]["defaultSelection"]
        ),
        parameter_filter("f-days", "Look back (days)", "days_lookback", "lookbacks", PARAMETERS[1]["defaultSelection"]),
    ]
    return {"name": "filters", "displayName": "Filters", "pageType": "PAGE_TYPE_GLOBAL_FILTERS", "layout": layout}


@contextmanager
def site_over(lakehouse: Path, content: dict[str, Any], **overrides: str) -> Iterator[Site]:
    """Open a dashboard, given as JSON, over a lakehouse."""
    file = lakehouse.parent / f"dashboard-{threading.get_ident()}.lvdash.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    settings = parse_settings({"engine": "local", "lakehouse": str(lakehouse)}, {})
    with open_site(settings, dashboard_file=file, overrides=overrides) as site:
        yield site


def other_dashboard(site: Site, content: dict[str, Any]) -> Site:
    """Return another dashboard over the same engine."""
    return Site(dashboard=parse_dashboard(content, title="Odd"), runner=site.runner, overrides={}, now=site.now)


@contextmanager
def served(site: Site) -> Iterator[str]:
    """Serve a site on a free port of this machine while the block runs; gives its address."""
    ready: list[str] = []
    is_ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    def on_ready(address: str) -> None:
        ready.append(address)
        is_ready.set()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            loop.run_until_complete, serve(site, host="127.0.0.1", port=0, on_ready=on_ready, stop=stop)
        )
        try:
            running.add_done_callback(lambda _: is_ready.set())
            assert is_ready.wait(30)
            assert ready, running.exception()
            yield ready[0]
        finally:
            loop.call_soon_threadsafe(stop.set)
            wait([running], 30)
            loop.close()
