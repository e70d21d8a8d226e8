"""Messages to start from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.fuzz.targets import CANARY

from genie_obs.simulator import AccountSpec, generate_account, message_body


def _real_messages() -> list[dict[str, Any]]:
    """Return one message of every shape a simulated account has, with words that must not be quoted."""
    account = generate_account(AccountSpec(message_count=400, days=20, until=datetime(2026, 11, 20, 15, tzinfo=UTC)))
    shapes: dict[str, dict[str, Any]] = {}
    for message in account.messages():
        body = message_body(message)
        kinds = sorted(key for part in body.get("attachments") or [] for key in part)
        shapes.setdefault(f"{body['status']} {sorted(body)} {kinds}", {**body, "content": CANARY})
    return list(shapes.values())


REAL = _real_messages()
