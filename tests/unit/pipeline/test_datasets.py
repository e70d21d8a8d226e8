"""Which datasets there are, and in which order a run fills them."""

from __future__ import annotations

import pytest

from genie_obs.lakehouse.sources import SOURCES
from genie_obs.pipeline.datasets import all_datasets, sources_of
from genie_obs.runs.dataset import Dataset

ALL = [pytest.param(dataset, id=dataset.name) for dataset in all_datasets()]
NAMES = [dataset.name for dataset in all_datasets()]


@pytest.mark.parametrize("dataset", ALL)
def test_dataset_comes_after_those_that_it_reads(dataset: Dataset) -> None:
    assert set(dataset.after) <= set(NAMES[: NAMES.index(dataset.name)])


@pytest.mark.parametrize("dataset", ALL)
def test_dataset_needs_sources_that_a_run_looks_at(dataset: Dataset) -> None:
    assert set(sources_of(dataset)) <= {source.name for source in SOURCES}


def test_sources_are_those_of_the_dataset_and_of_its_tables() -> None:
    needed = {dataset.name: sources_of(dataset) for dataset in all_datasets()}

    assert needed["events"] == needed["messages"] == ("access.audit",)
    assert needed["statements"] == ("query.history",)
