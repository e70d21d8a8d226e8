"""OAuth client credentials of the simulated workspaces."""

import base64
import binascii
import hmac
import itertools
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs

from genie_obs.simulator.account.account import SimulatedAccount
from genie_obs.simulator.account.workspace import SimulatedWorkspace
from genie_obs.simulator.rest_api.responses import Response, json_response


@dataclass(frozen=True, slots=True)
class _Grant:
    workspace_id: str
    expires_at: float  # by the issuer's clock


class TokenIssuer:
    """Issues tokens, each for one workspace, and says whether the token of a request is good."""

    def __init__(self, account: SimulatedAccount, *, lifetime_seconds: float, clock: Callable[[], float]) -> None:
        self._account = account
        self._clock = clock
        self.lifetime_seconds = lifetime_seconds
        self._grants: dict[str, _Grant] = {}
        self._numbers = itertools.count(1)
        self.prefix = f"simulated.{secrets.token_hex(8)}."
        """How each token of this issuer begins."""

    def answer(self, workspace: SimulatedWorkspace, headers_authorization: str | None, body: bytes) -> Response:
        """Return the response of `POST /oidc/v1/token`. Errors have the shape of OAuth, not that of the API."""
        form = {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
        client = _basic(headers_authorization) or (form.get("client_id", ""), form.get("client_secret", ""))
        if not workspace.accepts_credentials or not self._knows(client):
            return _oauth_error(401, "invalid_client", "Client authentication failed")
        if form.get("grant_type") != "client_credentials":
            return _oauth_error(400, "unsupported_grant_type", "Only client_credentials is supported")
        if not set(form.get("scope", "").split()) & {"all-apis", "genie"}:
            return _oauth_error(400, "invalid_scope", "Requested scope is not valid")
        token = f"{self.prefix}{next(self._numbers)}"
        self._grants[token] = _Grant(workspace.workspace_id, self._clock() + self.lifetime_seconds)
        # docs: an hour, no refresh token
        return json_response(
            {
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": int(self.lifetime_seconds),
                "scope": form["scope"],
            }
        )

    def refuse(self, workspace: SimulatedWorkspace, authorization: str | None) -> Response | None:
        """Return the refusal of a request, or None if its token is good."""
        grant = (
            self._grants.get(authorization[7:])
            if authorization is not None and authorization[:7] == "Bearer "
            else None
        )
        if grant is None:
            return _api_refusal(
                401, "UNAUTHENTICATED", "Credential was not sent or was of an unsupported type for this API."
            )
        if grant.expires_at <= self._clock():
            return _api_refusal(401, "UNAUTHENTICATED", "Token is expired")
        if grant.workspace_id != workspace.workspace_id:
            # docs: a token is for one workspace; no token is good for the APIs of all
            return _api_refusal(403, "PERMISSION_DENIED", "Invalid access token: it was issued for another workspace.")
        if not workspace.accepts_credentials:
            return _api_refusal(
                401, "UNAUTHENTICATED", "The service principal is no longer assigned to this workspace."
            )
        return None

    def expire_all(self, workspace_id: str | None = None) -> None:
        """Let all tokens end now, or those of one workspace."""
        for token, grant in list(self._grants.items()):
            if workspace_id in (None, grant.workspace_id):
                self._grants[token] = _Grant(grant.workspace_id, self._clock())

    def _knows(self, client: tuple[str, str]) -> bool:
        same_id = hmac.compare_digest(client[0].encode(), self._account.client_id.encode())
        return hmac.compare_digest(client[1].encode(), self._account.client_secret.encode()) and same_id


def _basic(authorization: str | None) -> tuple[str, str] | None:
    if authorization is None or not authorization.startswith("Basic "):
        return None
    try:
        name, _, value = base64.b64decode(authorization[6:], validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name, value


def _oauth_error(status: int, error: str, description: str) -> Response:
    return json_response({"error": error, "error_description": description}, status=status)


def _api_refusal(status: int, code: str, message: str) -> Response:
    response = json_response({"error_code": code, "message": message}, status=status)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="DatabricksRealm"'
    return response
