"""Observability for Databricks Genie: finds messages in the audit log, fetches them, and proves with a ledger that none is missing."""

from genie_obs._version import __version__ as __version__


def runtime() -> None:
    """Run the job with the parameters in `sys.argv`. A Databricks wheel task calls this entry point.

    The package's metadata names it. It stands here because the launcher calls `genie_obs.runtime()` if it finds no such name there.

    Raises:
        RunFailedError: if the run failed, or a whole workspace could not be read.
    """
    # Imported here, so that importing the package stays cheap.
    from genie_obs.command.task import runtime as run

    run()
