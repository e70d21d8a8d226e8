"""What happens to an account without its users: lost grants, refused calls, unexpected rows, expired results."""

from datetime import datetime, timedelta
from typing import Any, Literal

from genie_obs.simulator.account.message import SimulatedMessage
from genie_obs.simulator.account.state import AccountState
from genie_obs.simulator.instants import duration_us
from genie_obs.simulator.schemas import AUDIT

Access = Literal["hidden", "forbidden", "can_run"]
_ZERO = timedelta(0)


class AccountIncidents(AccountState):
    """What administrators, the service itself, and tests do."""

    def deny_space(self, workspace_id: str, space_id: str, *, mode: Access = "hidden") -> None:
        """Take CAN MANAGE on a space from the observer.

        `hidden`: everything answers 404 (observed, in place of 403). `forbidden`: everything answers 403. `can_run`: the observer can
        read the space, but of its conversations only their own.
        """
        with self.lock:
            self.space(workspace_id, space_id).access = mode

    def allow_space(self, workspace_id: str, space_id: str) -> None:
        """Give the observer CAN MANAGE on a space."""
        with self.lock:
            self.space(workspace_id, space_id).access = "manage"

    def refused_event(
        self,
        *,
        workspace_id: str,
        action: str = "genieGetConversationMessage",
        status: int = 403,
        space_id: str | None = None,
        conversation_id: str | None = None,
        message_id: str | None = None,
        user_id: int | str | None = None,
        at: datetime | None = None,
        audit_delay: timedelta = _ZERO,
    ) -> None:
        """Append the audit row of a refused call, with the ids that the caller sent."""
        with self.lock:
            at_us = self.instant(at)
            self.record(
                action,
                workspace_id=workspace_id,
                space_id=space_id,
                conversation_id=conversation_id,
                user=self.user(workspace_id, user_id) if user_id is not None else None,
                at_us=at_us,
                visible_us=at_us + duration_us(audit_delay),
                params=None if message_id is None else {"message_id": message_id},
                error=(status, "PERMISSION_DENIED" if status == 403 else "RESOURCE_DOES_NOT_EXIST"),
            )

    def add_raw_audit_row(self, *, audit_delay: timedelta = _ZERO, **columns: Any) -> None:
        """Append an audit row. Each column can be given by its name: `request_params` and structs as dicts.

        Raises:
            ValueError: if the table has no such column.
        """
        unknown = set(columns) - set(AUDIT.names)
        if unknown:
            raise ValueError(f"system.access.audit has no column {', '.join(sorted(unknown))}")
        with self.lock:
            at_us = self.instant(columns.get("event_time"))
            workspace_id = columns.get("workspace_id", next(iter(self.workspaces)))
            if isinstance(columns.get("request_params"), dict):
                columns["request_params"] = list(columns["request_params"].items())
            action = columns.get("action_name", "getSpace")
            self.record(
                action,
                workspace_id=workspace_id,
                user=None,
                at_us=at_us,
                visible_us=at_us + duration_us(audit_delay),
                columns=columns,
            )

    def republish_statement(self, workspace_id: str, statement_id: str) -> None:
        """Publish the row of a statement again, with a later `update_time` and a longer duration (docs: only the newest row stays)."""
        with self.lock:
            statement = self.statements.by_id[workspace_id, statement_id]
            statement.seq = self.next_seq()
            statement.update_us = self.clock.now_us
            statement.duration_ms += 137

    def expire_result(self, message: SimulatedMessage) -> None:
        """Let the cached result expire: COMPLETED becomes QUERY_RESULT_EXPIRED, without an audit row (observed)."""
        with self.lock:
            message.final_status = "QUERY_RESULT_EXPIRED"
            message.body = None
