"""Observability for Databricks Genie: audit log to messages, to one Delta table, with a ledger that proves completeness."""

__version__ = "0.1.0"


def runtime() -> None:
    """Run the job with the parameters in `sys.argv`: what a Databricks wheel task calls, named in the package's metadata.

    It stands here because the launcher calls `genie_obs.runtime()` where it finds no such name in the metadata.

    Raises:
        RunFailedError: if the run failed, or a whole workspace could not be read.
    """
    # Here, so that importing the package stays as cheap as it is.
    from genie_obs.wheel_task import runtime as run

    run()
