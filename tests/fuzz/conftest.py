"""Accounts to run the job against."""

from tests.integration.conftest import make_world

__all__ = ["make_world"]
