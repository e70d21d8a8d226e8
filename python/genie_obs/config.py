"""Settings: every one is declared once, read from a flag or a ``GENIE_OBS_*`` variable, and checked together with the others.

Flags win over variables. An empty value means "not set", so that a job can pass parameters it leaves blank.
Credentials are no settings: see :func:`genie_obs.credentials.load_credentials`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from genie_obs.content_policy import ContentSettings, parse_policies
from genie_obs.engine import EngineSettings
from genie_obs.errors import ConfigError
from genie_obs.hosts import HostRules, parse_allowed_host
from genie_obs.sql import is_identifier

MAX_DAYS_LOOKBACK = 3_650
N = TypeVar("N", int, float)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SPARK_CONNECT = re.compile(r"sc://[^\s/]+(/.*)?")


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What a run is limited to; empty means everything."""

    workspace_ids: tuple[str, ...] = ()
    space_ids: tuple[str, ...] = ()

    @property
    def workspaces_text(self) -> str:
        """Return the workspace ids as statements take them: separated by commas, '' for all."""
        return ",".join(self.workspace_ids)

    @property
    def spaces_text(self) -> str:
        """Return the space ids as statements take them: separated by commas, '' for all."""
        return ",".join(self.space_ids)


@dataclass(frozen=True, kw_only=True)
class DiscoverySettings:
    """How far back the audit log is read."""

    days_lookback: int = 30  # the first run starts here; raised later, the next run reads the days before as well
    overlap_days: int = 2  # read again before the watermark, for audit rows that arrive late


@dataclass(frozen=True, kw_only=True)
class FetchSettings:
    """How hard we may lean on the Genie API, and how messages are handed to the tables."""

    batch_size: int = 5_000  # messages stored at once
    max_concurrency: int = 64  # requests in flight, per workspace
    max_requests_per_second: float | None = None  # per workspace; None: learn the limit from the service's answers
    timeout_seconds: float = 30.0  # for one request
    proxy: str | None = None  # URL of an HTTP proxy for all requests; the environment's proxy variables are not read
    allowed_hosts: tuple[str, ...] = ()  # trusted with the credentials beside Databricks' own domains
    max_attempts: int = 20  # runs that try one message before it is abandoned
    settle_days: int = 7  # a message older than this that is still not terminal is abandoned

    def host_rules(self, *, is_loopback: bool) -> HostRules:
        """Return which hosts get the credentials; plain http never goes through a proxy, which would read it."""
        return HostRules(allowed_hosts=self.allowed_hosts, is_loopback_allowed=is_loopback and self.proxy is None)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything a command can be told."""

    engine: EngineSettings
    scope: Scope
    discovery: DiscoverySettings
    fetch: FetchSettings
    content: ContentSettings = field(default_factory=ContentSettings)
    retention_days: int | None = None  # texts of older messages are erased at the end of a run; None: kept


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting as users spell it."""

    name: str
    default: str
    help: str
    metavar: str

    @property
    def flag(self) -> str:
        """Return the command-line spelling."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """Return the environment variable."""
        return "GENIE_OBS_" + self.name.upper()


SETTINGS = (
    Setting(
        name="engine",
        default="",
        metavar="local|databricks|sc://HOST:PORT",
        help="Table engine. Default: databricks on Databricks, else local.",
    ),
    Setting(
        name="lakehouse",
        default="lakehouse",
        metavar="DIR",
        help="Local engine: folder of Delta folders, <catalog>/<schema>/<table>.",
    ),
    Setting(name="catalog", default="main", metavar="NAME", help="Catalog of our tables."),
    Setting(name="schema", default="genie_analytics", metavar="NAME", help="Schema of our tables."),
    Setting(
        name="system_catalog",
        default="system",
        metavar="NAME",
        help="Catalog of the system tables, for Spark servers without Unity Catalog.",
    ),
    Setting(name="workspace_ids", default="", metavar="ID,ID", help="Only these workspaces. Default: all."),
    Setting(name="space_ids", default="", metavar="ID,ID", help="Fetch only messages of these spaces. Default: all."),
    Setting(
        name="days_lookback",
        default="30",
        metavar="DAYS",
        help="How far back the first run reads; raising it later reads the days before too.",
    ),
    Setting(
        name="overlap_days",
        default="2",
        metavar="DAYS",
        help="Days before the watermark that are read again, for late audit rows.",
    ),
    Setting(name="batch_size", default="5000", metavar="N", help="Messages stored at once."),
    Setting(name="max_concurrency", default="64", metavar="N", help="Requests in flight per workspace."),
    Setting(
        name="max_requests_per_second",
        default="",
        metavar="N",
        help="Ceiling per workspace. Default: learnt from the service's answers.",
    ),
    Setting(name="timeout_seconds", default="30", metavar="SECONDS", help="Time-out of one request."),
    Setting(name="proxy", default="", metavar="URL", help="HTTP proxy for all requests. Default: none."),
    Setting(
        name="allowed_hosts",
        default="",
        metavar="HOST,HOST",
        help="Hosts trusted with the credentials beside Databricks' domains: host, host:port or *.domain. Default: none.",
    ),
    Setting(name="max_attempts", default="20", metavar="N", help="Runs that try one message before it is abandoned."),
    Setting(
        name="settle_days",
        default="7",
        metavar="DAYS",
        help="Days after which a message that never became final is abandoned.",
    ),
    Setting(
        name="content_policy",
        default="full",
        metavar="POLICY; WORKSPACE=POLICY; WORKSPACE/SPACE=POLICY",
        help="What is kept of texts: full, redacted, hashed or metrics_only; by workspace and space where it differs.",
    ),
    Setting(
        name="phone_regions",
        default="US",
        metavar="CC,CC",
        help="Policy redacted: countries whose national phone numbers are masked, beside international ones.",
    ),
    Setting(
        name="retention_days",
        default="",
        metavar="DAYS",
        help="Erase the texts of messages older than this at the end of every run. Default: keep them.",
    ),
)


def parse_settings(flags: Mapping[str, str | None], environ: Mapping[str, str]) -> Settings:
    """Turn flags and environment variables into checked settings.

    Raises:
        ConfigError: listing every problem found, each with the name it was given by.
    """
    values = _Values(flags, environ)
    settings = Settings(
        engine=EngineSettings(
            engine=values.take("engine", _parse_engine(environ)),
            lakehouse=values.take("lakehouse", Path),
            catalog=values.take("catalog", _parse_identifier),
            schema=values.take("schema", _parse_identifier),
            system_catalog=values.take("system_catalog", _parse_identifier),
        ),
        scope=Scope(
            workspace_ids=values.take("workspace_ids", _parse_ids), space_ids=values.take("space_ids", _parse_ids)
        ),
        discovery=DiscoverySettings(
            days_lookback=values.take("days_lookback", _integer(1, MAX_DAYS_LOOKBACK)),
            overlap_days=values.take("overlap_days", _integer(0, 365)),
        ),
        fetch=FetchSettings(
            batch_size=values.take("batch_size", _integer(1, 100_000)),
            max_concurrency=values.take("max_concurrency", _integer(1, 1_000)),
            max_requests_per_second=values.take("max_requests_per_second", _optional(_number(0.01, 100_000))),
            timeout_seconds=values.take("timeout_seconds", _number(0.1, 3_600)),
            proxy=values.take("proxy", _parse_proxy),
            allowed_hosts=values.take("allowed_hosts", _parse_hosts),
            max_attempts=values.take("max_attempts", _integer(1, 1_000)),
            settle_days=values.take("settle_days", _integer(1, 3_650)),
        ),
        content=ContentSettings(
            policies=values.take("content_policy", parse_policies),
            phone_regions=values.take("phone_regions", _parse_regions),
        ),
        retention_days=values.take("retention_days", _optional(_integer(1, MAX_DAYS_LOOKBACK))),
    )
    values.raise_problems()
    return settings


class _Values:
    """Looks a setting up by flag, variable and default, and gathers what is wrong."""

    def __init__(self, flags: Mapping[str, str | None], environ: Mapping[str, str]) -> None:
        self._flags = flags
        self._environ = environ
        self._settings = {setting.name: setting for setting in SETTINGS}
        self._problems: list[str] = []

    def take(self, name: str, parse: Callable[[str], Any]) -> Any:
        setting = self._settings[name]
        source, text = setting.flag, (self._flags.get(name) or "").strip()
        if not text:
            source, text = setting.variable, self._environ.get(setting.variable, "").strip()
        try:
            return parse(text or setting.default)
        except ValueError as error:
            shown = re.sub(r"[^\s/]*@", "***@", text)  # an address may carry a password
            self._problems.append(f"{source} {shown!r}: {error}")
            return None

    def raise_problems(self) -> None:
        if self._problems:
            raise ConfigError(self._problems)


def _parse_engine(environ: Mapping[str, str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not text:
            return "databricks" if "DATABRICKS_RUNTIME_VERSION" in environ else "local"
        if text in {"local", "databricks"} or _SPARK_CONNECT.fullmatch(text):
            return text
        raise ValueError("unknown engine; use local, databricks or sc://host:port")

    return parse


def _parse_identifier(text: str) -> str:
    if not is_identifier(text):
        raise ValueError("not a name; use letters, digits, _ and -, starting with a letter")
    return text


def _parse_ids(text: str) -> tuple[str, ...]:
    ids = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for value in ids:
        if not _ID.fullmatch(value):
            raise ValueError(f"{value!r} is not an id; separate ids by commas")
    return ids


def _parse_hosts(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(parse_allowed_host(part) for part in text.split(",") if part.strip()))


def _integer(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise ValueError(f"not a whole number; use {least} to {most}") from None
        if not least <= value <= most:
            raise ValueError(f"out of range; use {least} to {most}")
        return value

    return parse


def _number(least: float, most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"not a number; use {least:g} to {most:g}") from None
        if not least <= value <= most:
            raise ValueError(f"out of range; use {least:g} to {most:g}")
        return value

    return parse


def _parse_proxy(text: str) -> str | None:
    if text and not re.fullmatch(r"https?://[^\s/@]+/?", text):
        raise ValueError("not a proxy address; use http://host:port")
    return text or None


def _parse_regions(text: str) -> tuple[str, ...]:
    from phonenumbers import SUPPORTED_REGIONS  # not at the top: it costs every command some milliseconds

    regions = tuple(dict.fromkeys(part.strip().upper() for part in text.split(",") if part.strip()))
    if unknown := [region for region in regions if region not in SUPPORTED_REGIONS]:
        raise ValueError(f"{', '.join(unknown)}: no country; use two-letter codes such as US,DE")
    return regions


def _optional(parse: Callable[[str], N]) -> Callable[[str], N | None]:
    return lambda text: parse(text) if text else None
