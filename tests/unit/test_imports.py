"""What is imported when: start-up is most of what an hourly run costs."""

import subprocess
import sys


def test_run_with_nothing_to_do_imports_no_http_client() -> None:
    code = (
        "import genie_obs.cli, genie_obs.cli_output, genie_obs.credentials, genie_obs.job, genie_obs.progress, sys; "
        "print('aiohttp' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
