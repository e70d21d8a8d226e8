"""What every test needs."""

import sys

# pytest-xdist workers run from `python -c`; pyspark takes a main module without a file for its own doctest runner and
# then wants a whole Spark installation.
if not hasattr(sys.modules["__main__"], "__file__"):
    sys.modules["__main__"].__file__ = "pytest-xdist"
