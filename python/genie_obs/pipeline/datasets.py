"""The datasets of the package, in the order in which a run fills them. Each folder of `genie_obs.datasets` is one."""

from __future__ import annotations

import pkgutil
from functools import lru_cache
from graphlib import TopologicalSorter
from importlib import import_module

import genie_obs.datasets
from genie_obs.lakehouse.schema import tables
from genie_obs.runs.dataset import Dataset


@lru_cache
def all_datasets() -> tuple[Dataset, ...]:
    """Return all datasets: each after those that it reads, otherwise in alphabetical order."""
    found = {module.name: _dataset(module.name) for module in pkgutil.iter_modules(genie_obs.datasets.__path__)}
    order = TopologicalSorter({name: sorted(found[name].after) for name in sorted(found)})
    return tuple(found[name] for name in order.static_order())


def sources_of(dataset: Dataset) -> tuple[str, ...]:
    """Return the sources of a dataset: those that it names itself, and those that its tables declare."""
    folder = f"datasets/{dataset.name}"
    declared = [source for item in tables() if f"{item.folder}/".startswith(f"{folder}/") for source in item.sources]
    return tuple(dict.fromkeys((*dataset.needs, *declared)))


def _dataset(name: str) -> Dataset:
    dataset: Dataset = import_module(f"genie_obs.datasets.{name}").DATASET
    return dataset
