"""The preview in a real browser: what people see, and that hostile text does nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from tests.browser.conftest import Opened
from tests.browser.preview_world import HOSTILE, MESSAGE_COUNT, WORKSPACES, message_rows


def _choose(opened: Opened, label: str, option: str) -> None:
    opened.page.get_by_label(label).select_option(label=option)
    opened.settle()


def test_first_page_shows_every_tile(opened: Opened) -> None:
    assert opened.count() == MESSAGE_COUNT
    assert opened.page.locator(".chart svg").count() == 3
    assert opened.page.locator(f"{opened.tile('Message list')} tbody tr").count() == 50


def test_days_filter_changes_the_figures(opened: Opened) -> None:
    _choose(opened, "Look back (days)", "7")
    few = opened.count()
    _choose(opened, "Look back (days)", "30")
    assert 0 < few < opened.count() < MESSAGE_COUNT


def test_workspace_filter_changes_the_figures(opened: Opened) -> None:
    counts = {}
    for workspace in ("ALL", *WORKSPACES):
        _choose(opened, "Workspace", workspace)
        counts[workspace] = opened.count()
    assert counts["ALL"] == MESSAGE_COUNT == sum(counts[workspace] for workspace in WORKSPACES)


def test_clicked_mark_filters_the_other_tiles_until_its_chip_is_removed(opened: Opened) -> None:
    bars = opened.page.locator(f"{opened.tile('Messages by status')} .mark-rect path")
    bars.nth(1).click()
    chip = opened.page.get_by_role("button", name=re.compile("Remove the filter Status: "))
    chip.wait_for()
    status = re.sub(r".*Status: (\w+).*", r"\1", chip.inner_text())
    opened.settle()
    table = opened.page.locator(f"{opened.tile('Message list')} .table-status")
    total = int(re.sub(r".* of ([\d,]+) rows", r"\1", table.inner_text()))
    assert 0 < total < MESSAGE_COUNT
    assert all(
        status in row for row in opened.page.locator(f"{opened.tile('Message list')} tbody tr").all_inner_texts()
    )
    chip.click()
    opened.settle()
    assert opened.page.locator(".chip").count() == 0
    assert f"of {MESSAGE_COUNT} rows" in table.inner_text()


def test_row_of_a_message_opens_its_conversation(opened: Opened) -> None:
    opened.page.locator(f"{opened.tile('Message list')} button.open").first.click()
    drawer = opened.page.get_by_role("dialog")
    drawer.locator("article").first.wait_for()
    words = drawer.inner_text()
    for text in HOSTILE:
        assert " ".join(text.split()) in " ".join(words.split())
    assert "Rated helpful" in words
    assert drawer.locator("article.chosen").count() == 1
    opened.page.keyboard.press("Escape")
    assert not drawer.is_visible()


def test_hostile_text_does_nothing(opened: Opened) -> None:
    for tab in opened.page.locator("[role=tab]").all():
        tab.click()
        opened.settle()
        for details in opened.page.locator(".rows-behind summary").all():
            details.click(force=True)
    assert opened.page.evaluate("window.hacked") is None
    assert opened.page.locator("img, iframe, object, embed").count() == 0


def test_tooltip_shows_hostile_names_as_text(opened: Opened) -> None:
    opened.page.locator(f"{opened.tile('Spaces')} .mark-arc path").first.hover()
    tooltip = opened.page.locator("#tooltip")
    tooltip.wait_for(state="visible")
    assert HOSTILE[1] in tooltip.inner_text()
    assert opened.page.evaluate("window.hacked") is None


def test_table_can_be_searched_and_sorted(opened: Opened) -> None:
    table = opened.tile("Message list")
    opened.page.get_by_label("Search in Message list").fill("question 42")
    assert opened.page.locator(f"{table} tbody tr").count() == 1
    opened.page.get_by_label("Search in Message list").fill("")
    head = opened.page.locator(f"{table} th", has_text="duration_s")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    longest = max(row["query_duration_ms"] or 0 for row in message_rows(_any_day())) / 1_000
    first = opened.page.locator(f"{table} tbody tr").first.inner_text()
    assert f"{longest:.2f}".rstrip("0") in first


def test_second_page_says_what_is_broken_empty_or_unknown(opened: Opened) -> None:
    opened.page.get_by_role("tab", name="More").click()
    opened.settle()
    assert "no_such_table" in opened.text("Broken tile")
    assert "No rows" in opened.text("Empty tile")
    assert "word-cloud" in opened.text("Word cloud")
    assert "FAILED" in opened.text("Pivot")


def test_text_box_has_its_lists_table_and_link(opened: Opened) -> None:
    opened.page.get_by_role("tab", name="More").click()
    box = opened.page.locator(".tile-text .text")
    assert box.locator("ul > li > ul > li > ol > li").all_inner_texts() == ["deep", "deeper"]
    assert box.locator("> ol").get_attribute("start") == "3"
    cells = box.locator("tbody tr").first.locator("td")
    assert cells.all_inner_texts() == ["Heat", "hours", "24"]
    assert [cell.evaluate("td => getComputedStyle(td).textAlign") for cell in cells.all()] == [
        "left",
        "center",
        "right",
    ]
    assert box.get_by_role("link").get_attribute("href") == "https://example.com/a_b"
    assert "second with *stars* and a * b" in box.inner_text()


def test_tabs_are_moved_through_by_keyboard(opened: Opened) -> None:
    opened.page.locator("[role=tab]").first.focus()
    opened.page.keyboard.press("ArrowRight")
    opened.settle()
    assert opened.page.evaluate("document.activeElement.textContent") == "More"
    assert opened.page.locator("[role=tab][aria-selected=true]").inner_text() == "More"


def test_dark_and_light_can_be_switched(opened: Opened) -> None:
    before = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    opened.page.get_by_role("button", name="Switch to dark colours").click()
    opened.settle()
    assert opened.page.evaluate("document.documentElement.dataset.mode") == "dark"
    assert opened.page.evaluate("getComputedStyle(document.body).backgroundColor") != before


def test_sql_of_a_tile_is_shown(opened: Opened) -> None:
    opened.page.get_by_role("button", name="Show the SQL of Messages counter").click(force=True)
    assert "FROM message_details" in opened.page.get_by_role("dialog").inner_text()


def test_phone_has_no_sideways_scrolling(opened: Opened) -> None:
    opened.page.set_viewport_size({"width": 390, "height": 800})
    opened.settle()
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_tiles_and_charts_have_names_for_screen_readers(opened: Opened) -> None:
    names = [
        tile.get_attribute("aria-labelledby") or ""
        for tile in opened.page.locator("section.tile:has(.tile-body)").all()
    ]
    assert all(opened.page.locator(f"#{name}").inner_text() for name in names)
    marks = opened.page.locator(f"{opened.tile('Messages by status')} .mark-rect path")
    assert re.fullmatch(r"Status: [A-Z_]+; Messages: [\d,]+", marks.first.get_attribute("aria-label") or "")


def _any_day() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)
