"""All settings, in groups: each is read from a flag or a ``GENIE_OBS_*`` variable, and checked together with the others.

Flags win over variables. An empty value means "not set", so that a job can pass parameters it leaves blank.
Credentials are not settings: see :func:`genie_obs.security.credentials.load_credentials`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from genie_obs.errors import BadValueError, UntrustedHostError
from genie_obs.identifiers import is_id
from genie_obs.security.content_policy import ContentSettings
from genie_obs.security.hosts import HostRules, host_of, parse_allowed_host, trusted_host
from genie_obs.settings import (
    build,
    declared_in,
    hide_passwords,
    identifier,
    ids,
    number,
    setting,
    take_values,
    whole_number,
    words,
)

MAX_DAYS_LOOKBACK = 3_650
_SPARK_CONNECT = re.compile(r"sc://[^\s/]+(/.*)?")


def _parse_engine(text: str) -> str:
    if text in {"local", "databricks"} or _SPARK_CONNECT.fullmatch(text):
        return text
    raise BadValueError("unknown engine", "Use local, databricks or sc://host:port.")


def _parse_hosts(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(parse_allowed_host(part) for part in text.split(",") if part.strip()))


def _parse_addresses(text: str) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        workspace_id, mark, url = (side.strip() for side in part.partition("="))
        if not mark or not is_id(workspace_id) or not url:
            raise BadValueError(
                f"{part!r} is no ID=URL", "Use ID=URL,ID=URL with the workspaces' ids, e.g. 42=https://host."
            )
        try:
            trusted_host(url, HostRules(allowed_hosts=(parse_allowed_host(host_of(url)),), is_loopback_allowed=True))
        except UntrustedHostError as error:
            raise BadValueError(f"{workspace_id}: {error.problem}", "Use an https address.") from None
        found[workspace_id] = url
    return tuple(found.items())


def _parse_proxy(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/@]+/?", text):
        raise BadValueError("not a proxy address", "Use http://host:port.")
    return text


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """Where the tables are."""

    engine: str = setting(
        "local",
        _parse_engine,
        metavar="local|databricks|sc://HOST:PORT",
        help="Table engine. Default: databricks on Databricks, else local.",
    )
    lakehouse: Path = setting(
        Path("lakehouse"),
        Path,
        metavar="DIR",
        help="Local engine: folder of Delta folders, <catalog>/<schema>/<table>.",
    )
    catalog: str = setting("main", identifier, metavar="NAME", help="Catalog of our tables.")
    schema: str = setting("genie_analytics", identifier, metavar="NAME", help="Schema of our tables.")
    system_catalog: str = setting(
        "system",
        identifier,
        metavar="NAME",
        help="Catalog of the system tables, for Spark servers without Unity Catalog.",
    )

    def __repr__(self) -> str:
        # The address of an engine may hold a token.
        shown = (f"{item.name}={hide_passwords(str(getattr(self, item.name)))!r}" for item in fields(self))
        return f"EngineSettings({', '.join(shown)})"


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What a run is limited to; empty means everything."""

    workspace_ids: tuple[str, ...] = setting((), ids, metavar="ID,ID", help="Only these workspaces. Default: all.")
    space_ids: tuple[str, ...] = setting(
        (), ids, metavar="ID,ID", help="Fetch only messages of these spaces. Default: all."
    )

    @property
    def workspaces_text(self) -> str:
        """Return the workspace ids as one text: separated by commas, '' for all."""
        return ",".join(self.workspace_ids)


@dataclass(frozen=True, kw_only=True)
class DiscoverySettings:
    """How far back the audit log is read, and which sources are skipped."""

    days_lookback: int = setting(
        30,
        whole_number(1, MAX_DAYS_LOOKBACK),
        metavar="DAYS",
        help="How far back the first run reads; raising it later reads the days before too.",
    )
    overlap_days: int = setting(
        2,
        whole_number(0, 365),
        metavar="DAYS",
        help="Days before the watermark that are read again, for late audit rows.",
    )
    skip_sources: tuple[str, ...] = setting(
        (),
        words,
        metavar="SOURCE,SOURCE",
        help="Optional sources that are not read, such as query.history. Default: read all.",
    )


@dataclass(frozen=True, kw_only=True)
class FetchSettings:
    """How much load we may put on the Genie API, and how many messages are stored at once."""

    batch_size: int = setting(5_000, whole_number(1, 100_000), metavar="N", help="Messages stored at once.")
    max_concurrency: int = setting(64, whole_number(1, 1_000), metavar="N", help="Requests in flight per workspace.")
    max_requests_per_second: float | None = setting(
        None,
        number(0.01, 100_000),
        metavar="N",
        help="Ceiling per workspace. Default: learnt from the service's answers.",
    )
    timeout_seconds: float = setting(30.0, number(0.1, 3_600), metavar="SECONDS", help="Time-out of one request.")
    # The proxy variables of the environment are not read.
    proxy: str | None = setting(None, _parse_proxy, metavar="URL", help="HTTP proxy for all requests. Default: none.")
    allowed_hosts: tuple[str, ...] = setting(
        (),
        _parse_hosts,
        metavar="HOST,HOST",
        help="Hosts trusted with the credentials beside Databricks' domains: host, host:port or *.domain. Default: none.",
    )
    # Whoever runs the job names them, so they are trusted like allowed_hosts.
    workspace_addresses: tuple[tuple[str, str], ...] = setting(
        (),
        _parse_addresses,
        metavar="ID=URL,ID=URL",
        help="Addresses of workspaces, where those of system.access.workspaces_latest are not right. Default: none.",
    )
    max_attempts: int = setting(
        20, whole_number(1, 1_000), metavar="N", help="Runs that try one message before it is abandoned."
    )
    settle_days: int = setting(
        7,
        whole_number(1, 3_650),
        metavar="DAYS",
        help="Days without a change after which a message that never became final is abandoned.",
    )

    def host_rules(self, *, is_loopback: bool) -> HostRules:
        """Return which hosts may get the credentials. Plain http never goes through a proxy, because the proxy could read it."""
        named = (parse_allowed_host(host_of(url)) for _, url in self.workspace_addresses)
        return HostRules(
            allowed_hosts=(*self.allowed_hosts, *named), is_loopback_allowed=is_loopback and self.proxy is None
        )

    def address_of(self, workspace_id: str, listed: str | None) -> str | None:
        """Return the address of a workspace: the one that was given, else `listed`, that of the system table."""
        return dict(self.workspace_addresses).get(workspace_id, listed)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of a command."""

    engine: EngineSettings
    scope: Scope
    discovery: DiscoverySettings
    fetch: FetchSettings
    content: ContentSettings = field(default_factory=ContentSettings)
    deadline_seconds: float | None = setting(
        None,
        number(1, 604_800),
        metavar="SECONDS",
        help="Begin nothing new after this time; the next run goes on. Default: none.",
    )
    retention_days: int | None = setting(
        None,
        whole_number(1, MAX_DAYS_LOOKBACK),
        metavar="DAYS",
        help="Erase the texts of messages older than this at the end of every run. Default: keep them.",
    )


SETTINGS = tuple(declared_in(Settings))


def parse_settings(flags: Mapping[str, str | None], environ: Mapping[str, str]) -> Settings:
    """Turn flags and environment variables into checked settings.

    Raises:
        ConfigError: lists every problem found, each with its flag or variable.
    """
    on_databricks = {"GENIE_OBS_ENGINE": "databricks"} if "DATABRICKS_RUNTIME_VERSION" in environ else {}
    given = {name: value for name, value in environ.items() if name.startswith("GENIE_OBS_") and value.strip()}
    return build(Settings, take_values(SETTINGS, flags, {**on_databricks, **given}))
