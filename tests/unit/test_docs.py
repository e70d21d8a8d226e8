"""Documentation that can be checked, is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from genie_obs.config import SETTINGS

ROOT = Path(__file__).parents[2]


def test_data_model_is_up_to_date() -> None:
    subprocess.run([sys.executable, str(ROOT / "tools" / "build_data_model.py"), "--check"], check=True)


def test_every_setting_is_documented_with_its_flag_and_default() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    for setting in SETTINGS:
        [row] = [
            line for line in text.splitlines() if line.startswith("|") and f"`{setting.flag}`" in line.split("|")[1]
        ]
        assert not setting.default_text or f"`{setting.default_text}`" in row.split("|")[2]


def test_links_between_documents_lead_somewhere() -> None:
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "sql").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"
