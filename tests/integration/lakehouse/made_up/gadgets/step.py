"""The step of the made-up table: a gadget for each message."""

import pyarrow as pa

from genie_obs.lakehouse.schema import table
from genie_obs.runs.dataset import Run, StepResult


def make_gadgets(run: Run) -> StepResult:
    """Store a gadget for each message, its texts as the content policy allows them."""
    gadgets = table("gadgets")
    rows = []
    for row in run.tables.rows("datasets/gadgets/select_gadgets"):
        policy = run.guard.policy_of(row["workspace_id"], row["space_id"])
        texts = {"labels": [row["note"]], "detail_json": '{"note": "gadget"}', "content_policy": policy.value}
        made = {**row, **texts, "seen_count": 1, "first_seen_at": run.started_at}
        rows.append(run.guard.protect(made, gadgets.texts, policy))
    met = run.tables.merge("gadgets", pa.Table.from_pylist(rows, gadgets.arrow_schema()), expect_new=True)
    return StepResult(rows=len(rows) - met)
