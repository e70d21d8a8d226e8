"""Takes the README's pictures of the dashboard, light and dark, with the browser the tests use.

Run after `make demo`: .venv/bin/python tools/take_screenshots.py demo/dashboard.html
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parents[1] / "docs" / "images"
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
# Tab and height of the part that shows what the page is about.
PICTURES = {"Overview": 1_130, "Quality & failures": 1_000}


def take(page: Page, name: str, height: int, scheme: str) -> None:
    """Open one tab and store its upper part."""
    page.set_viewport_size({"width": 1_400, "height": height})
    page.get_by_role("tab", name=name).click()
    page.wait_for_timeout(1_500)
    file = IMAGES / f"{name.split(maxsplit=1)[0].lower()}-{scheme}.png"
    page.screenshot(path=file)
    print(file)


def main(dashboard: Path) -> None:
    """Take every picture in both colour schemes."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        for scheme in ("light", "dark"):
            page = browser.new_page(color_scheme=scheme)
            page.goto(dashboard.resolve().as_uri())
            for name, height in PICTURES.items():
                take(page, name, height, scheme)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
