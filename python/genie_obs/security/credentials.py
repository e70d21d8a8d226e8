"""Reads the service principal's credentials and the key of the hashes: from variables, else from the secret scope."""

import functools
import logging
from collections.abc import Callable, Mapping

from genie_obs.errors import ConfigError
from genie_obs.secret import (
    CLIENT_ID_VARIABLE,
    CLIENT_SECRET_VARIABLE,
    CONTENT_HASH_KEY,
    CONTENT_HASH_KEY_VARIABLE,
    SECRET_SCOPE,
    Credentials,
    Secret,
)
from genie_obs.security.content_policy import ContentSettings

logger = logging.getLogger(__name__)

SecretReader = Callable[[str, str], str]
"""Reads one secret by (scope, key); `dbutils.secrets.get` is one."""

CLIENT_ID_KEY = "sp_client_id"
CLIENT_SECRET_KEY = "sp_client_secret"  # noqa: S105 - a key's name


def load_credentials(environ: Mapping[str, str], secrets: SecretReader | None) -> Credentials:
    """Return the service principal's credentials, from variables or else from the secret scope.

    Surrounding white space is dropped (a pasted newline is the usual mistake); empty counts as missing.

    Raises:
        ConfigError: nothing found, or only one of the two; never quotes a value.
    """
    variables = (CLIENT_ID_VARIABLE, CLIENT_SECRET_VARIABLE)
    found = _read_pair(variables, lambda name: environ.get(name, ""), place="environment variable")
    refusals: set[str] = set()
    if found is None and secrets is not None:
        keys = (CLIENT_ID_KEY, CLIENT_SECRET_KEY)
        read = functools.partial(_read_secret, secrets, refusals)
        found = _read_pair(keys, read, place=f"secret scope {SECRET_SCOPE}, key")
    if found is None:
        cause = f" (reading the scope failed: {', '.join(sorted(refusals))})" if refusals else ""
        raise ConfigError(
            f"No service principal credentials{cause}",
            f"Set {CLIENT_ID_VARIABLE} and {CLIENT_SECRET_VARIABLE}, or store the keys {CLIENT_ID_KEY} and "
            f"{CLIENT_SECRET_KEY} in the secret scope {SECRET_SCOPE} and grant READ on it to the job.",
        )
    return found


def under_either_name(read: SecretReader) -> SecretReader:
    """Return a reader that also finds a key whose name has ``-`` for ``_``: a scope of Azure Key Vault allows no ``_``."""

    def find(scope: str, key: str) -> str:
        failure: Exception | None = None
        for name in (key, key.replace("_", "-")):
            try:
                value = read(scope, name)
            except Exception as error:  # noqa: BLE001 - dbutils raises many kinds for a missing scope or key
                failure = failure or error  # that of the usual name counts
            else:
                if value and value.strip():
                    return value
        if failure is not None:
            raise failure
        return ""

    return find


def find_client_id(environ: Mapping[str, str], secrets: SecretReader | None) -> str:
    """Return the client id that a run would use, for a command that needs no credentials; '' where a run would find none.

    The client id shows which reads in the audit log come from earlier runs. Without it, only the user agent shows it.
    """
    try:
        return load_credentials(environ, secrets).client_id
    except ConfigError as error:
        logger.info("goes on without credentials: %s", error.problem)
        return ""


def load_content_hash_key(
    content: ContentSettings, environ: Mapping[str, str], secrets: SecretReader | None
) -> Secret | None:
    """Return the key of content policy `hashed`, from its variable or else from the secret scope.

    Returns None, and reads nothing, if nothing is hashed. Returns None too if there is no key; `ContentGuard` then refuses to work.

    Raises:
        ConfigError: if a key is needed and the scope cannot be read or lacks it; never quotes a value.
    """
    if not content.needs_hash_key:
        return None
    key = environ.get(CONTENT_HASH_KEY_VARIABLE, "").strip()
    refusals: set[str] = set()
    if not key and secrets is not None:
        key = _read_secret(secrets, refusals, CONTENT_HASH_KEY).strip()
    if refusals:
        raise ConfigError(
            f"Content policy 'hashed' needs a key, and reading {CONTENT_HASH_KEY} from the secret scope {SECRET_SCOPE} failed "
            f"({', '.join(refusals)})",
            f"Store it there and grant READ on the scope to the job, or set {CONTENT_HASH_KEY_VARIABLE}.",
        )
    return Secret(key) if key else None


def _read_pair(names: tuple[str, str], read: Callable[[str], str], *, place: str) -> Credentials | None:
    client_id, client_secret = read(names[0]).strip(), Secret(read(names[1]).strip())
    if not client_id and not client_secret:
        return None
    if not client_id or not client_secret:
        missing, present = names if not client_id else reversed(names)
        raise ConfigError(f"The {place} {missing} is missing or empty while {present} is set", "Set both.")
    return Credentials(client_id=client_id, client_secret=client_secret)


def _read_secret(secrets: SecretReader, refusals: set[str], key: str) -> str:
    try:
        return secrets(SECRET_SCOPE, key) or ""
    except Exception as error:  # noqa: BLE001 - dbutils raises many kinds (Py4J, gRPC, SDK) for a missing scope or key
        refusals.add(type(error).__name__)
        return ""
