"""The small form of `make test-every-fault`, which is run by hand over ten thousand messages."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.faults import every_fault
from tests.faults.every_fault import KINDS, forms_of, lines, read_account


def test_account_is_exact_and_nothing_leaks_though_a_quarter_of_all_answers_are_faults() -> None:
    report = read_account(messages=300, share=0.25)

    told = "\n".join(lines(report, 0.0))
    assert report.difference is None, told
    assert report.leaks == [], told
    assert report.is_search_working, "a question that is stored was not found either"
    assert report.runs[-1]["status"] == "succeeded", told
    assert sum(record["fetched_count"] for record in report.runs) == 300, told
    # Figures for what went wrong are in the run's record.
    assert sum(record["api_retry_count"] for record in report.runs) > 0, told
    assert sum(record["throttled_count"] for record in report.runs) > 0, told
    assert len(report.faults) > len(KINDS) / 2, told


@pytest.mark.parametrize("form", ["client secret", "basic credentials", "token"])
@pytest.mark.parametrize("place", ["a.log", "a.parquet"])
def test_search_finds_what_leaked(tmp_path: Path, form: str, place: str) -> None:
    leak = forms_of("id", "s3cret/+", "simulated.abc.")[form].decode()
    path = tmp_path / place
    if place == "a.parquet":
        pq.write_table(pa.table({"n": [1, 2], "text": ["x", f"Bearer {leak}"]}), path, compression="zstd")
    else:
        path.write_text(json.dumps({"Authorization": leak}))

    assert leak.encode() in every_fault._searchable(path)


def test_secret_is_searched_for_as_it_is_sent() -> None:
    forms = forms_of("id", "s3cret/+", "simulated.abc.")
    assert base64.b64encode(b"id:s3cret/+") == forms["basic credentials"]
    assert forms["client secret, quoted"] == b"s3cret%2F%2B"
