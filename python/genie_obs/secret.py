"""Secret values, which nothing shows by accident."""

import base64
import hmac
from dataclasses import dataclass
from typing import Any, NoReturn

CLIENT_ID_VARIABLE = "DATABRICKS_SP_CLIENT_ID"
CLIENT_SECRET_VARIABLE = "DATABRICKS_SP_CLIENT_SECRET"  # noqa: S105 - the variable's name, not its value
CONTENT_HASH_KEY_VARIABLE = "GENIE_OBS_CONTENT_HASH_KEY"
SECRET_SCOPE = "genie-obs"  # noqa: S105 - a scope's name
CONTENT_HASH_KEY = "content_hash_key"
_MASK = "***"


class Secret:
    """A secret text in memory; only `reveal()` returns it.

    Printing, formatting, logging and `dataclasses.asdict` show `***`. Pickling raises an error, so the text cannot leave the
    process inside of something else. A copy is the same object.
    """

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """Return the text itself. Only where it is sent: a variable that holds it may be printed."""
        return self.__value

    def __repr__(self) -> str:
        return _MASK

    def __str__(self) -> str:
        return _MASK

    def __format__(self, format_spec: str) -> str:
        return _MASK

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        # In constant time: how long it takes must not tell how many of the first characters are right.
        return hmac.compare_digest(
            self.__value.encode(errors="surrogatepass"), other.reveal().encode(errors="surrogatepass")
        )

    def __hash__(self) -> int:
        return hash(self.__value)

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Secret":
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret cannot be pickled")


def bearer_header(token: Secret) -> Secret:
    """Return the Authorization header of a request with an access token."""
    return Secret(f"Bearer {token.reveal()}")


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A service principal: its application id and its OAuth secret."""

    client_id: str
    client_secret: Secret

    def basic_pair(self) -> Secret:
        """Return id and secret in the form in which a token request sends them."""
        return Secret(base64.b64encode(f"{self.client_id}:{self.client_secret.reveal()}".encode()).decode())

    def basic_header(self) -> Secret:
        """Return the Authorization header of a request for a token."""
        return Secret(f"Basic {self.basic_pair().reveal()}")
