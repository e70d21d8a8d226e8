"""What becomes of a question: an answer with SQL, an answer in words only, a question back, or a failure."""

import random
from collections.abc import Callable

from genie_obs.simulator.account.message import Query, SimulatedMessage
from genie_obs.simulator.account.space import SimulatedSpace
from genie_obs.simulator.account.statements import API_CLIENT, UI_CLIENT, Statement
from genie_obs.simulator.business.plan import Plan, pick_plan
from genie_obs.simulator.business.sql import sql_of
from genie_obs.simulator.ids import seeded_uuid
from genie_obs.simulator.instants import NEVER_US

OUTCOMES = ("completed", "text", "clarification", "failed", "cancelled", "expired", "running", "stuck")
_STATUSES = {"failed": "FAILED", "cancelled": "CANCELLED", "expired": "QUERY_RESULT_EXPIRED"}  # the others: COMPLETED
# By type (SDK: MessageErrorType): how often, and the text. Users report SQL that does not run most often, then missing tables, then
# the model service.
ERRORS = {
    "SQL_EXECUTION_EXCEPTION": (
        34,
        "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable, or function parameter with name `{column}` cannot be resolved.",
    ),
    "TABLES_MISSING_EXCEPTION": (9, "The table {table} no longer exists or you do not have access to it."),
    "INVALID_SQL_UNKNOWN_TABLE_EXCEPTION": (8, "The generated SQL refers to an unknown table."),
    "WAREHOUSE_ACCESS_MISSING_EXCEPTION": (7, "You do not have permission to use the SQL warehouse of this space."),
    "CONTENT_FILTER_EXCEPTION": (5, "The response was filtered by the content policy."),
    "RATE_LIMIT_EXCEEDED_GENERIC_EXCEPTION": (7, "Too many requests. Please try again later."),
    "CHAT_COMPLETION_CLIENT_TIMEOUT_EXCEPTION": (6, "The model did not answer in time."),
    "REPLY_PROCESS_TIMEOUT_EXCEPTION": (6, "Processing of the reply timed out."),
    "GENERIC_CHAT_COMPLETION_EXCEPTION": (5, "The model service returned an error."),
    "DESCRIBE_QUERY_INVALID_SQL_ERROR": (4, "The generated SQL is not valid."),
    "LOCAL_CONTEXT_EXCEEDED_EXCEPTION": (3, "The conversation has become too long."),
    "TOO_MANY_TABLES_EXCEPTION": (2, "The space contains too many tables."),
    "UNEXPECTED_REPLY_PROCESS_EXCEPTION": (4, "An unexpected error occurred."),
}
_ERROR_TYPES = tuple(ERRORS)
_ERROR_WEIGHTS = tuple(weight for weight, _ in ERRORS.values())
_WITH_STATEMENT = {"SQL_EXECUTION_EXCEPTION", "WAREHOUSE_ACCESS_MISSING_EXCEPTION"}
_NO_COLUMN = "[UNRESOLVED_COLUMN.WITH_SUGGESTION] The column `f`.`date` cannot be resolved. SQLSTATE: 42703"


def text_question(rng: random.Random, space: SimulatedSpace) -> tuple[str, str]:
    """Return a question that needs no SQL, and its answer."""
    kind = rng.random()
    if kind < 0.45:
        term, meaning = rng.choice(space.domain.definitions)
        return rng.choice((f"How is {term} defined?", f"what does {term} mean here", f"Explain {term}")), meaning
    if kind < 0.75:
        answer = f"I can use these tables: {', '.join(space.fact.tables)}."
        return rng.choice(("What data can I ask about?", "which tables do you have", "What is in this space?")), answer
    topic = rng.choice(space.domain.unavailable)
    answer = f"The tables of this space hold no information about {topic}."
    return rng.choice((f"Show me {topic}", f"Can you give me {topic}?", f"{topic} last month")), answer


def clarification(plan: Plan) -> str:
    """Return what Genie asks back when a question is ambiguous."""
    others = " or ".join(metric.name for metric in plan.fact.metrics[:2])
    return f"Do you mean {others}, and which {plan.dimension.name} should I look at ({', '.join(plan.dimension.values[:3])})?"


def apply_outcome(message: SimulatedMessage, space: SimulatedSpace, outcome: str, rng: random.Random) -> None:
    """Set status, queries, text and error of a message for one of `OUTCOMES`. `statements_of` makes its statements.

    Raises:
        ValueError: if there is no such outcome.
    """
    if outcome not in OUTCOMES:
        raise ValueError(f"no outcome {outcome!r}; choose one of {', '.join(OUTCOMES)}")
    message.final_status = _STATUSES.get(outcome, "COMPLETED")
    message.queries, message.error, message.superseded_text = [], None, None
    message.is_clarification = outcome == "clarification"
    message.suggestions = ()
    plan = message.plan or pick_plan(rng, space.fact)
    message.plan = plan
    if outcome == "stuck":
        message.finish_us, message.stuck_status = NEVER_US, rng.choice(("EXECUTING_QUERY", "ASKING_AI"))
    if outcome == "clarification":
        message.text = clarification(plan)
    elif outcome == "text":
        message.text = message.text or text_question(rng, space)[1]
    elif outcome == "failed":
        _fail(message, plan, rng)
    elif outcome in {"completed", "expired", "running", "stuck"}:
        _answer(message, plan, rng)


def _new_query(message: SimulatedMessage, plan: Plan, rng: random.Random) -> Query:
    statement_id = new_statement_id(message.created_us, rng)
    return Query(plan=plan, statement_id=statement_id, row_count=plan.row_count(rng.getrandbits(40)))


def new_statement_id(at_us: int, rng: random.Random) -> str:
    """Return a statement id. It is a UUID, other than the ids of Genie."""
    return seeded_uuid(at_us, rng.getrandbits(64))


def _answer(message: SimulatedMessage, plan: Plan, rng: random.Random) -> None:
    attempts = rng.choices((1, 2, 3), (92, 7, 1))[
        0
    ]  # observed: Genie corrects itself, which leaves several query attachments
    message.queries = [_new_query(message, plan, rng) for _ in range(attempts)]
    for query in message.queries[:-1]:
        query.row_count = None
        # the first tries used a column that does not exist
        query.sql_override = sql_of(plan).replace(f"f.{plan.fact.date_column}", "f.date")
    if attempts > 1:
        message.superseded_text = "That did not run. I will use another column and try again."
    message.text = plan.answer(rng.getrandbits(40)) if rng.random() < 0.75 else None
    message.has_chart = plan.shape in {"trend", "by"} and rng.random() < 0.3
    if rng.random() < 0.35:
        names = rng.sample(plan.fact.dimensions, min(3, len(plan.fact.dimensions)))
        message.suggestions = tuple(
            f"What is {plan.metric.name} by {dimension.name} {plan.period.text}?" for dimension in names
        )
    if message.queries[-1].row_count and rng.random() < 0.01:
        message.queries[-1].row_count, message.queries[-1].is_truncated = 5_000, True


def _fail(message: SimulatedMessage, plan: Plan, rng: random.Random) -> None:
    kind = rng.choices(_ERROR_TYPES, _ERROR_WEIGHTS)[0]
    message.error = (kind, ERRORS[kind][1].format(column=f"{plan.metric.alias}_total", table=plan.fact.table))
    message.text = None
    if kind in _WITH_STATEMENT:
        query = _new_query(message, plan, rng)
        query.row_count = None
        message.queries = [query]


def statements_of(
    message: SimulatedMessage, space: SimulatedSpace, next_seq: Callable[[], int], rng: random.Random, *, delay_us: int
) -> list[Statement]:
    """Return the statements of the queries of a message. They become visible `delay_us` after the message has finished."""
    rows = []
    span = 20_000_000 if message.finish_us >= NEVER_US else message.finish_us - message.created_us
    for index, query in enumerate(message.queries):
        if query.statement_id is None:
            continue
        seq = next_seq()
        start_us = message.created_us + span * (6 + index) // 10
        cached = rng.random() < 0.06
        duration_ms = rng.randrange(8, 60) if cached else _duration_ms(rng, span)
        is_last = index == len(message.queries) - 1
        failed = not is_last or message.final_status == "FAILED"
        end_us = start_us + duration_ms * 1000
        rows.append(
            Statement(
                seq=seq,
                statement_id=query.statement_id,
                workspace_id=message.workspace_id,
                warehouse_id=space.warehouse_id,
                user=message.user,
                source=query,
                start_us=start_us,
                duration_ms=duration_ms,
                visible_us=NEVER_US if message.stuck_status else message.finish_us + delay_us,
                update_us=end_us,
                space_id=message.space_id,
                status="FAILED" if failed else "FINISHED",
                error=_NO_COLUMN if failed else None,
                client=API_CLIENT if message.via == "api" else UI_CLIENT,
                cached=cached and not failed,
            )
        )
    return rows


def _duration_ms(rng: random.Random, span_us: int) -> int:
    """Return how long a statement runs: at most a quarter of the time until the answer, `span_us`."""
    return max(5, min(span_us // 4_000, 200 + int(rng.lognormvariate(7.2, 0.9))))
