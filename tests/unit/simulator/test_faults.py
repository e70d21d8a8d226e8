"""Which requests a fault rule hits."""

import json
from pathlib import Path

import pytest

from genie_obs.simulator import FaultRule
from genie_obs.simulator.server.faults import FaultInjector, load_fault_file


def hits(rule: FaultRule, count: int, operation: str = "get_message", path: str = "/x") -> list[bool]:
    injector = FaultInjector([rule], seed=1)
    return [injector.find("1", operation, path) is not None for _ in range(count)]


def test_rule_skips_then_hits_some_times() -> None:
    assert hits(FaultRule.parse("get_message:503:times=2,skip=1"), 5) == [False, True, True, False, False]


def test_operation_may_be_a_pattern() -> None:
    assert hits(FaultRule.parse("list_*:reset"), 1, operation="list_messages") == [True]
    assert hits(FaultRule.parse("list_*:reset"), 1, operation="get_message") == [False]


def test_path_is_a_regular_expression() -> None:
    rule = FaultRule(path=r"/messages/[0-9]+$", status=500)
    assert hits(rule, 1, path="/a/messages/12") == [True]
    assert hits(rule, 1, path="/a/messages") == [False]


def test_other_workspaces_are_spared() -> None:
    assert hits(FaultRule(status=500, workspace_id="2"), 1) == [False]


def test_probability_is_seeded() -> None:
    rule = FaultRule.parse("*:500:probability=0.5")
    first = hits(rule, 200)
    assert first == hits(rule, 200)
    assert 60 < sum(first) < 140


def test_first_rule_that_is_due_decides() -> None:
    injector = FaultInjector([FaultRule(status=429, times=1), FaultRule(status=500)], seed=1)
    found = [injector.find("1", "get_space", "/") for _ in range(2)]
    assert [rule.status for rule in found if rule] == [429, 500]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("get_message", "operation:status-or-action"),
        ("get_message:explode", "no fault action 'explode'"),
        ("get_message:99", "between 300 and 599"),
        ("get_message:503:colour=red", "has no colour"),
        ("get_message:503:times=x", "times of a fault rule must be a number"),
        ("get_message:503:probability=2", "probability"),
        ("get_message:503:path=(", "no regular expression"),
    ],
)
def test_bad_rules_say_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        FaultRule.parse(text)


def test_rules_come_from_a_json_file(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text(json.dumps([{"operation": "token", "status": 503, "retry_after": "2", "times": 1}]))
    assert load_fault_file(file) == [FaultRule(operation="token", status=503, retry_after="2", times=1)]


@pytest.mark.parametrize("text", ["{", "{}", "[1]", '[{"status": 500, "action": "reset"}]'])
def test_files_without_rules_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "faults.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"JSON|list of objects|either a status, an action or a refusal"):
        load_fault_file(file)
