"""Coverage-guided fuzzing of the parser: `make fuzz`. Input that breaks something is written to a file beside.

python -m tests.fuzz.coverage_guided -max_total_time=60 [folder of inputs]
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=[
        "genie_obs.datasets.messages.parsing.json_values",
        "genie_obs.datasets.messages.parsing.message_drift",
        "genie_obs.datasets.messages.parsing.message_rows",
        "genie_obs.datasets.messages.next_state",
        "genie_obs.datasets.messages.outcomes",
        "genie_obs.genie_api.exchange",
        "genie_obs.drift",
    ]
):
    from tests.fuzz.targets import check_body

from tests.fuzz.real_messages import REAL


def main() -> None:
    """Fuzz until the time given is over, starting from messages of every shape."""
    folder = Path(tempfile.mkdtemp(prefix="genie-obs-fuzz-"))
    for number, message in enumerate(REAL):
        (folder / f"{number:03}.json").write_text(json.dumps(message), encoding="utf-8")
    atheris.Setup([*sys.argv, str(folder)], check_body)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
