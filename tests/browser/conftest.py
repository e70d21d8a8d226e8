"""A real Chromium, and the preview in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.browser.preview_world import dashboard_json, make_lakehouse, served, site_over

from genie_obs.preview.page.exporter import export_page
from genie_obs.preview.page.site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_FLAGS = [
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Opened:
    """A page and everything it complained about or asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def settle(self) -> None:
        """Wait until no tile is loading and every chart is drawn."""
        self.page.wait_for_function(
            "() => !document.querySelector('[aria-busy=\"true\"]') && "
            "[...document.querySelectorAll('.chart')].every((chart) => chart.childElementCount > 0)"
        )

    def tile(self, title: str) -> str:
        return f"section.tile:has(h2:text-is('{title}'))"

    def text(self, title: str) -> str:
        return self.page.locator(f"{self.tile(title)} .tile-body").inner_text()

    def count(self) -> int:
        """Return the number the counter shows."""
        return int(self.page.locator(".counter-value").first.inner_text().replace(",", ""))


# Not for the session: Playwright keeps an event loop running, in which other tests of this worker could not start theirs.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        reason = "no Chromium on this machine: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    lakehouse = make_lakehouse(tmp_path_factory.mktemp("preview") / "lakehouse")
    with site_over(lakehouse, dashboard_json()) as site:
        yield site


@pytest.fixture(scope="session")
def live_address(site: Site) -> Iterator[str]:
    with served(site) as address:
        yield address


@pytest.fixture(scope="session")
def file_address(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    file: Path = tmp_path_factory.mktemp("export") / "dashboard.html"
    file.write_text(export_page(site, every_filter_value=True), encoding="utf-8")
    return file.as_uri()


@pytest.fixture(params=["serve", "export"])
def opened(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Opened]:
    """The dashboard, served and exported; fails when the page complained or asked for anything outside."""
    address = request.getfixturevalue("live_address" if request.param == "serve" else "file_address")
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = Opened(context.new_page())
    opened.page.set_default_timeout(20_000)
    opened.page.on("console", lambda message: opened.complaints.append(message.text))
    opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.page.on("request", lambda made: opened.requests.append(made.url))
    opened.page.goto(address)
    opened.page.wait_for_selector("[role=tab]")
    opened.settle()
    yield opened
    outside = [url for url in opened.requests if not url.startswith((address.split("#")[0], "data:", "blob:"))]
    context.close()
    assert not opened.complaints
    assert not outside
