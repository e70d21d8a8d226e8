"""Who asks: a person or a program."""

from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class SimulatedUser:
    """A person, or a service principal when `application_id` is set."""

    user_id: int
    email: str  # of a service principal: its application id (observed in audit)
    name: str
    application_id: str | None = None
    is_deleted: bool = False  # SCIM answers 404; the messages stay
    activity: float = 1.0  # relative number of conversations
