"""`genie-obs dashboard serve` and `genie-obs dashboard export`."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import tempfile
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import click

from genie_obs.clock import SystemClock
from genie_obs.config import MAX_DAYS_LOOKBACK, Settings, parse_settings
from genie_obs.errors import ConfigError, Problem
from genie_obs.lakehouse.engines.engine import open_engine
from genie_obs.preview.file.parse import load_dashboard
from genie_obs.preview.page.site import Site
from genie_obs.preview.query.results import Runner, use_namespace
from genie_obs.security.hosts import is_loopback
from genie_obs.session.flags import setting_flags
from genie_obs.session.output import set_up_logging

logger = logging.getLogger(__name__)

_ENGINE_SETTINGS = ("engine", "lakehouse", "catalog", "schema", "system_catalog")
_GENERATOR = b'<meta name="generator" content="genie-obs">'
_HEAD_BYTES = 4_096
_PACKAGED = "genie_observability.lvdash.json"
_WORKSPACES = re.compile(r"ALL|[A-Za-z0-9_-]{1,64}(?:\s*,\s*[A-Za-z0-9_-]{1,64})*")


def _dashboard_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the flags that choose the dashboard and its parameters."""
    options = (
        click.option(
            "--dashboard",
            "dashboard_file",
            type=click.Path(path_type=Path),
            metavar="FILE",
            envvar="GENIE_OBS_DASHBOARD",
            show_envvar=True,
            help="Any .lvdash.json. Default: the dashboard of this project.",
        ),
        click.option(
            "--workspace-id-filter",
            metavar="ALL|ID,ID",
            envvar="GENIE_OBS_WORKSPACE_ID_FILTER",
            show_envvar=True,
            help="Value of the parameter :workspace_id_filter. Default: the dashboard's own.",
        ),
        click.option(
            "--days-lookback",
            metavar="DAYS",
            envvar="GENIE_OBS_DAYS_LOOKBACK",
            show_envvar=True,
            help="Value of the parameter :days_lookback. Default: the dashboard's own.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return setting_flags(*_ENGINE_SETTINGS)(command)


@click.group("dashboard")
def dashboard_command() -> None:
    """See an AI/BI dashboard (.lvdash.json) without Databricks: as a local web page, or as one HTML file."""


@dashboard_command.command("serve")
@_dashboard_flags
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; others than loopback need --expose.",
)
@click.option(
    "--expose",
    "is_exposed",
    is_flag=True,
    help="Let others than this machine in. There is no password: whoever reaches the address reads every question and answer.",
)
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8_050, show_default=True, help="Port; 0 takes any free one."
)
@click.option("--open", "is_opened", is_flag=True, help="Open the page in the browser.")
def serve_command(*, host: str, port: int, is_exposed: bool, is_opened: bool, **flags: Any) -> None:
    """Serve the dashboard as a web page; filters run its SQL again. Ctrl+C stops."""
    from genie_obs.preview.page.server import serve

    set_up_logging(None)
    if not is_loopback(host.strip("[]")):
        meaning = "whoever reaches this address can read every question and answer, unencrypted and without a password"
        if not is_exposed:
            raise ConfigError(f"--host {host}: {meaning}. Add --expose if that is what you want.")
        logger.warning("--host %s: %s", host, meaning)

    def ready(address: str) -> None:
        click.echo(f"Dashboard at {address} (Ctrl+C stops)")
        if is_opened:
            webbrowser.open(address)

    async def until_stopped(site: Site) -> None:
        stop = asyncio.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
        await serve(site, host=host, port=port, on_ready=ready, stop=stop)

    with _site(flags) as site:
        asyncio.run(until_stopped(site))


@dashboard_command.command("export")
@_dashboard_flags
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, metavar="FILE", help="HTML file to write."
)
@click.option(
    "--every-filter-value",
    is_flag=True,
    help="Run the queries for every combination of the dashboard's single-select filters, so that they work in the file.",
)
@click.option("--overwrite", "is_overwriting", is_flag=True, help="Replace a file that is no earlier export.")
def export_command(*, out: Path, every_filter_value: bool, is_overwriting: bool, **flags: Any) -> None:
    """Write the dashboard and its rows to one HTML file that loads nothing and can be sent or archived."""
    set_up_logging(None)
    _check_out(out, is_overwriting=is_overwriting)
    with _site(flags) as site:
        size_bytes = write_export(site, out, every_filter_value=every_filter_value)
    click.echo(f"Dashboard in {out} ({size_bytes / 1e6:.1f} MB, opens in any browser, needs no network)")


def write_export(site: Site, out: Path, *, every_filter_value: bool = False) -> int:
    """Write the single-file dashboard, readable by the owner only, and return its size in bytes.

    Raises:
        ConfigError: if the file cannot be written.
    """
    from genie_obs.preview.page.exporter import export_page

    content = export_page(site, every_filter_value=every_filter_value).encode()
    try:
        # Questions and answers are personal data. They go to a new file that only its owner can read, under a name that nobody can guess.
        descriptor, partial = tempfile.mkstemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent)
    except OSError as error:
        raise ConfigError(f"--out {out}: cannot be written ({error.strerror}).") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(partial).replace(out)
    except OSError as error:
        raise ConfigError(f"--out {out}: cannot be written ({error.strerror}).") from error
    finally:
        Path(partial).unlink(missing_ok=True)
    return len(content)


def _check_out(out: Path, *, is_overwriting: bool) -> None:
    """Check the file to write before any query runs: whether it can be written, and whether something would be lost.

    Raises:
        ConfigError: naming what is in the way.
    """
    if not out.parent.is_dir():
        raise ConfigError(f"--out {out}: the folder {out.parent} does not exist. Make it, or name another file.")
    if out.is_symlink():
        raise ConfigError(f"--out {out}: it is a link to another file. Name that file, or remove the link.")
    if out.exists() and not is_overwriting and not _is_export(out):
        raise ConfigError(
            f"--out {out}: there is a file that no export has written. Name another file, or add --overwrite."
        )


def _is_export(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return _GENERATOR in opened.read(_HEAD_BYTES)
    except OSError:
        return False


@contextmanager
def open_site(
    settings: Settings, *, dashboard_file: Path | None = None, overrides: dict[str, str] | None = None
) -> Iterator[Site]:
    """Open the engine and the dashboard; close the engine at the end. `overrides` are values of parameters by keyword.

    Raises:
        ConfigError: if the dashboard or the lakehouse cannot be read.
    """
    _require_chart_library()
    dashboard = load_dashboard(dashboard_file or packaged_dashboard())
    # The engine's allocator reads this when it is loaded. It then keeps free memory for ten seconds, for the next statement.
    # Over a million messages this is a tenth faster and takes a sixth more memory.
    os.environ.setdefault("MIMALLOC_PURGE_DELAY", "10000")
    engine = open_engine(settings.engine)
    try:
        use_namespace(engine)
        clock = SystemClock()
        yield Site(dashboard=dashboard, runner=Runner(engine), overrides=overrides or {}, now=clock.now)
    finally:
        engine.close()


@contextmanager
def _site(flags: dict[str, Any]) -> Iterator[Site]:
    dashboard_file = flags.pop("dashboard_file")
    given = {name: (flags.pop(name) or "").strip() for name in ("workspace_id_filter", "days_lookback")}
    overrides = {name: text for name, text in given.items() if text}
    settings = parse_settings(
        flags, {name: value for name, value in os.environ.items() if name != "GENIE_OBS_DAYS_LOOKBACK"}
    )
    _check_overrides(overrides)
    with open_site(settings, dashboard_file=dashboard_file, overrides=overrides) as site:
        yield site


def _check_overrides(overrides: dict[str, str]) -> None:
    problems = []
    if (text := overrides.get("workspace_id_filter")) and not _WORKSPACES.fullmatch(text):
        problems.append(
            Problem(f"--workspace-id-filter {text!r}: no ids", "Use ALL, or workspace ids separated by commas.")
        )
    text = overrides.get("days_lookback", "1")
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= MAX_DAYS_LOOKBACK):
        problems.append(
            Problem(f"--days-lookback {text!r}: out of range", f"Use whole days, 1 to {MAX_DAYS_LOOKBACK}.")
        )
    if problems:
        raise ConfigError(problems)


def packaged_dashboard() -> Path:
    """Return the file of the project's own dashboard, from the installed package or else from the source tree.

    Raises:
        ConfigError: if it is in neither.
    """
    inside = Path(str(resources.files("genie_obs.preview"))) / "sql" / _PACKAGED
    beside = Path(__file__).resolve().parents[3] / "sql" / _PACKAGED
    found = next((file for file in (inside, beside) if file.is_file()), None)
    if found is None:
        raise ConfigError("The project's own dashboard is not installed here. Name a file with --dashboard.")
    return found


def _require_chart_library() -> None:
    try:
        import vl_convert  # noqa: F401  # only to see whether it is there; page/document.py uses it
    except ImportError as error:
        raise ConfigError(
            "The dashboard preview needs a package that is not installed. Install it with: pip install 'genie-obs[preview]'"
        ) from error
