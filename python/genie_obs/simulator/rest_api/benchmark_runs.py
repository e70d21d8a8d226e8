"""Answers about benchmark runs."""

from typing import Any

from genie_obs.simulator.rest_api.call import Call, page_response
from genie_obs.simulator.rest_api.responses import ApiError, Response, json_response
from genie_obs.simulator.rest_api.spaces import find_space

# What the list shows of a result.
_LISTED = (
    "result_id",
    "space_id",
    "benchmark_question_id",
    "question",
    "benchmark_answer",
    "created_by_user",
    "status",
)


def list_eval_runs(call: Call) -> Response:
    """Answer `list eval runs` of a space."""
    return page_response(call, "eval_runs", find_space(call).eval_runs, lambda row: str(row["eval_run_id"]))


def get_eval_run(call: Call) -> Response:
    """Answer `get eval run`."""
    return json_response(_find(find_space(call).eval_runs, "eval_run_id", call.ids[1]))


def list_eval_results(call: Call) -> Response:
    """Answer `list eval results` of a run."""
    rows = [{name: row[name] for name in _LISTED} for row in _eval_results(call)]
    return page_response(call, "eval_results", rows, lambda row: str(row["result_id"]))


def get_eval_result(call: Call) -> Response:
    """Answer `get eval result`, with all that is known of it."""
    return json_response(_find(_eval_results(call), "result_id", call.ids[2]))


def _eval_results(call: Call) -> list[dict[str, Any]]:
    space = find_space(call)
    _find(space.eval_runs, "eval_run_id", call.ids[1])
    return space.eval_results[call.ids[1]]


def _find(rows: list[dict[str, Any]], name: str, value: str) -> dict[str, Any]:
    for row in rows:
        if row[name] == value:
            return row
    raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"No {name} {value}.")
