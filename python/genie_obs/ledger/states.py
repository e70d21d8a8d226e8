"""The states of a message in the ledger, each message in exactly one of them."""

from __future__ import annotations

from datetime import timedelta

STATES = ("pending", "fetched", "settling", "retry", "forbidden", "deleted", "not_found", "abandoned", "erased")
# A little less than a day, so that a daily schedule does not miss it by minutes.
RECHECK_AFTER = timedelta(hours=23)
