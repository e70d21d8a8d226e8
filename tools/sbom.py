"""Write the software bill of materials of the wheel: CycloneDX, from the lock file.

python tools/sbom.py [FILE]
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from genie_obs._version import __version__

ROOT = Path(__file__).resolve().parents[1]
UV = str(Path(sys.executable).with_name("uv"))
_EXPORT = (
    "export",
    "--quiet",
    "--frozen",
    "--no-dev",
    "--extra",
    "local",
    "--extra",
    "preview",
    "--format",
    "cyclonedx1.5",
)


def main(arguments: list[str]) -> int:
    """Write the file and say where."""
    out = Path(arguments[0]) if arguments else ROOT / "dist" / "genie-obs.cdx.json"
    done = subprocess.run([UV, *_EXPORT], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603  # our own package manager
    parts = json.loads(done.stdout)
    parts["metadata"]["component"]["version"] = __version__  # dynamic, so the lock file does not know it
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(parts, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {out} ({len(parts['components'])} packages)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
