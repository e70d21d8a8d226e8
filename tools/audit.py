"""Ask the OSV service about every package the wheel pulls in, as locked; fail on a known vulnerability.

    python tools/audit.py [arguments of `uv audit`]

Exit codes: 0 none known, or nobody could be asked, which is said on stderr · 1 something is known, or the question failed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

UV = str(Path(sys.executable).with_name("uv"))
_NO_NETWORK = re.compile(
    r"dns error|tcp connect error|client error \(connect\)|timed out|network is unreachable", re.IGNORECASE
)


def main(arguments: list[str]) -> int:
    """Run the audit and return the exit code."""
    done = subprocess.run(  # noqa: S603  # our own package manager
        [UV, "audit", "--frozen", "--no-dev", *arguments], capture_output=True, text=True, check=False
    )
    print(done.stdout, end="")
    # Only when no answer came: what an answer says is on stdout, and always counts.
    if done.returncode and not done.stdout.strip() and _NO_NETWORK.search(done.stderr):
        print(
            "AUDIT SKIPPED: the service of known vulnerabilities cannot be reached from here. Nothing was checked.",
            file=sys.stderr,
        )
        return 0
    print(done.stderr, end="", file=sys.stderr)
    return min(done.returncode, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
