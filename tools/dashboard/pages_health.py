"""The pages about health: Quality & failures, Performance, Coverage & pipeline."""

from __future__ import annotations

from tools.dashboard.page_top import (
    ANSWER_KIND,
    CAUSE,
    FATE,
    LARGEST_FIRST_Y,
    PURPOSE,
    in_order,
    mark_from,
    page_top,
)  # fmt: skip
from tools.dashboard.widgets import (
    COUNT,
    DECIMAL,
    PERCENT,
    Bands,
    chart,
    col,
    combo,
    day,
    pivot,
    rows,
    table,
    total,
    week,
)  # fmt: skip

_KEYS = [
    col("workspace_id", "Workspace id"),
    col("conversation_id", "Conversation id"),
    col("message_id", "Message id"),
]


def quality() -> Bands:
    """Return the page on outcomes, ratings and the work they mean."""
    cause = col("cause_group", "Cause")
    causes = [
        col("error_type", "Error type"), col("cause_group", "Group"), col("cause", "Cause"), col("owner", "Who must act"),
        col("next_step", "Next step"), col("failed_count", "Failed", COUNT), col("failed_ratio", "of all failed", PERCENT),
        col("all_failed_count", "all failed (n)", COUNT), col("asker_count", "Askers", COUNT), col("space_count", "Spaces", COUNT),
        col("novelty", "New?"), col("last_seen_at", "Last seen (UTC)"),
    ]  # fmt: skip
    failed = [
        col("created_at", "Asked (UTC)"), col("space", "Space"), col("asker", "Who"), col("question", "Question"),
        col("cause", "Cause"), col("owner", "Who must act"), col("next_step", "Next step"), col("error_type", "Error type"),
        col("error_message", "Error message"), col("query_error_message", "SQL error"), col("query_sql", "SQL"),
        col("conversation_url", "Link to Databricks"), *_KEYS,
    ]  # fmt: skip
    by_space = [
        col("workspace", "Workspace"), col("space", "Space"), col("message_count", "Questions", COUNT),
        col("asker_count", "Askers", COUNT), col("answered_ratio", "Answered", PERCENT), col("failed_ratio", "Failed", PERCENT),
        col("cancelled_ratio", "Cancelled", PERCENT), col("finished_count", "of finished (n)", COUNT),
        col("clarified_ratio", "Asked back, of questions", PERCENT), col("text_only_ratio", "Text only", PERCENT),
        col("answered_count", "of answered (n)", COUNT), col("regenerated_count", "Regenerated", COUNT),
        col("helpful_ratio", "Helpful", PERCENT), col("rated_count", "of rated (n)", COUNT), col("negative_count", "Rated down", COUNT),
    ]  # fmt: skip
    flow = [
        col("space", "Space"), col("conversation_count", "Conversations", COUNT),
        col("first_answer_ratio", "First answer right", PERCENT), col("first_finished_count", "of first questions (n)", COUNT),
        col("abandoned_ratio", "Gave up after trouble", PERCENT), col("troubled_conversation_count", "of troubled (n)", COUNT),
        col("p50_turns_to_answer", "Turns to an answer (p50)", DECIMAL), col("p90_turns_to_answer", "(p90)", DECIMAL),
        col("answered_conversation_count", "of answered (n)", COUNT),
    ]  # fmt: skip
    again = [
        col("workspace", "Workspace"), col("space", "Space"), col("rephrased_ratio", "Said again within 2 min", PERCENT),
        col("rephrased_count", "Said again", COUNT), col("message_count", "of questions (n)", COUNT),
        col("latest_question", "Latest question"), col("latest_rephrasing", "Said again as"),
    ]  # fmt: skip
    work = [
        col("created_at", "Asked (UTC)"), col("age_days", "Age (days)", COUNT, mark_from("7")), col("reason", "Why it is here"),
        col("space", "Space"), col("asker", "Who"), col("question", "Question"), col("feedback_comment", "Comment"),
        col("answer_text", "Answer"), col("query_sql", "SQL"), col("status", "Status"), col("conversation_url", "Link to Databricks"),
        *_KEYS,
    ]  # fmt: skip
    asked_back = [
        col("created_at", "Asked (UTC)"), col("space", "Space"), col("asker", "Who"), col("question", "Question"),
        col("clarification_text", "What Genie asked"), col("conversation_url", "Link to Databricks"), *_KEYS,
    ]  # fmt: skip
    families = [
        col("space", "Space"), col("latest_question", "Question, latest wording"), col("message_count", "Times", COUNT),
        col("asker_count", "Askers", COUNT), col("answered_ratio", "Answered", PERCENT), col("finished_count", "of finished (n)", COUNT),
        col("failed_count", "Failed", COUNT), col("positive_count", "Rated up", COUNT), col("negative_count", "Rated down", COUNT),
    ]  # fmt: skip
    shares = [
        col("answered_ratio", "Answered", PERCENT), col("failed_ratio", "Failed", PERCENT), col("cancelled_ratio", "Cancelled", PERCENT),
        col("clarified_ratio", "Asked back", PERCENT),
    ]  # fmt: skip
    ratings = [col("positive_count", "Rated up", COUNT), col("negative_count", "Rated down", COUNT)]
    return [
        *page_top("quality", "Does Genie answer, and what is to be done where it does not?",
                  "Ratios stand next to the number they are of (n). Click a cause or a space to filter the failed questions below."),
        (7, [(6, chart("line", "quality-shares", "answers_by_day", "What share is answered, fails, is cancelled, is asked back?",
                       x=day("created_date"), y=shares, y_title="Share of finished questions",
                       note="days with few questions swing; the number per day is on the overview")),
             (6, combo("quality-ratings", "ratings_by_week", "Are answers rated helpful?", x=week("week_start_date"), bars=ratings,
                       lines=[col("helpful_ratio", "Helpful of rated", PERCENT)]))]),
        (7, [(7, chart("bar", "quality-causes-by-day", "failures", "Why do questions fail, day by day?", x=day("created_date"),
                       y=rows("Failed questions"), color=cause, colors=CAUSE, layout="stack")),
             (5, chart("bar", "quality-causes-by-space", "failures", "Where do they fail?", x=rows("Failed questions"),
                       y=col("space", "Space"), color=cause, colors=CAUSE, layout="stack", sort=LARGEST_FIRST_Y))]),
        (7, [(12, table("quality-causes", "failure_causes", causes, "What makes questions fail, and who does what next?"))]),
        (8, [(12, table("quality-failed", "failures", failed, "Which questions failed?"))]),
        (7, [(12, table("quality-spaces", "quality_by_space", by_space, "Where does Genie answer well, where badly?"))]),
        (7, [(12, table("quality-flow", "conversation_flow", flow, "Is the first answer right, and do people give up?"))]),
        (6, [(12, table("quality-rephrased", "rephrased_by_space", again, "Where do people have to say it again?"))]),
        (8, [(12, table("quality-work", "feedback_work_list", work, "Which answers need a look?",
                        note="rated down, commented, or sent for review; newest first"))]),
        (7, [(6, table("quality-clarifications", "clarifications", asked_back, "Where does Genie ask back?",
                       note="candidates for instructions and synonyms")),
             (6, table("quality-families", "question_families", families, "What is asked again and again?",
                       note="candidates for example queries; numbers and punctuation aside"))]),
    ]  # fmt: skip


def performance() -> Bands:
    """Return the page on waiting times and statements."""
    percentiles = [
        col("p50_answer_seconds", "p50", DECIMAL), col("p90_answer_seconds", "p90", DECIMAL), col("p95_answer_seconds", "p95", DECIMAL),
    ]  # fmt: skip
    parts = [col("p50_seconds", "p50", DECIMAL), col("p90_seconds", "p90", DECIMAL), col("p95_seconds", "p95", DECIMAL)]
    part_order = in_order(
        "Genie thinks", "Waiting for compute", "Waiting at capacity", "Compiling", "Executing", "Fetching the result"
    )
    by_space = [
        col("space", "Space"), col("p50_answer_seconds", "p50 (s)", DECIMAL),
        col("p90_answer_seconds", "p90 (s)", DECIMAL, mark_from("30")),
        col("p95_answer_seconds", "p95 (s)", DECIMAL), col("p90_thinking_seconds", "Thinking p90 (s)", DECIMAL),
        col("p90_query_seconds", "SQL p90 (s)", DECIMAL), col("timed_count", "of timed (n)", COUNT), col("advice", "Advice"),
    ]  # fmt: skip
    warehouses = [
        col("warehouse_id", "Warehouse"), col("genie_statement_count", "Statements of Genie", COUNT),
        col("genie_ratio", "of all on it", PERCENT), col("statement_count", "all (n)", COUNT),
        col("genie_failed_count", "Failed", COUNT), col("busiest_minute_statement_count", "Busiest minute", COUNT),
        col("waited_for_start_count", "Waited for start", COUNT), col("waited_in_queue_count", "Waited in queue", COUNT),
        col("p95_waiting_seconds", "Waiting p95 (s)", DECIMAL), col("genie_read_gib", "Read (GiB)", DECIMAL),
        col("workspace_id", "Workspace id"),
    ]  # fmt: skip
    slowest = [
        col("query_seconds", "SQL (s)", DECIMAL), col("created_at", "Asked (UTC)"), col("space", "Space"), col("question", "Question"),
        col("bottleneck", "Bottleneck"), col("advice", "What would help"), col("waiting_for_compute_seconds", "Start (s)", DECIMAL),
        col("waiting_at_capacity_seconds", "Queue (s)", DECIMAL), col("compilation_seconds", "Compile (s)", DECIMAL),
        col("execution_seconds", "Execute (s)", DECIMAL), col("read_gib", "Read (GiB)", DECIMAL), col("read_rows", "Rows read", COUNT),
        col("query_sql", "SQL"), col("warehouse_id", "Warehouse"), col("statement_id", "Statement id"),
        col("conversation_url", "Link to Databricks"), *_KEYS,
    ]  # fmt: skip
    failing = [
        col("error_class", "Error class"), col("statement_count", "Statements", COUNT), col("message_count", "Questions", COUNT),
        col("space_count", "Spaces", COUNT), col("asker_count", "Askers", COUNT), col("owner", "Who must act"),
        col("next_step", "Next step"), col("latest_error_message", "Latest message"), col("last_seen_at", "Last seen (UTC)"),
    ]  # fmt: skip
    attempts = [
        col("statements_per_question", "Statements"), col("message_count", "Questions", COUNT), col("answered_ratio", "Answered", PERCENT),
        col("failed_ratio", "Failed", PERCENT), col("finished_count", "of finished (n)", COUNT),
    ]  # fmt: skip
    purpose = col("purpose", "Purpose")
    classes = in_order(
        "under 5 s", "5 to 10 s", "10 to 15 s", "15 to 20 s", "20 to 30 s", "30 to 60 s", "1 to 2 min", "over 2 min"
    )  # fmt: skip
    return [
        *page_top("performance", "How long do people wait, and for what?",
                  "From the question to the end of its SQL. Statements reach the system tables up to some hours after the answer."),
        (7, [(6, chart("line", "performance-by-day", "answers_by_day", "How long do people wait for an answer?", x=day("created_date"),
                       y=percentiles, y_title="Seconds to the answer")),
             (6, chart("bar", "performance-parts", "latency_parts", "Where does the time go?", x=col("part", "Part of the way"),
                       y=parts, y_title="Seconds", sort=part_order, layout="group",
                       note="percentiles of parts do not add up to those of the whole"))]),
        (6, [(6, chart("bar", "performance-distribution", "answer_time_distribution", "How are waiting times spread?",
                       x=col("seconds_class", "Time to the answer"), y=total("message_count", "Answers"),
                       color=col("answer_kind", "Kind of answer"), colors=ANSWER_KIND, layout="stack", sort=classes)),
             (6, table("performance-attempts", "statements_per_question", attempts, "How many attempts does an answer take?"))]),
        (7, [(12, table("performance-spaces", "latency_by_space", by_space, "Which spaces are slow, and is it Genie or the warehouse?"))]),
        (6, [(4, chart("bar", "performance-statements", "statements_by_day", "How many statements does Genie run?", x=day("started_date"),
                       y=total("statement_count", "Statements"), color=purpose, colors=PURPOSE, layout="stack")),
             (4, chart("bar", "performance-bytes", "statements_by_day", "How much do they read?", x=day("started_date"),
                       y=total("read_gib", "Read (GiB)", DECIMAL), color=purpose, colors=PURPOSE, layout="stack")),
             (4, chart("bar", "performance-cache", "statements_by_day", "How many come from the result cache?", x=day("started_date"),
                       y=total("cached_count", "Statements from the cache"), color=purpose, colors=PURPOSE, layout="stack"))]),
        (6, [(12, table("performance-warehouses", "warehouses", warehouses, "Which warehouses serve Genie, and do they cope?"))]),
        (8, [(12, table("performance-slowest", "slowest_statements", slowest, "Which statements are slowest, and what would help?"))]),
        (6, [(12, table("performance-failing", "failing_statements", failing, "Why does SQL fail?",
                        note="statements Genie corrected itself included"))]),
    ]  # fmt: skip


def coverage() -> Bands:
    """Return the page that proves completeness and shows the pipeline."""
    states = [
        col("state", "State"), col("meaning", "Meaning"), col("message_count", "Messages", COUNT),
        col("state_ratio", "of witnessed", PERCENT), col("witnessed_count", "witnessed (n)", COUNT),
        col("stored_count", "of these stored", COUNT), col("next_step", "What is to be done"), col("oldest_at", "Oldest (UTC)"),
    ]  # fmt: skip
    by_space = [
        col("workspace", "Workspace"), col("space", "Space"), col("witnessed_count", "Witnessed", COUNT),
        col("stored_count", "Stored", COUNT), col("stored_ratio", "Stored of reachable", PERCENT),
        col("reachable_count", "reachable (n)", COUNT), col("gone_count", "Gone or erased", COUNT),
        col("unreadable_count", "Not readable", COUNT, mark_from("1")), col("waiting_count", "Waiting", COUNT),
        col("given_up_count", "Given up", COUNT, mark_from("1")), col("last_witnessed_at", "Last witnessed (UTC)"),
        col("space_id", "Space id"),
    ]  # fmt: skip
    unreadable = [
        col("space", "Space"), col("space_id", "Space id"), col("workspace_id", "Workspace id"),
        col("unreadable_message_count", "Messages", COUNT), col("asker_count", "Askers", COUNT), col("http_status", "HTTP status"),
        col("reason_and_grant", "Reason and grant"), col("how_to_grant", "Where"), col("last_attempt_at", "Last try (UTC)"),
    ]  # fmt: skip
    refused = [
        col("space", "Space"), col("action_name", "Action"), col("client", "Client"), col("status_code", "Status"),
        col("meaning", "Meaning"), col("event_count", "Events", COUNT), col("actor_count", "Actors", COUNT),
        col("latest_actor", "Latest"), col("latest_error_message", "Message"), col("last_event_at", "Last (UTC)"),
        col("workspace_id", "Workspace id"),
    ]  # fmt: skip
    waiting = [
        col("first_event_time", "Witnessed (UTC)"), col("age_hours", "Age (hours)", DECIMAL, mark_from("24")), col("state", "State"),
        col("state_reason", "Reason"), col("space", "Space"), col("asker", "Who"), col("http_status", "HTTP status"),
        col("attempt_count", "Attempts", COUNT), col("next_attempt_at", "Next try (UTC)"), *_KEYS,
    ]  # fmt: skip
    run = [
        col("started_at", "Began (UTC)"), col("status", "Status"), col("total_seconds", "Seconds", DECIMAL),
        col("audit_lag_minutes", "Audit log behind (min)", DECIMAL), col("new_message_count", "New", COUNT),
        col("due_count", "Due", COUNT), col("fetched_count", "Fetched", COUNT), col("settling_count", "Settling", COUNT),
        col("retry_count", "To retry", COUNT), col("forbidden_count", "Forbidden", COUNT), col("abandoned_count", "Given up", COUNT),
        col("unread_count", "Left for the next run", COUNT), col("api_call_count", "Calls (n)", COUNT),
        col("api_retry_count", "Repeated", COUNT), col("throttled_count", "Throttled", COUNT),
        col("throttled_ratio", "throttled, of calls", PERCENT), col("messages_per_second", "Messages per second", DECIMAL),
        col("statements_missing_count", "Statements still looked for", COUNT), col("workspace_errors", "Workspaces not read"),
        col("error", "Error"), col("version", "Version"), col("run_id", "Run id"),
    ]  # fmt: skip
    drift = [
        col("what", "What"), col("effect", "What becomes of it"), col("seen_count", "Times", COUNT), col("run_count", "in runs (n)", COUNT),
        col("first_seen_at", "First seen (UTC)"), col("last_seen_at", "Last seen (UTC)"), col("version", "Version"),
    ]  # fmt: skip
    deleted = [
        col("found_deleted_at", "Found deleted (UTC)"), col("space", "Space"), col("asker", "Who"), col("what_is_left", "What is left"),
        col("question", "Question"), *_KEYS,
    ]  # fmt: skip
    steps = [
        col("discover_seconds", "Discover", DECIMAL), col("fetch_seconds", "Fetch", DECIMAL), col("enrich_seconds", "Enrich", DECIMAL),
    ]  # fmt: skip
    messages = total("message_count", "Messages")
    fate = col("fate", "What became of them")
    return [
        *page_top("coverage", "Is anything missing, and why?",
                  "Every message the audit log ever mentioned is in exactly one state. Nothing is left out quietly."),
        (6, [(7, chart("bar", "coverage-by-day", "coverage_by_day", "Is anything missing, on any day?", x=day("witnessed_date"),
                       y=messages, color=fate, colors=FATE, layout="stack")),
             (5, pivot("coverage-by-workspace", "coverage_by_day", "Is anything missing, in any workspace?",
                       row=col("workspace_id", "Workspace id"), column=fate, cell=messages))]),
        (6, [(12, table("coverage-states", "coverage_by_state", states, "Is every message accounted for?"))]),
        (7, [(12, table("coverage-spaces", "coverage_by_space", by_space, "Where is something missing?"))]),
        (5, [(12, table("coverage-unreadable", "unreadable_spaces", unreadable,
                        "Which spaces cannot be read, and which grant fixes it?"))]),
        (6, [(12, table("coverage-waiting", "unfinished_messages", waiting, "Which messages are waited for, and since when?",
                        note="of all time, oldest first"))]),
        (6, [(6, chart("bar", "coverage-run-steps", "runs", "How long do runs take?", x=col("started_at", "Began (UTC)"), y=steps,
                       y_title="Seconds", layout="stack", is_x_time=True)),
             (6, chart("line", "coverage-run-lag", "runs", "How far is the audit log behind?", x=col("started_at", "Began (UTC)"),
                       y=[col("audit_lag_minutes", "Newest event, minutes before the run", DECIMAL)], y_title="Minutes", is_x_time=True))]),
        (7, [(12, table("coverage-runs", "runs", run, "Does the pipeline run, and how does it do?",
                        note="the workspace filter does not apply: a run is for all"))]),
        (5, [(12, table("coverage-drift", "contract_drift", drift, "What did Databricks change that this version does not know?",
                        note="empty is good; else look for a newer version"))]),
        (7, [(7, table("coverage-refused", "refused_access", refused, "Who is refused, where, and why?")),
             (5, table("coverage-deleted", "deleted_messages", deleted, "What was deleted in Genie?"))]),
    ]  # fmt: skip
