"""What is imported when: start-up is most of what an hourly run costs."""

import subprocess
import sys

import pytest

# Of a run without a terminal and with nothing to do; the engine brings pyarrow and what pyspark needs anyway.
RUN = (
    "import genie_obs.command.cli, genie_obs.command.ingest, genie_obs.session.job, genie_obs.lakehouse.engines.engine, "
    "genie_obs.pipeline.run"
)


@pytest.mark.parametrize(
    ("code", "spared"),
    [
        ("import genie_obs.command.cli", ["aiohttp", "pyarrow", "pyspark", "rich"]),
        (RUN, ["aiohttp", "databricks", "deltalake", "pandas", "pyspark", "rich"]),
    ],
    ids=["command line", "run with nothing to do"],
)
def test_nothing_is_imported_that_is_not_needed(code: str, spared: list[str]) -> None:
    ask = f"{code}; import sys; print(sorted(set(sys.modules) & set({spared})))"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
