"""What every test needs."""

import logging
import sys

import pytest

# Workers of pytest-xdist say their main module is a file that does not exist; processes started by spawn or forkserver
# would run it first and fail.
_main = sys.modules["__main__"]
if not Path(getattr(_main, "__file__", None) or __file__).exists():
    del _main.__file__


# pytest-xdist workers run from `python -c`; pyspark takes a main module without a file for its own doctest runner and
# then wants a whole Spark installation.
if not hasattr(sys.modules["__main__"], "__file__"):
    sys.modules["__main__"].__file__ = "pytest-xdist"


@pytest.fixture(autouse=True)
def our_log_as_it_was() -> None:
    """Undo what a command's logging set-up left behind, so that the next test sees our log."""
    ours = logging.getLogger("genie_obs")
    ours.handlers.clear()
    ours.setLevel(logging.NOTSET)
    ours.propagate = True
