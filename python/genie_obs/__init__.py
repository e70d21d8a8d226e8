"""Observability for Databricks Genie: audit log to messages, to one Delta table, with a ledger that proves completeness."""

from genie_obs._version import __version__ as __version__


def runtime() -> None:
    """Run the job with the parameters in `sys.argv`: what a Databricks wheel task calls, named in the package's metadata.

    It stands here because the launcher calls `genie_obs.runtime()` where it finds no such name in the metadata.

    Raises:
        RunFailedError: if the run failed, or a whole workspace could not be read.
    """
    # Here, so that importing the package stays as cheap as it is.
    from genie_obs.command.task import runtime as run

    run()
