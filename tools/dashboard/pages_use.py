"""The pages about use: Overview, Adoption, Conversations, Spaces."""

from __future__ import annotations

from tools.dashboard.page_top import (
    CHANNEL,
    ENDING,
    HEALTH,
    LARGEST_FIRST_Y,
    OUTCOME,
    SEGMENT,
    in_order,
    mark_from,
    page_top,
)  # fmt: skip
from tools.dashboard.widgets import (
    COUNT,
    DECIMAL,
    PERCENT,
    Bands,
    Field,
    Json,
    chart,
    col,
    counter,
    day,
    field_filter,
    heatmap,
    pie,
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
_WEEKDAYS = in_order("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def overview() -> Bands:
    """Return the page a sponsor opens."""
    messages = total("message_count", "Questions")
    outcome = col("outcome", "Outcome")
    workspaces = [
        col("workspace", "Workspace"), col("workspace_id", "Workspace id"), col("message_count", "Questions", COUNT),
        col("active_user_count", "People", COUNT), col("space_count", "Spaces", COUNT),
        col("conversation_count", "Conversations", COUNT), col("answered_ratio", "Answered", PERCENT),
        col("finished_count", "of finished (n)", COUNT), col("failed_count", "Failed", COUNT),
        col("helpful_ratio", "Helpful", PERCENT), col("rated_count", "of rated (n)", COUNT),
        col("p90_answer_seconds", "p90 answer (s)", DECIMAL), col("timed_count", "of timed (n)", COUNT),
        col("last_asked_at", "Last question (UTC)"),
    ]  # fmt: skip
    return [
        *page_top("overview", "Genie: is it used, does it answer, what needs a hand?",
                  "Every question of the window counts, failed and deleted ones included. Times are UTC."),
        (3, [_compared("messages", "Questions asked", "message_count", "against the window before", COUNT),
             _compared("users", "People who asked", "active_user_count", "service principals apart", COUNT),
             _compared("conversations", "Conversations", "conversation_count", "with a question in the window", COUNT),
             _compared("space-count", "Spaces asked", "space_count", "with a question in the window", COUNT)]),
        (3, [_compared("answered", "Answered", "answered_ratio", "of finished questions; n in the table below", PERCENT),
             _compared("failed", "Failed", "failed_ratio", "of finished questions; n in the table below", PERCENT),
             _compared("helpful", "Rated helpful", "helpful_ratio", "of rated questions; n in the table below", PERCENT),
             _compared("p90", "Answered within (p90, seconds)", "p90_answer_seconds", "question to end of its SQL, 9 of 10", DECIMAL)]),
        (7, [(8, chart("bar", "overview-outcomes-by-day", "message_outcomes", "What became of the questions, day by day?",
                       x=day("created_date"), y=messages, color=outcome, colors=OUTCOME, layout="stack")),
             (4, pie("overview-outcome-share", "message_outcomes", "What share was answered?", angle=messages, color=outcome,
                     colors=OUTCOME))]),
        (7, [(6, chart("bar", "overview-spaces", "message_outcomes", "Which spaces are asked most?", x=messages,
                       y=col("space", "Space"), color=outcome, colors=OUTCOME, layout="stack", sort=LARGEST_FIRST_Y)),
             (6, chart("line", "overview-users-by-day", "active_users_by_day", "How many people ask?", x=day("created_date"),
                       y=_people_series(), y_title="People"))]),
        (5, [(12, table("overview-workspaces", "workspaces", workspaces,
                        "Which workspaces use Genie, and how well does it work there?"))]),
    ]  # fmt: skip


def adoption() -> Bands:
    """Return the page on who asks, how often, and who stays."""
    people = total("user_count", "People")
    users = [
        col("asker", "Who"), col("asker_kind", "Kind"), col("segment", "Segment"), col("message_count", "Questions", COUNT),
        col("conversation_count", "Conversations", COUNT), col("active_day_count", "Active days", COUNT),
        col("space_count", "Spaces", COUNT), col("workspace_count", "Workspaces", COUNT),
        col("answered_ratio", "Answered", PERCENT), col("finished_count", "of finished (n)", COUNT),
        col("failed_count", "Failed", COUNT, mark_from("3")), col("positive_count", "Rated up", COUNT),
        col("negative_count", "Rated down", COUNT, mark_from("3")), col("needs_help", "Needs help"),
        col("first_asked_at", "First question (UTC)"), col("last_asked_at", "Last question (UTC)"),
    ]  # fmt: skip
    kinds = [
        col("workspace", "Workspace"), col("asker_kind", "Kind"), col("asker_count", "Askers", COUNT),
        col("message_count", "Questions", COUNT), col("answered_ratio", "Answered", PERCENT),
        col("finished_count", "of finished (n)", COUNT), col("failed_count", "Failed", COUNT),
        col("last_asked_at", "Last question (UTC)"),
    ]  # fmt: skip
    reach = [
        col("workspace", "Workspace"), col("space", "Space"), col("visitor_count", "Opened it (n)", COUNT),
        col("asker_count", "Asked", COUNT), col("only_looked_count", "Only looked", COUNT), col("asker_ratio", "Asked of opened", PERCENT),
    ]  # fmt: skip
    clients = [
        col("client", "Client"), col("activity", "Activity"), col("event_count", "Events (n)", COUNT),
        col("actor_count", "Actors", COUNT), col("unsuccessful_ratio", "Not successful", PERCENT),
        col("refused_count", "Refused (403, 404)", COUNT), col("throttled_count", "Throttled (429)", COUNT),
        col("server_error_count", "Server errors", COUNT), col("last_event_at", "Last event (UTC)"),
    ]  # fmt: skip
    return [
        *page_top("adoption", "Who uses Genie, how often, and who stays?",
                  "People are askers with an e-mail address; service principals are counted apart, our own reads never."),
        (7, [(8, chart("line", "adoption-users-by-day", "active_users_by_day", "How many people ask, that day and in 7 days?",
                       x=day("created_date"), y=_people_series(), y_title="People")),
             (4, chart("bar", "adoption-depth", "usage_depth", "How deep is the use?", x=col("questions_per_user", "Questions per person"),
                       y=people, sort=in_order("1 question", "2 to 5", "6 to 20", "21 to 100", "over 100"), labels=True))]),
        (7, [(6, chart("bar", "adoption-segments", "weekly_user_segments", "Who comes, stays, comes back and leaves, week by week?",
                       x=week("week_start_date"), y=people, color=col("segment", "Segment"), colors=SEGMENT, layout="group",
                       note="lapsed: asked the week before, not this week")),
             (6, heatmap("adoption-cohorts", "user_cohorts", "Do people who tried Genie come back?",
                         x=col("weeks_since_first", "Weeks since the first question"), y=col("cohort", "Week of the first question"),
                         color=col("retained_ratio", "Asked again", PERCENT), x_sort={"by": "natural-order"},
                         y_sort={"by": "natural-order"}, scheme="greenblue", labels=True))]),
        (7, [(6, heatmap("adoption-busy-hours", "busy_hours", "When do people ask (UTC)?", x=col("hour_of_day", "Hour of the day (UTC)"),
                         y=col("weekday_name", "Weekday"), color=col("message_count", "Questions", COUNT),
                         x_sort={"by": "natural-order"}, y_sort=_WEEKDAYS)),
             (6, chart("bar", "adoption-channels", "channel_by_day", "In the browser or through the API?", x=day("witnessed_date"),
                       y=total("message_count", "Questions"), color=col("channel", "Channel"), colors=CHANNEL, layout="stack"))]),
        (6, [(6, table("adoption-kinds", "asker_kinds", kinds, "People or programs?")),
             (6, table("adoption-reach", "reach_and_depth", reach, "Do visitors become askers?"))]),
        (9, [(12, table("adoption-users", "users", users, "Who asks, and how does it go for them?",
                        note="lost: asked before the window, not in it; power user: asked on 8 days or more"))]),
        (7, [(12, table("adoption-clients", "api_clients", clients, "What does the audit log count, by client?",
                        note="Events, not questions: every poll is one. Our own reads are shown here and nowhere else"))]),
    ]  # fmt: skip


def conversations() -> Bands:
    """Return the page to read what was asked."""
    ending = col("ending", "Ending")
    listed = [
        col("started_at", "Began (UTC)"), col("space", "Space"), col("asker", "Who"), col("first_question", "First question"),
        col("message_count", "Questions", COUNT), col("duration_minutes", "Minutes", DECIMAL), col("ending", "Ending"),
        col("answered_count", "Answered", COUNT), col("failed_count", "Failed", COUNT), col("asked_back_count", "Asked back", COUNT),
        col("unanswered_count", "No answer or cancelled", COUNT), col("negative_count", "Rated down", COUNT),
        col("trouble_count", "Troubles", COUNT, mark_from("2")), col("conversation_url", "Link to Databricks"), *_KEYS,
    ]  # fmt: skip
    questions = [
        col("created_at", "Asked (UTC)"), col("space", "Space"), col("asker", "Who"), col("question", "Question"),
        col("status", "Status"), col("answer_text", "Answer"), col("clarification_text", "Asked back"), col("query_sql", "SQL"),
        col("query_row_count", "Rows", COUNT), col("query_seconds", "SQL (s)", DECIMAL), col("feedback_rating", "Rating"),
        col("feedback_comment", "Comment"), col("error_type", "Error"), col("is_deleted_in_genie", "Deleted"),
        col("conversation_url", "Link to Databricks"), *_KEYS,
    ]  # fmt: skip
    transcript = [
        col("created_at", "Asked (UTC)"), col("space", "Space"), col("asker", "Who"),
        col("question", "Question"), col("answer_text", "Answer"), col("clarification_text", "Asked back"), col("query_sql", "SQL"),
        col("status", "Status"), col("query_row_count", "Rows", COUNT), col("thinking_seconds", "Thinking (s)", DECIMAL),
        col("query_seconds", "SQL (s)", DECIMAL), col("feedback_rating", "Rating"), col("feedback_comment", "Comment"),
        col("error_message", "Error"), *_KEYS,
    ]  # fmt: skip
    return [
        *page_top("conversations", "What was asked, and how did it go?",
                  "Click an ending or a length to filter the lists below; pick a conversation to read all of it."),
        (6, [(4, chart("bar", "conversations-endings", "conversations", "How do conversations end?", x=rows("Conversations"), y=ending,
                       color=ending, colors=ENDING, sort=LARGEST_FIRST_Y, labels=True)),
             (4, chart("bar", "conversations-lengths", "conversations", "How long are they?", x=col("length_class", "Questions"),
                       y=rows("Conversations"), color=ending, colors=ENDING, layout="stack",
                       sort=in_order("1 question", "2 questions", "3 to 5", "6 to 10", "over 10"))),
             (4, chart("bar", "conversations-struggling", "conversations", "Where do people struggle?", x=rows("Conversations"),
                       y=col("space", "Space"), sort=LARGEST_FIRST_Y, where="`struggle` IN ('struggling')",
                       note="two troubles or more: failed, asked back, no answer, cancelled, rated down"))]),
        (8, [(12, table("conversations-struggling-list", "conversations", listed, "Which conversations struggled?",
                        where="`struggle` IN ('struggling')"))]),
        (9, [(12, table("conversations-latest", "latest_questions", questions, "What was asked last, and what was answered?",
                        note="newest 1,000; failed, deleted and text-only ones included"))]),
        (2, [(6, field_filter("conversations-pick-id", "Conversation id", column="conversation_id", datasets=["conversation_transcript"])),
             (6, field_filter("conversations-pick-asker", "Who asked", column="asker", datasets=["conversation_transcript"]))]),
        (9, [(12, table("conversations-transcript", "conversation_transcript", transcript,
                        "What was said in the conversation picked above?",
                        note="all messages in order; pick a conversation first"))]),
    ]  # fmt: skip


def spaces() -> Bands:
    """Return the page on the inventory of spaces and their health."""
    health = col("health", "Health")
    inventory = [
        col("workspace", "Workspace"), col("space", "Space"), col("health", "Health"), col("message_count", "Questions", COUNT),
        col("asker_count", "Askers", COUNT), col("answered_ratio", "Answered", PERCENT), col("finished_count", "of finished (n)", COUNT),
        col("failed_count", "Failed", COUNT), col("helpful_ratio", "Helpful", PERCENT), col("rated_count", "of rated (n)", COUNT),
        col("last_asked_at", "Last question (UTC)"), col("days_since_asked", "Days since", COUNT, mark_from("30")),
        col("owner", "Home folder of"), col("warehouse_id", "Warehouse"), col("space_created_at", "Created (UTC)"),
        col("space_updated_at", "Changed (UTC)"), col("same_title_count", "Spaces of this title", COUNT, mark_from("2")),
        col("unreadable_message_count", "Messages not readable", COUNT, mark_from("1")), col("description", "Description"),
        col("space_url", "Link to Databricks"), col("space_id", "Space id"),
    ]  # fmt: skip
    setup = [
        col("space", "Space"), col("missing", "What is missing"), col("table_count", "Tables", COUNT),
        col("metric_view_count", "Metric views", COUNT), col("text_instruction_count", "Instructions", COUNT),
        col("example_query_count", "Example queries", COUNT), col("join_count", "Joins", COUNT),
        col("sample_question_count", "Sample questions", COUNT), col("benchmark_count", "Benchmarks", COUNT),
        col("space_updated_at", "Changed (UTC)"),
    ]  # fmt: skip
    effect = [
        col("space", "Space"), col("space_updated_at", "Changed (UTC)"), col("before_answered_ratio", "Answered before", PERCENT),
        col("before_finished_count", "of finished (n)", COUNT), col("after_answered_ratio", "Answered after", PERCENT),
        col("after_finished_count", "of finished after (n)", COUNT), col("before_helpful_ratio", "Helpful before", PERCENT),
        col("before_rated_count", "of rated (n)", COUNT), col("after_helpful_ratio", "Helpful after", PERCENT),
        col("after_rated_count", "of rated after (n)", COUNT),
    ]  # fmt: skip
    events = [
        col("event_time", "When (UTC)"), col("kind", "Kind"), col("action_name", "Action"), col("actor", "Who"), col("space", "Space"),
        col("status_code", "Status"), col("workspace_id", "Workspace id"),
    ]  # fmt: skip
    return [
        *page_top("spaces", "Which spaces matter, and which rot?",
                  "All spaces ever read, asked or witnessed; activity is that of the window."),
        (6, [(4, pie("spaces-health", "spaces", "How healthy are the spaces?", angle=rows("Spaces"), color=health, colors=HEALTH,
                     note="answers badly: under 70 % of 5 or more finished questions answered")),
             (4, chart("bar", "spaces-best", "best_spaces", "Which spaces bring most?", x=col("value_score", "Askers × answered", DECIMAL),
                       y=col("space", "Space"), sort=LARGEST_FIRST_Y, labels=True)),
             (4, chart("bar", "spaces-worst", "worst_spaces", "Which spaces hurt most?",
                       x=col("pain_score", "Failed + no answer + rated down", COUNT), y=col("space", "Space"), sort=LARGEST_FIRST_Y,
                       labels=True))]),
        (9, [(12, table("spaces-inventory", "spaces", inventory, "Which spaces are there, and are they in use?"))]),
        (6, [(8, table("spaces-setup", "space_configuration", setup, "How well are the spaces set up?",
                       note="spaces whose configuration may be read (CAN EDIT)")),
             (4, pivot("spaces-health-by-workspace", "spaces", "Where are the unhealthy ones?", row=col("workspace", "Workspace"),
                       column=health, cell=rows("Spaces")))]),
        (6, [(12, table("spaces-effect", "space_change_effect", effect, "Did the last change of a space help?"))]),
        (8, [(12, table("spaces-events", "space_events", events, "Who changed, cloned, deleted or downloaded what?",
                        note="from the audit log; newest 1,000"))]),
    ]  # fmt: skip


def _compared(name: str, title: str, column: str, note: str, fmt: Json) -> tuple[int, Json]:
    previous = col(f"previous_{column}", "Window before", fmt)
    return 3, counter(
        f"overview-{name}", "period_comparison", col(column, title, fmt), title, previous=previous, note=note
    )


def _people_series() -> list[Field]:
    return [
        col("daily_active_user_count", "That day", COUNT),
        col("weekly_active_user_count", "7 days up to it", COUNT),
    ]
