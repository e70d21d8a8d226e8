"""What every run of the job needs, imported once: the fork server starts with this module and forks a process per run.

Nothing here may start a thread: a forked process has only the thread that forked it.
"""

import os

# pyspark decides by these, while it is imported, whether it may do without a JVM.
os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
os.environ.setdefault("SPARK_HOME", "/nonexistent")

import aiohttp  # noqa: F401
import pysail.spark  # noqa: F401
import pyspark.sql.connect.session  # noqa: F401
import tests.faults.job_process  # noqa: F401
