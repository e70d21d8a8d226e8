"""Put the version of genie-obs into its list of parts. The lock file does not know it, because pyproject.toml takes it from the package.

python tools/sbom.py FILE
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from genie_obs._version import __version__


def main(file: Path) -> None:
    """Add the version to a CycloneDX file in JSON."""
    listed = json.loads(file.read_text(encoding="utf-8"))
    listed["metadata"]["component"]["version"] = __version__
    file.write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
