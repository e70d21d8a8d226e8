"""The SQL that Genie writes for a question."""

from genie_obs.simulator.business.plan import Plan

_SELECT = "SELECT\n  {columns}\nFROM {table} AS f{join}\nWHERE {where}"


def sql_of(plan: Plan) -> str:
    """Return the statement for a question, in Databricks SQL."""
    return _BY_SHAPE[plan.shape](plan)


def _condition(plan: Plan, *extra: str) -> str:
    return "\n  AND ".join([plan.period.condition.format(date=f"f.{plan.fact.date_column}"), *extra])


def _select(plan: Plan, columns: list[str], *, join: bool, extra: tuple[str, ...] = (), tail: str = "") -> str:
    joined = f"\n{plan.dimension.join}" if join and plan.dimension.join else ""
    text = _SELECT.format(
        columns=",\n  ".join(columns), table=plan.fact.table, join=joined, where=_condition(plan, *extra)
    )
    return text + tail


def _measure(plan: Plan) -> str:
    return f"{plan.metric.expression} AS {plan.metric.alias}"


def _group(plan: Plan) -> str:
    return f"{plan.dimension.column} AS {plan.dimension.name.replace(' ', '_')}"


def _by(plan: Plan, limit: str = "") -> str:
    tail = f"\nGROUP BY ALL\nORDER BY {plan.metric.alias} DESC{limit}"
    return _select(plan, [_group(plan), _measure(plan)], join=True, tail=tail)


def _trend(plan: Plan) -> str:
    month = f"date_trunc('MONTH', f.{plan.fact.date_column}) AS month"
    return _select(plan, [month, _measure(plan)], join=False, tail="\nGROUP BY ALL\nORDER BY month")


def _compare(plan: Plan) -> str:
    prior = plan.period.condition.replace("{date}", f"add_months(f.{plan.fact.date_column}, 12)")
    current = plan.period.condition.format(date=f"f.{plan.fact.date_column}")
    return (
        f"SELECT\n  CASE WHEN {current} THEN 'current' ELSE 'prior year' END AS period,\n  {_measure(plan)}\n"
        f"FROM {plan.fact.table} AS f\nWHERE ({current})\n  OR ({prior})\nGROUP BY ALL"
    )


def _share(plan: Plan) -> str:
    inner = _select(plan, [_group(plan), _measure(plan)], join=True, tail="\nGROUP BY ALL").replace("\n", "\n  ")
    column = plan.dimension.name.replace(" ", "_")
    return (
        f"WITH totals AS (\n  {inner}\n)\nSELECT\n  100.0 * SUM(CASE WHEN {column} = {_literal(plan.value)} THEN {plan.metric.alias} END)"
        f" / SUM({plan.metric.alias}) AS share_percent\nFROM totals"
    )


_DROP = """WITH monthly AS (
  {inner}
),
changes AS (
  SELECT
    *,
    {alias} / nullif(LAG({alias}) OVER (PARTITION BY {column} ORDER BY month), 0) - 1 AS change
  FROM monthly
)
SELECT
  *
FROM changes
WHERE change < -0.1
ORDER BY change"""


def _drop(plan: Plan) -> str:
    month = f"date_trunc('MONTH', f.{plan.fact.date_column}) AS month"
    inner = _select(plan, [_group(plan), month, _measure(plan)], join=True, tail="\nGROUP BY ALL").replace("\n", "\n  ")
    return _DROP.format(inner=inner, alias=plan.metric.alias, column=plan.dimension.name.replace(" ", "_"))


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


_BY_SHAPE = {
    "total": lambda plan: _select(plan, [_measure(plan)], join=False),
    "by": _by,
    "top": lambda plan: _by(plan, "\nLIMIT 5"),
    "trend": _trend,
    "compare": _compare,
    "filter": lambda plan: _select(
        plan, [_measure(plan)], join=True, extra=(f"{plan.dimension.column} = {_literal(plan.value)}",)
    ),
    "share": _share,
    "drop": _drop,
}
