"""Benchmark runs of a space. No list shows their conversations (observed); clients read them through `eval-runs`."""

from genie_obs.simulator.account.space import SimulatedSpace
from genie_obs.simulator.history.life import Life
from genie_obs.simulator.ids import child_id
from genie_obs.simulator.instants import DAY_US, MINUTE_US

# Why a judge calls an answer bad (ScoreReason of the SDK).
_REASONS = ("RESULT_MISSING_ROWS", "LLM_JUDGE_MISSING_OR_INCORRECT_FILTER", "COLUMN_TYPE_DIFFERENCE")


def add_benchmark_runs(life: Life, space: SimulatedSpace, now_us: int) -> None:
    """Add two runs over the benchmark questions of the space."""
    for number, age_days in enumerate((6, 2)):
        started_us = now_us - age_days * DAY_US - 90 * MINUTE_US
        run_id = child_id(space.space_id, f"eval-run-{number}")
        results = [_add_result(life, space, run_id, started_us, index) for index in range(len(space.fact.metrics))]
        good = sum(1 for result in results if result["assessment"] == "GOOD")
        space.eval_results[run_id] = results
        space.eval_runs.append(
            {
                "eval_run_id": run_id,
                "eval_run_status": "DONE",
                "created_timestamp": started_us // 1000,
                "last_updated_timestamp": (started_us + 5 * MINUTE_US) // 1000,
                "num_questions": len(results),
                "num_done": len(results),
                "num_correct": good,
                "num_needs_review": 0,
                "run_by_user": space.owner.user_id,
            }
        )
        life.account.record(
            "createEvaluationRun",
            workspace_id=space.workspace_id,
            space_id=space.space_id,
            user=space.owner,
            at_us=started_us,
            visible_us=started_us + 4 * MINUTE_US,
        )


def _add_result(life: Life, space: SimulatedSpace, run_id: str, started_us: int, index: int) -> dict[str, object]:
    at_us = started_us + index * MINUTE_US
    conversation = life.account.open_conversation(space, space.owner, at_us, rng=life.rng)
    conversation.is_benchmark = True
    message = life.ask(space, conversation, space.owner, at_us, via="ui", outcome="completed")
    good = life.rng.random() < 0.75
    sql = message.queries[-1].sql
    return {
        "result_id": child_id(run_id, str(index)),
        "space_id": space.space_id,
        "benchmark_question_id": child_id(space.space_id, f"b{index}"),
        "question": message.content,
        "benchmark_answer": sql,
        "created_by_user": space.owner.user_id,
        "status": "DONE",
        "assessment": "GOOD" if good else "BAD",
        "assessment_reasons": [] if good else [life.rng.choice(_REASONS)],
        "manual_assessment": False,
        "eval_run_status": "DONE",
        "actual_response": [{"response": sql, "response_type": "SQL"}],
        "expected_response": [{"response": sql, "response_type": "SQL"}],
    }
