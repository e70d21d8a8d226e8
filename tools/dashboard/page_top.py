"""What every page has in common: its heading, the line on freshness and completeness, and one colour per meaning."""

from __future__ import annotations

from tools.dashboard.widgets import (
    BLUE,
    COUNT,
    DECIMAL,
    GREEN,
    GREY,
    ORANGE,
    PERCENT,
    PINK,
    RED,
    SKY,
    YELLOW,
    Bands,
    Json,
    col,
    table,
    text,
)  # fmt: skip

OUTCOME = {
    "answered": GREEN,
    "asked back": SKY,
    "no answer": PINK,
    "failed": RED,
    "cancelled": GREY,
    "unfinished": ORANGE,
}
ENDING = {
    "answered smoothly": GREEN, "answered after trouble": YELLOW, "ended with a question back": SKY, "ended without an answer": RED,
    "still running": ORANGE,
}  # fmt: skip
FATE = {
    "stored": GREEN, "stored, settling": ORANGE, "waiting": YELLOW, "not readable": RED, "gone before it was read": GREY,
    "given up": PINK, "erased": SKY,
}  # fmt: skip
HEALTH = {
    "in use": GREEN, "single user": YELLOW, "answers badly": RED, "dormant": GREY, "never asked": SKY, "unreadable": PINK,
}  # fmt: skip
SEGMENT = {"new": SKY, "retained": GREEN, "returned": BLUE, "lapsed": GREY}
CAUSE = {
    "generated SQL": RED, "space set-up": ORANGE, "access and warehouse": PINK, "model service": BLUE, "capacity and limits": SKY,
    "interrupted": GREY, "content policy": YELLOW, "Genie internals": "#7B61A8", "unknown error type, new": "#A05A2C",
    "no type given": "#BDBDBD",
}  # fmt: skip
CHANNEL = {"Genie page": BLUE, "API": ORANGE, "not seen being asked": GREY}
PURPOSE = {"answering a question": BLUE, "profiling and authoring": GREY}
ANSWER_KIND = {"SQL": BLUE, "text only": SKY}

LARGEST_FIRST_Y: Json = {"by": "x-reversed"}


def in_order(*values: str) -> Json:
    """Return a sort that keeps categories in the order given."""
    return {"by": "custom-order", "orderedValues": list(values)}


def mark_from(threshold: str, color: str = "#FFE0CC") -> Json:
    """Return a cell style that marks values from a threshold on."""
    condition = {"operator": ">=", "operand": {"type": "data-value", "value": threshold}}
    return {"type": "basic", "rules": [{"condition": condition, "backgroundColor": color}]}


def page_top(page: str, question: str, explanation: str) -> Bands:
    """Return the two bands every page begins with."""
    columns = [
        col("audit_read_until_at", "Audit log until (UTC)"),
        col("last_run_at", "Last run (UTC)"),
        col("last_run_status", "Its status"),
        col("hours_since_last_run", "Hours ago", DECIMAL, mark_from("26")),
        col("witnessed_count", "Witnessed", COUNT),
        col("stored_count", "Stored", COUNT),
        col("stored_ratio", "Of reachable", PERCENT),
        col("gone_count", "Gone", COUNT),
        col("unreadable_count", "Forbidden", COUNT),
        col("waiting_count", "Waiting", COUNT),
        col("given_up_count", "Given up", COUNT),
        col("oldest_waiting_at", "Oldest (UTC)"),
    ]
    freshness = table(f"{page}-freshness", "freshness", columns, "How fresh and how complete are these figures?")
    return [(2, [(12, text(f"{page}-title", f"# {question}", "", explanation))]), (3, [(12, freshness)])]
