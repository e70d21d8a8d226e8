"""Our own dashboard over a simulated account, as a person sees it: every page, light and dark, served and exported."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.browser.conftest import Opened
from tests.browser.preview_world import served

from genie_obs.clock import SystemClock
from genie_obs.command.demo import run_demo
from genie_obs.config import parse_settings
from genie_obs.preview.command import open_site
from genie_obs.progress import LogProgress

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PAGES = ("Overview", "Adoption", "Quality & failures", "Conversations", "Performance", "Spaces", "Coverage & pipeline")
# Of each tile: its title, whether it shows an error, and whether it shows anything at all (words, figures or marks).
TILES = """() => [...document.querySelectorAll('section.tile')].map((tile) => ({
  title: tile.querySelector('h2')?.innerText ?? '',
  error: tile.querySelector('.notice.error')?.innerText ?? '',
  says: tile.innerText.trim() !== '' || tile.querySelector('svg') !== null,
  cut: [...tile.querySelectorAll('.counter-value, .counter-label, .counter-target')]
    .filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.innerText),
}))"""
# Texts of one chart whose boxes cover each other: unreadable, whatever they say.
OVERLAPS = """() => [...document.querySelectorAll('.chart svg')].flatMap((svg) => {
  const title = svg.closest('section.tile').querySelector('h2')?.innerText;
  const texts = [...svg.querySelectorAll('text')].filter(
    (t) => t.textContent.trim() && +getComputedStyle(t).opacity > 0 && !t.closest('[opacity="0"]'));
  const boxes = texts.map((t) => t.getBoundingClientRect());
  const found = [];
  for (let i = 0; i < boxes.length; i++) for (let j = i + 1; j < boxes.length; j++) {
    const a = boxes[i], b = boxes[j];
    const w = Math.min(a.right, b.right) - Math.max(a.left, b.left), h = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (w > 3 && h > 5) found.push(`${title}: ${texts[i].textContent} / ${texts[j].textContent}`);
  }
  return found;
})"""
# Charts with axes of which one has neither a title nor words for labels.
UNLABELLED = """() => [...document.querySelectorAll('.chart svg')].filter((svg) => svg.querySelector('.role-axis-label'))
  .filter((svg) => !svg.querySelector('.role-axis-title text')?.textContent.trim())
  .map((svg) => svg.closest('section.tile').querySelector('h2')?.innerText)"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("own") / "demo"
    folder.mkdir()
    run_demo(folder, messages=600, days=45, seed=7, progress=LogProgress(SystemClock()))
    return folder


@pytest.fixture(scope="module")
def addresses(demo: Path) -> Iterator[dict[str, str]]:
    with ExitStack() as stack:
        settings = parse_settings({"engine": "local", "lakehouse": str(demo / "lakehouse")}, {})
        site = stack.enter_context(open_site(settings))
        live = stack.enter_context(served(site))
        yield {"serve": live, "export": (demo / "dashboard.html").as_uri()}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("form", ["serve", "export"])
def test_every_page_is_whole_and_readable(browser: Browser, addresses: dict[str, str], form: str, scheme: str) -> None:
    page = browser.new_page(color_scheme=scheme, viewport={"width": 1_400, "height": 900})  # type: ignore[arg-type]
    opened = Opened(page)
    page.set_default_timeout(60_000)
    page.on("console", lambda message: opened.complaints.append(message.text))
    page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    page.on("request", lambda made: opened.requests.append(made.url))
    page.goto(addresses[form])
    page.wait_for_selector("[role=tab]")
    assert tuple(page.get_by_role("tab").all_inner_texts()) == PAGES
    problems: list[str] = []
    for name in PAGES:
        page.get_by_role("tab", name=name).click()
        opened.settle()
        tiles = page.evaluate(TILES)
        problems += [f"{name}: {json.dumps(t)}" for t in tiles if t["error"] or not t["says"] or t["cut"]]
        problems += [f"{name}: texts overlap: {found}" for found in page.evaluate(OVERLAPS)]
        problems += [f"{name}: no axis title: {found}" for found in page.evaluate(UNLABELLED)]
        assert page.locator("section.tile").count() >= 6
    page.close()
    assert problems == []
    assert opened.complaints == []
    assert not [url for url in opened.requests if not url.startswith((addresses[form].split("#")[0], "data:", "blob:"))]


def _served_tab(browser: Browser, address: str, name: str) -> Opened:
    """Open one tab of the served page; closed with its browser."""
    page = browser.new_page(viewport={"width": 1_400, "height": 900})
    opened = Opened(page)
    page.goto(address)
    page.wait_for_selector("[role=tab]")
    page.get_by_role("tab", name=name).click()
    opened.settle()
    return opened


def test_row_of_a_failed_question_opens_its_transcript(browser: Browser, addresses: dict[str, str]) -> None:
    opened = _served_tab(browser, addresses["serve"], "Quality & failures")
    page = opened.page
    row = page.locator(f"{opened.tile('Which questions failed?')} tbody tr.opens").first
    question = row.locator("td").nth(4).inner_text()
    row.locator("button.open").click()
    drawer = page.get_by_role("dialog")
    drawer.locator("article.chosen").wait_for()
    chosen = drawer.locator("article.chosen")
    assert question in chosen.inner_text()
    assert "FAILED" in chosen.inner_text()
    page.close()


def test_transcript_tells_thinking_from_running_the_statement(browser: Browser, addresses: dict[str, str]) -> None:
    opened = _served_tab(browser, addresses["serve"], "Performance")
    page = opened.page
    # Every row of this table has a statement in the query history.
    page.locator(f"{opened.tile('Which statements are slowest, and what would help?')} button.open").first.click()
    chosen = page.get_by_role("dialog").locator("article.chosen")
    chosen.wait_for()
    assert re.search(r"Genie thought [\d.]+ \w+ · [A-Z]+ · SQL [\d.]+ \w+", chosen.inner_text())
    page.close()


def test_shares_are_compared_in_points_and_counts_in_percent(browser: Browser, addresses: dict[str, str]) -> None:
    opened = _served_tab(browser, addresses["serve"], "Overview")
    assert re.search(r"[+-]?[\d.]+ points vs [\d.]+%", opened.text("Answered"))
    assert re.search(r"[+-]?[\d.]+% vs [\d,]+ ", opened.text("Questions asked"))
    opened.page.close()
