"""The console entry point under its public name; the commands are in `genie_obs.command`."""

from genie_obs.command.cli import main

__all__ = ["main"]
