#!/usr/bin/env python3
"""Store the service principal's OAuth credentials where the job reads them: secret scope `genie-obs`, two keys.

Stands alone: Python >= 3.10 and databricks-sdk. Run it once, as somebody who may manage secrets in the workspace the job runs in:

    python scripts/create_genie_obs_secrets.py --profile my-workspace --workspace https://one.example.net --workspace https://two.example.net

The credentials come from DATABRICKS_SP_CLIENT_ID and DATABRICKS_SP_CLIENT_SECRET, or are asked for. Every workspace given is
first asked for a token, so that wrong credentials are never stored. Safe to repeat: what is there stays, unless --replace is given.

Exit codes: 0 done · 1 failed, the last line says why · 2 wrong usage.
"""

from __future__ import annotations

import argparse
import base64
import getpass
import http.client
import ipaddress
import json
import logging
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

SCOPE = "genie-obs"
CLIENT_ID_KEY, CLIENT_SECRET_KEY = "sp_client_id", "sp_client_secret"
CLIENT_ID_VARIABLE, CLIENT_SECRET_VARIABLE = "DATABRICKS_SP_CLIENT_ID", "DATABRICKS_SP_CLIENT_SECRET"

_TIMEOUT_SECONDS = 30
_RETRY_SECONDS = 5  # per call of the SDK, whose own default is five minutes of silence
_MAX_BODY_BYTES = 1 << 20
_MAX_TEXT_CHARACTERS = 300

T = TypeVar("T")


class SetupError(Exception):
    """Something that the person who runs this can put right; the text says how. Never quotes a secret."""


@dataclass(frozen=True)
class Credentials:
    """The service principal's OAuth client id and secret."""

    client_id: str
    client_secret: str = field(repr=False)

    def hide(self, text: str) -> str:
        """Return foreign text in one line, without what it may echo of the secret."""
        return " ".join(text.replace(self.client_secret, "***").split())[:_MAX_TEXT_CHARACTERS]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = parse_options(arguments)
    try:
        hosts = [normalise_host(address) for address in options.workspace]
        credentials = read_credentials(os.environ, is_terminal=sys.stdin.isatty())
        client = connect(options.host, options.profile)
        for host in hosts:
            request_token(host, credentials)
            say(f"{host}: token issued")
        if not hosts:
            say("No --workspace given: the credentials are stored without having been tried.")
        store(client, credentials, is_replacing=options.replace)
        for principal in options.grant_read:
            grant_read(client, principal)
    except SetupError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted. Run the command again to go on.\n")
        return 1
    say("Done.")
    return 0


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", help="workspace the job runs in, https://…; default: as the Databricks CLI finds it")
    parser.add_argument("--profile", help="profile of ~/.databrickscfg to log in with")
    parser.add_argument(
        "--workspace",
        action="append",
        default=[],
        metavar="URL",
        help="workspace that will be read; asked for a token first (repeat the option)",
    )
    parser.add_argument(
        "--grant-read",
        action="append",
        default=[],
        metavar="PRINCIPAL",
        help="user name, group name or application id that the job runs as; may read the scope (repeat the option)",
    )
    parser.add_argument("--replace", action="store_true", help="overwrite keys that are there, as after a rotation")
    return parser.parse_args(arguments)


def read_credentials(
    environ: Mapping[str, str],
    *,
    is_terminal: bool,
    ask: Callable[[str], str] = input,
    ask_hidden: Callable[[str], str] = getpass.getpass,
) -> Credentials:
    """Return the credentials, from variables, or from somebody at the terminal who is asked for what is missing.

    Raises:
        SetupError: if a value is missing and nobody can be asked, or a value cannot be one.
    """
    client_id = environ.get(CLIENT_ID_VARIABLE, "").strip()
    client_secret = environ.get(CLIENT_SECRET_VARIABLE, "").strip()
    missing = [
        name for name, value in ((CLIENT_ID_VARIABLE, client_id), (CLIENT_SECRET_VARIABLE, client_secret)) if not value
    ]
    if missing and not is_terminal:
        half = " while the other one is set" if len(missing) == 1 else ""
        raise SetupError(f"{' and '.join(missing)} not set{half}. Set both variables, or run this at a terminal.")
    try:
        client_id = client_id or ask("Client id (application id) of the service principal: ").strip()
        client_secret = client_secret or ask_hidden("OAuth secret (not shown): ").strip()
    except EOFError:
        raise SetupError("Nothing was entered. Both the client id and the secret are needed.") from None
    if not client_id or not client_secret:
        raise SetupError("Nothing was entered. Both the client id and the secret are needed.")
    if not re.fullmatch(r"[\x21-\x7e]+", client_id + client_secret):
        raise SetupError("The client id or the secret holds white space or special characters. Copy it again.")
    return Credentials(client_id, client_secret)


def normalise_host(address: str) -> str:
    """Return `https://host[:port]`; plain http only for this machine.

    Raises:
        SetupError: if credentials must not be sent there.
    """
    text = address.strip()
    try:
        parts = urllib.parse.urlsplit(text if "://" in text else f"https://{text}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urllib.parse.urlsplit("")
    if "@" in parts.netloc or not re.fullmatch(r"[A-Za-z0-9.:_-]+", host):
        raise SetupError(f"--workspace {address.rpartition('@')[2]}: not the address of a workspace. Use https://host.")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise SetupError(f"--workspace {address}: not https, the network would see the secret. Use https://host.")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}{f':{port}' if port else ''}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the credentials are for the host that was named."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """Return no request, so that the redirect is an error."""
        return


def request_token(host: str, credentials: Credentials) -> None:
    """Ask a workspace for a token and throw it away.

    Raises:
        SetupError: if none is issued; says whether the host or the credentials are wrong.
    """
    pair = f"{credentials.client_id}:{credentials.client_secret}".encode()
    request = urllib.request.Request(  # noqa: S310 - normalise_host lets only https pass, and http on this machine
        f"{host}/oidc/v1/token",
        data=b"grant_type=client_credentials&scope=all-apis",
        headers={"Authorization": f"Basic {base64.b64encode(pair).decode()}", "User-Agent": "genie-obs-setup"},
    )
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        with opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
            body = answer.read(_MAX_BODY_BYTES)
    except urllib.error.HTTPError as error:
        with error:
            raise SetupError(_describe_refusal(host, error, credentials)) from None
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", error)
        raise SetupError(
            f"{host} cannot be reached: {credentials.hide(str(reason) or type(reason).__name__)}. "
            "Check the address, and DNS, proxy, private link and IP access lists from here."
        ) from None
    try:
        token = json.loads(body).get("access_token")
    except (ValueError, AttributeError):
        token = None
    if not token:
        raise SetupError(f"{host} answered without a token. Check that this is the address of a workspace.")


def _describe_refusal(host: str, error: urllib.error.HTTPError, credentials: Credentials) -> str:
    try:
        said = json.loads(error.read(_MAX_BODY_BYTES))
        text = str(said.get("error_description") or said.get("message") or said.get("error") or "")
    except (ValueError, AttributeError, OSError):
        text = ""
    quoted = f' "{credentials.hide(text)}"' if text else ""
    if error.code in {400, 401, 403}:
        return (
            f"{host} refuses the credentials: {error.code}{quoted}. Check the client id, that the secret has not "
            "expired, that the service principal is assigned to this workspace, and its IP access list."
        )
    return f"{host} issues no token: {error.code}{quoted}. Check that this is the address of a workspace."


def connect(host: str | None, profile: str | None) -> WorkspaceClient:
    """Log in as whoever runs this.

    Raises:
        SetupError: if there is no login, it is refused, or the host is none.
    """
    try:
        from databricks.sdk import WorkspaceClient
        from databricks.sdk.config import Config
    except ImportError:
        raise SetupError("databricks-sdk is not installed. Install it with: pip install databricks-sdk") from None
    # What the SDK would log is either in the error we show or of no use here.
    logging.getLogger("databricks.sdk").setLevel(logging.CRITICAL)
    try:
        config = Config(
            host=host, profile=profile, retry_timeout_seconds=_RETRY_SECONDS, http_timeout_seconds=_TIMEOUT_SECONDS
        )
        client = WorkspaceClient(config=config)
        user = client.current_user.me().user_name
    except Exception as error:  # noqa: BLE001 - the SDK raises its own errors, those of requests, and ValueError
        raise SetupError(f"Logging in failed: {_describe(error)} {_login_advice(error)}") from None
    say(f"{client.config.host}: logged in as {user}")
    return client


def _login_advice(error: Exception) -> str:
    kind = type(error).__name__
    if kind in {"Unauthenticated", "PermissionDenied"}:
        return "Check the token or log in again: databricks auth login --host https://…"
    if isinstance(error, ValueError):
        return "Give --host or --profile, and log in first: databricks auth login --host https://…"
    return "Check the host, and DNS, proxy, private link and IP access lists from here."


def store(client: WorkspaceClient, credentials: Credentials, *, is_replacing: bool) -> None:
    """Create the scope if it is absent and put both keys into it; both or neither are replaced.

    Raises:
        SetupError: if the workspace does not let us.
    """
    names = call("Listing secret scopes", lambda: [scope.name for scope in client.secrets.list_scopes()])
    if SCOPE not in names:
        call(f"Creating secret scope {SCOPE}", lambda: client.secrets.create_scope(scope=SCOPE))
        say(f"Scope {SCOPE}: created")
    else:
        say(f"Scope {SCOPE}: there already")
    keys = call(f"Listing scope {SCOPE}", lambda: {secret.key for secret in client.secrets.list_secrets(SCOPE)})
    if {CLIENT_ID_KEY, CLIENT_SECRET_KEY} <= keys and not is_replacing:
        _keep(client, credentials)
        return
    # One without the other is of no use, so half a pair that an interrupted run left is written whole.
    for key, value in ((CLIENT_ID_KEY, credentials.client_id), (CLIENT_SECRET_KEY, credentials.client_secret)):
        call(f"Storing key {key}", partial(client.secrets.put_secret, SCOPE, key, string_value=value))
        say(f"Key {key}: {'replaced' if key in keys else 'stored'}")


def _keep(client: WorkspaceClient, credentials: Credentials) -> None:
    """Leave the stored pair alone, and say whether it is the one that was given.

    Raises:
        SetupError: if it is known to be another one.
    """
    given = {CLIENT_ID_KEY: credentials.client_id, CLIENT_SECRET_KEY: credentials.client_secret}
    different = [key for key, value in given.items() if _read_stored(client, key) not in (None, value)]
    if different:
        raise SetupError(
            f"Scope {SCOPE} holds another {' and '.join(different)} than the one given; nothing was changed. "
            "Give --replace to overwrite both keys."
        )
    say(f"Keys {CLIENT_ID_KEY} and {CLIENT_SECRET_KEY}: there already, unchanged (--replace overwrites them)")


def _read_stored(client: WorkspaceClient, key: str) -> str | None:
    """Return a stored value, or None where we may not read it, which is no reason to fail."""
    from databricks.sdk.errors.base import DatabricksError

    try:
        stored = client.secrets.get_secret(SCOPE, key).value
        return base64.b64decode(stored).decode() if stored else None
    except (DatabricksError, ValueError):
        return None


def grant_read(client: WorkspaceClient, principal: str) -> None:
    """Let a principal read the scope; one that may already do more keeps that.

    Raises:
        SetupError: if the workspace does not let us.
    """
    from databricks.sdk.service.workspace import AclPermission

    held = {
        acl.principal: acl.permission for acl in call("Reading grants", lambda: list(client.secrets.list_acls(SCOPE)))
    }
    if principal in held:
        level = held[principal]
        say(f"{principal}: has {level.value if level else 'a permission'} on scope {SCOPE} already")
        return
    call(
        f"Granting READ on scope {SCOPE} to {principal}",
        lambda: client.secrets.put_acl(SCOPE, principal, AclPermission.READ),
    )
    say(f"{principal}: may read scope {SCOPE} now")


def call(what: str, do: Callable[[], T]) -> T:
    """Do one call of the workspace.

    Raises:
        SetupError: saying what failed, what came back and what to do.
    """
    try:
        return do()
    except Exception as error:  # noqa: BLE001 - the SDK raises its own errors and those of requests
        advice = "Run this as somebody who may manage secrets in this workspace." if _is_denied(error) else ""
        raise SetupError(f"{what} failed: {_describe(error)} {advice}".strip()) from None


def _is_denied(error: Exception) -> bool:
    return type(error).__name__ in {"PermissionDenied", "Unauthenticated"}


def _describe(error: Exception) -> str:
    """Return the kind and the head of an error; the SDK's texts name the configuration with tokens masked."""
    head = " ".join(str(error).split())[:_MAX_TEXT_CHARACTERS]
    return f"{type(error).__name__}: {head}".rstrip(".") + "."


def say(text: str) -> None:
    """Print one line of what was done."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
