"""Checks that ask no server: the versions of what is installed, and the credentials."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from genie_obs._version import __version__
from genie_obs.doctor.report import Check, fail, ok
from genie_obs.errors import ConfigError
from genie_obs.secret import CLIENT_ID_VARIABLE, CLIENT_SECRET_VARIABLE, SECRET_SCOPE, Credentials
from genie_obs.security.content_policy import ContentGuard, ContentSettings
from genie_obs.security.credentials import (
    CLIENT_ID_KEY,
    CLIENT_SECRET_KEY,
    SecretReader,
    load_content_hash_key,
    load_credentials,
)

_ALWAYS = ("aiohttp", "pyarrow", "databricks-sdk")
_SPARK_CLIENTS = ("pyspark-client", "pyspark", "databricks-connect")  # any one of them brings `pyspark`
_LOCAL = ("pysail", "deltalake", "pandas")
_PANDAS_LIMIT = 3  # pyspark 4 cannot convert with pandas 3
_STORE = "run scripts/create_genie_obs_secrets.py, which stores both keys and grants READ"

VersionOf = Callable[[str], str]


def check_versions(engine: str, version_of: VersionOf = version) -> Check:
    """Check that the packages of an engine are installed, and name the versions of all that matter."""
    installed = _installed((*_ALWAYS, *_SPARK_CLIENTS, *(_LOCAL if engine == "local" else ())), version_of)
    missing = [name for name in _LOCAL if engine == "local" and name not in installed]
    if not set(installed) & set(_SPARK_CLIENTS) and engine != "databricks":
        missing.append("pyspark-client")
    listed = ", ".join(f"{name} {number}" for name, number in installed.items())
    detail = f"genie-obs {__version__}, Python {platform.python_version()}, {listed}"
    if missing:
        return fail("versions", f"{detail}; missing: {', '.join(missing)}", fix="pip install 'genie-obs[local]'")
    if int(installed.get("pandas", "0").partition(".")[0]) >= _PANDAS_LIMIT:
        return fail(
            "versions",
            f"{detail}; pyspark cannot convert with pandas 3 yet",
            fix="pip install 'genie-obs[local]' 'pandas<3'",
        )
    return ok("versions", detail)


def _installed(names: Iterable[str], version_of: VersionOf) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in names:
        try:
            found[name] = version_of(name)
        except PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True, kw_only=True)
class CredentialsFound:
    """The checks of credentials, and what they found."""

    checks: tuple[Check, ...]
    credentials: Credentials | None


def check_credentials(environ: Mapping[str, str], secrets: SecretReader | None) -> CredentialsFound:
    """Check that the service principal's credentials are complete; on Databricks also say why the scope has none.

    Nothing of the values is shown but the client id, which is no secret: grants are made to it.
    """
    in_variables = any(environ.get(name, "").strip() for name in (CLIENT_ID_VARIABLE, CLIENT_SECRET_VARIABLE))
    try:
        found = load_credentials(environ, secrets)
    except ConfigError as error:
        checks = [_no_credentials(error, has_scope=secrets is not None, in_variables=in_variables)]
        if secrets is not None and not in_variables:
            checks.insert(0, _check_scope(secrets))
        return CredentialsFound(checks=tuple(checks), credentials=None)
    place = "the environment" if in_variables else f"secret scope {SECRET_SCOPE}"
    checks = [ok("credentials", f"service principal {found.client_id}, from {place}")]
    if secrets is not None:
        what = (
            "not used: the environment variables win"
            if in_variables
            else f"{CLIENT_ID_KEY} and {CLIENT_SECRET_KEY} can be read"
        )
        checks.insert(0, ok("secret scope", what))
    return CredentialsFound(checks=tuple(checks), credentials=found)


def check_content_policy(
    content: ContentSettings, environ: Mapping[str, str], secrets: SecretReader | None
) -> list[Check]:
    """Check the key of policy `hashed`, without which no run starts; no check where nothing is hashed."""
    if not content.needs_hash_key:
        return []
    try:
        ContentGuard(content, hash_key=load_content_hash_key(content, environ, secrets))
    except ConfigError as error:
        return [fail("content policy", error.problem, fix=error.fix)]
    return [ok("content policy", "the key of policy hashed is there and long enough")]


def _no_credentials(error: ConfigError, *, has_scope: bool, in_variables: bool) -> Check:
    if in_variables:
        return fail(
            "credentials",
            f"only one of {CLIENT_ID_VARIABLE} and {CLIENT_SECRET_VARIABLE} is set",
            fix=f"set both {CLIENT_ID_VARIABLE} and {CLIENT_SECRET_VARIABLE}",
        )
    if has_scope:
        return fail("credentials", error.problem, fix=_STORE)
    return fail(
        "credentials",
        "none: neither of the two environment variables is set",
        fix=f"set {CLIENT_ID_VARIABLE} and {CLIENT_SECRET_VARIABLE} to the service principal's application id and OAuth secret",
    )


def _check_scope(secrets: SecretReader) -> Check:
    """Return what is wrong with the scope. Each of its keys is read to tell; the values are not kept."""
    answers = {key: _read_answer(secrets, key) for key in (CLIENT_ID_KEY, CLIENT_SECRET_KEY)}
    if "denied" in answers.values():
        return fail(
            "secret scope",
            f"no permission to read scope {SECRET_SCOPE}",
            fix=f"databricks secrets put-acl {SECRET_SCOPE} <principal the job runs as> READ",
        )
    if set(answers.values()) == {"no scope"}:
        return fail("secret scope", f"scope {SECRET_SCOPE} does not exist in this workspace", fix=_STORE)
    missing = [key for key, answer in answers.items() if answer != "there"]
    commands = "; ".join(f"databricks secrets put-secret {SECRET_SCOPE} {key}" for key in missing)
    return fail("secret scope", f"{SECRET_SCOPE} lacks {' and '.join(missing)}", fix=commands)


def _read_answer(secrets: SecretReader, key: str) -> str:
    try:
        return "there" if (secrets(SECRET_SCOPE, key) or "").strip() else "no key"
    except Exception as error:  # noqa: BLE001  # dbutils raises what it likes: Py4J, gRPC or SDK errors, told apart by text only
        text = str(error).lower()
        if "permission" in text or "denied" in text or "forbidden" in text:
            return "denied"
        return "no scope" if "scope" in text and "not exist" in text and "key" not in text else "no key"
