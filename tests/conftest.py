"""What every test needs."""

import logging
import sys

import pytest

# pytest-xdist workers run from `python -c`; pyspark takes a main module without a file for its own doctest runner and
# then wants a whole Spark installation. A file that exists, since multiprocessing runs it in the processes it starts.
if not hasattr(sys.modules["__main__"], "__file__"):
    sys.modules["__main__"].__file__ = __file__


@pytest.fixture(autouse=True)
def our_log_as_it_was() -> None:
    """Undo what a command's logging set-up left behind, so that the next test sees our log."""
    ours = logging.getLogger("genie_obs")
    ours.handlers.clear()
    ours.setLevel(logging.NOTSET)
    ours.propagate = True
