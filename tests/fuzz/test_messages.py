"""Messages and bodies: one odd message costs no other, and no run."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz.mutations import FACTOR, mutated
from tests.fuzz.real_messages import REAL
from tests.fuzz.targets import check_body, check_message
from tests.integration.conftest import MakeWorld


@settings(
    max_examples=400 * FACTOR, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(mutated(REAL))
def test_any_message_becomes_a_row_and_its_drift_quotes_nobody(raw: Any) -> None:
    if isinstance(raw, dict):
        check_message(raw)


@settings(max_examples=300 * FACTOR, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(REAL), st.data())
def test_any_bytes_are_a_message_or_a_named_failure(message: dict[str, Any], data: st.DataObject) -> None:
    body = bytearray(json.dumps(message).encode())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
        body = body or bytearray(b" ")
    check_body(bytes(body))


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(mutated(REAL), min_size=20, max_size=20))
def test_job_stores_the_other_messages_whatever_some_look_like(make_world: MakeWorld, odd: list[Any]) -> None:
    clean_world = make_world(quirks=False, message_count=60, workspace_count=2, space_count=4)
    messages = [message for message in clean_world.account.messages() if not message.deleted]
    for message, raw in zip(messages, odd, strict=False):
        fields = raw if isinstance(raw, dict) else {}
        message.body = json.dumps({**fields, "message_id": message.message_id}).encode()
    untouched = {message.message_id for message in messages[len(odd) :]}

    record = clean_world.run()

    assert record.status == "succeeded"
    assert untouched <= {row["message_id"] for row in clean_world.read("message_details")}
    states = {row["message_id"]: row["state"] for row in clean_world.read("message_ledger")}
    assert all(states[message.message_id] in {"fetched", "settling", "abandoned", "retry"} for message in messages)
