"""Observability for Databricks Genie: audit log to messages, to one Delta table, with a ledger that proves completeness."""

__version__ = "0.1.0"
