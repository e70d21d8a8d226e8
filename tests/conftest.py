"""What every test needs."""

import logging
import sys
from pathlib import Path

import pytest

# What fails fast comes first, then the folders with long files, so that no worker is left alone with one at the end.
_ORDER = ("unit", "fuzz", "faults", "integration", "e2e", "browser", "sql", "deploy")
_HERE = Path(__file__).parent

# pytest-xdist workers run from `python -c`; pyspark takes a main module without a file for its own doctest runner and
# then wants a whole Spark installation. A file that exists, since multiprocessing runs it in the processes it starts.
if not hasattr(sys.modules["__main__"], "__file__"):
    sys.modules["__main__"].__file__ = __file__


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let what fails fast come first; two workers keep to it with --no-loadscope-reorder."""
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    folder = item.path.relative_to(_HERE).parts[0]
    return _ORDER.index(folder) if folder in _ORDER else len(_ORDER)


@pytest.fixture(autouse=True)
def our_log_as_it_was() -> None:
    """Undo what a command's logging set-up left behind, so that the next test sees our log."""
    ours = logging.getLogger("genie_obs")
    ours.handlers.clear()
    ours.setLevel(logging.NOTSET)
    ours.propagate = True
