"""What an account is made from: its size, its end and its seed."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, kw_only=True)
class AccountSpec:
    """What to make up. The same values give the same account, byte for byte."""

    seed: int = 7
    workspace_count: int = 3
    space_count: int = 14
    user_count: int = 60
    days: int = 90
    message_count: int = 3_000
    turns_per_conversation: float | None = None  # for every conversation; None: a realistic mix of 1 to 12
    until: datetime  # the account's now (aware); its history ends there
    quirks: bool = True  # False: no oddities, nothing forbidden, everything terminal

    def __post_init__(self) -> None:
        counts = {"workspace_count": 1, "space_count": 1, "user_count": 1, "days": 1, "message_count": 0}
        problems = [f"{name} must be at least {low}" for name, low in counts.items() if getattr(self, name) < low]
        if self.until.tzinfo is None:
            problems.append("until must carry a time zone")
        if self.turns_per_conversation is not None and self.turns_per_conversation < 1:
            problems.append("turns_per_conversation must be at least 1")
        if self.space_count < self.workspace_count:
            problems.append("space_count must be at least workspace_count")
        if problems:
            raise ValueError("; ".join(problems))
        object.__setattr__(self, "until", self.until.astimezone(UTC))
