"""The flags that commands share: made from the declared settings, all of them texts that are checked together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from genie_obs.config import SETTINGS, EngineSettings
from genie_obs.settings import declared_in

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
ALL_SETTINGS = tuple(setting.name for setting in SETTINGS)
ENGINE_SETTINGS = tuple(setting.name for setting in declared_in(EngineSettings))

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def setting_flags(*names: str, **options: Any) -> Decorator:
    """Give a command the flags of the named settings; `options` are further arguments of click's options."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for setting in reversed([item for item in SETTINGS if item.name in names]):
            text = f"{setting.help}  [{setting.variable}]"
            command = click.option(setting.flag, setting.name, metavar=setting.metavar, help=text, **options)(command)
        return command

    return decorate


def output_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--json` and `--log-level`."""
    command = click.option(
        "--json", "is_json", is_flag=True, help="Print the result as JSON, on the last line of stdout."
    )(command)
    return click.option(
        "--log-level",
        type=click.Choice(LOG_LEVELS, case_sensitive=False),
        envvar="GENIE_OBS_LOG_LEVEL",
        help="Default: INFO, or WARNING on a terminal, where progress is shown instead.  [GENIE_OBS_LOG_LEVEL]",
    )(command)
