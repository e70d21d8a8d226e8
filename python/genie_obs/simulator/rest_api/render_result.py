"""Bodies of query results."""

from typing import Any

from genie_obs.simulator.account.message import Query
from genie_obs.simulator.ids import entropy


def statement_response(query: Query) -> dict[str, Any]:
    """Return the rows of a query attachment as `sql.StatementResponse`: inline, as strings."""
    count = query.row_count or 0
    salt = entropy(query.statement_id or "")
    metric, dimension = query.plan.metric, query.plan.dimension
    grouped = query.plan.shape in {"by", "top", "drop"}
    figures = [f"{value:.10g}" for value in query.plan.values(salt, min(count, 5_000))]  # docs: at most 5,000 rows
    rows = [
        [dimension.values[index % len(dimension.values)], value] if grouped else [value]
        for index, value in enumerate(figures)
    ]
    names = (
        [(dimension.name.replace(" ", "_"), "STRING"), (metric.alias, "DOUBLE")]
        if grouped
        else [(metric.alias, "DOUBLE")]
    )
    columns = [
        {"name": name, "type_text": kind, "type_name": kind, "position": index}
        for index, (name, kind) in enumerate(names)
    ]
    manifest = {
        "format": "JSON_ARRAY",
        "schema": {"column_count": len(columns), "columns": columns},
        "total_chunk_count": 1,
        "total_row_count": len(rows),
        "truncated": query.is_truncated,
    }
    result = {"chunk_index": 0, "row_offset": 0, "row_count": len(rows), "data_array": rows}
    return {
        "statement_response": {
            "statement_id": query.statement_id,
            "status": {"state": "SUCCEEDED"},
            "manifest": manifest,
            "result": result,
        }
    }
