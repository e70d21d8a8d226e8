"""What stands where on the dashboard: one function per page."""

from __future__ import annotations

from collections.abc import Mapping

from tools.dashboard_queries import Query
from tools.dashboard_widgets import (
    BLUE, COUNT, DECIMAL, GREEN, GREY, ORANGE, PERCENT, PINK, RED, SKY, Field, Json, chart, col, counter, day, parameter_filter,
    pie, place, table, text, total,
)  # fmt: skip

# One colour per outcome on every page.
OUTCOME = {
    "answered": GREEN,
    "asked back": SKY,
    "no answer": PINK,
    "failed": RED,
    "cancelled": GREY,
    "unfinished": ORANGE,
}


def theme() -> Json:
    """Return the theme: an Okabe-Ito palette that works on light and dark."""
    return {
        "canvasBackgroundColor": {"light": "#F7F9FA", "dark": "#1F272D"},
        "widgetBackgroundColor": {"light": "#FFFFFF", "dark": "#11171C"},
        "widgetBorderColor": {"light": "#E3E8EC", "dark": "#2B353D"},
        "fontColor": {"light": "#11171C", "dark": "#E8ECF0"},
        "selectionColor": {"light": "#2272B4", "dark": "#8ACAFF"},
        "visualizationColors": ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8C8C8C"],
        "widgetHeaderAlignment": "LEFT",
    }


def build_pages(queries: Mapping[str, Query], defaults: Mapping[str, Json]) -> list[Json]:
    """Return all pages; the filters set every dataset that has their parameter."""
    return [_page("overview", "Overview", _overview()), _filters(queries, defaults)]


def _page(name: str, title: str, bands: list[tuple[int, list[tuple[int, Json]]]]) -> Json:
    return {
        "name": name,
        "displayName": title,
        "pageType": "PAGE_TYPE_CANVAS",
        "layoutVersion": "GRID_V1",
        "layout": place(bands),
    }


def _filters(queries: Mapping[str, Query], defaults: Mapping[str, Json]) -> Json:
    def bound(parameter: str) -> list[str]:
        return [query.query_id for query in queries.values() if parameter in query.parameters]

    lookback = parameter_filter(
        "filter-lookback", "Look back (days)", options="lookback_options", column="days_lookback", parameter="days_lookback",
        default=defaults["days_lookback"], datasets=bound("days_lookback"), note="Days back from today, UTC",
    )  # fmt: skip
    workspace = parameter_filter(
        "filter-workspace", "Workspace id", options="workspace_options", column="workspace_id", parameter="workspace_id_filter",
        default=defaults["workspace_id_filter"], datasets=bound("workspace_id_filter"), note="ALL, or one workspace",
    )  # fmt: skip
    page = _page("filters", "Filters", [(2, [(6, lookback), (6, workspace)])])
    return page | {"pageType": "PAGE_TYPE_GLOBAL_FILTERS"}


def _freshness(page: str) -> Json:
    late: Json = {
        "type": "basic",
        "rules": [
            {
                "condition": {"operator": ">=", "operand": {"type": "data-value", "value": "26"}},
                "backgroundColor": "#FFE0CC",
            }
        ],
    }
    columns = [
        col("audit_read_until_at", "Audit log read until (UTC)"),
        col("last_run_at", "Last run ended (UTC)"),
        col("last_run_status", "Last run"),
        col("hours_since_last_run", "Hours since", DECIMAL, late),
        col("witnessed_count", "Messages witnessed", COUNT),
        col("stored_count", "Stored", COUNT),
        col("stored_ratio", "Stored of what still exists", PERCENT),
        col("gone_count", "Deleted before they were read", COUNT),
        col("unreadable_count", "Not readable", COUNT),
        col("waiting_count", "Waiting", COUNT),
        col("given_up_count", "Given up", COUNT),
        col("oldest_waiting_at", "Oldest waiting (UTC)"),
    ]
    return table(f"{page}-freshness", "freshness", columns, "How fresh and how complete are these figures?")


def _overview() -> list[tuple[int, list[tuple[int, Json]]]]:
    def number(name: str, title: str, column: str, note: str, fmt: Json) -> tuple[int, Json]:
        previous = col(f"previous_{column}", "Window before", fmt)
        return 3, counter(
            f"overview-{name}", "period_comparison", col(column, title, fmt), title, previous=previous, note=note
        )

    messages = total("message_count", "Questions")
    outcome = col("outcome", "Outcome")
    workspace_columns: list[Field] = [
        col("workspace", "Workspace"),
        col("workspace_id", "Workspace id"),
        col("message_count", "Questions", COUNT),
        col("active_user_count", "People", COUNT),
        col("space_count", "Spaces", COUNT),
        col("conversation_count", "Conversations", COUNT),
        col("answered_ratio", "Answered", PERCENT),
        col("finished_count", "of finished (n)", COUNT),
        col("failed_count", "Failed", COUNT),
        col("helpful_ratio", "Helpful", PERCENT),
        col("rated_count", "of rated (n)", COUNT),
        col("p90_answer_seconds", "p90 answer (s)", DECIMAL),
        col("timed_count", "of timed (n)", COUNT),
        col("last_asked_at", "Last question (UTC)"),
    ]
    return [
        (2, [(12, text("overview-title", "# Genie: is it used, does it answer, what needs a hand?", "",
                       "Every question of the window counts, failed and deleted ones included. Times are UTC."))]),
        (3, [(12, _freshness("overview"))]),
        (3, [number("messages", "Questions asked", "message_count", "against the window before", COUNT),
             number("users", "People who asked", "active_user_count", "service principals apart", COUNT),
             number("conversations", "Conversations", "conversation_count", "with a question in the window", COUNT),
             number("spaces", "Spaces asked", "space_count", "with a question in the window", COUNT)]),
        (3, [number("answered", "Answered", "answered_ratio", "of finished questions", PERCENT),
             number("failed", "Failed", "failed_ratio", "of finished questions", PERCENT),
             number("helpful", "Rated helpful", "helpful_ratio", "of rated questions; see n below", PERCENT),
             number("p90", "Answered within (p90, s)", "p90_answer_seconds", "question to end of its SQL, 9 of 10", DECIMAL)]),
        (7, [(8, chart("bar", "overview-outcomes-by-day", "message_outcomes", "What became of the questions, by day?",
                       x=day("created_date"), y=messages, color=outcome, colors=OUTCOME, layout="stack")),
             (4, pie("overview-outcome-share", "message_outcomes", "What share was answered?", angle=messages, color=outcome,
                     colors=OUTCOME))]),
        (7, [(6, chart("bar", "overview-spaces", "message_outcomes", "Which spaces are asked most?", x=messages,
                       y=col("space", "Space"), color=outcome, colors=OUTCOME, layout="stack", sort={"by": "x-reversed"})),
             (6, chart("line", "overview-users-by-day", "active_users_by_day", "How many people ask?", x=day("created_date"),
                       y=[col("daily_active_user_count", "That day (people)", COUNT),
                          col("weekly_active_user_count", "7 days up to it (people)", COUNT)]))]),
        (7, [(12, table("overview-workspaces", "workspaces", workspace_columns,
                        "Which workspaces use Genie, and how well does it work there?"))]),
    ]  # fmt: skip


_ = BLUE
