"""The page around the script: nothing of the data can leave its place."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from genie_obs.preview.file.formats import d3_format, parse_format, parse_table_format
from genie_obs.preview.page.document import (
    digest,
    json_in_html,
    page_script,
    page_style,
    served_page,
    served_policy,
    single_file,
)
from genie_obs.preview.page.server import address, host_check

HOSTILE = '</script><script>alert(1)</script><!-- & "> \u2028'


def _boot() -> dict[str, str]:
    return {"title": HOSTILE, "when": datetime(2026, 1, 1, tzinfo=UTC).isoformat()}


@pytest.mark.parametrize("make", [served_page, lambda boot: single_file(boot, "packed")], ids=["served", "single file"])
def test_hostile_title_stays_inside_its_elements(make: Callable[[dict[str, str]], str]) -> None:
    page = make(_boot())

    assert "<script>alert(1)" not in page
    assert "<title>&lt;/script&gt;" in page


def test_json_in_html_has_no_character_that_ends_a_script() -> None:
    assert not set("<>&\u2028\u2029") & set(json_in_html({"a": HOSTILE}))


def test_single_file_allows_exactly_its_own_scripts_and_style() -> None:
    page = single_file(_boot(), "packed")
    scripts = re.findall(r"<script(?: id=\"vega\")?>(.*?)</script>", page, re.DOTALL)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert [f"'sha256-{digest(script)}'" in policy.group(1) for script in scripts] == [True, True]
    assert f"'sha256-{digest(page_style())}'" in policy.group(1)
    assert "unsafe" not in policy.group(1)
    assert "connect-src" not in policy.group(1)  # default-src 'none' covers it
    assert not re.search(r'\b(?:src|href)="https?:', page)


def test_served_policy_allows_only_its_own_origin() -> None:
    assert "unsafe" not in served_policy()
    assert set(re.findall(r"'(\w+)'", served_policy())) == {"none", "self"}


def test_script_makes_no_element_from_text() -> None:
    for danger in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert danger not in page_script()


@pytest.mark.parametrize(
    ("raw", "pattern"),
    [
        ({"type": "number-plain", "abbreviation": "compact"}, ".3~s"),
        ({"type": "number-plain", "decimalPlaces": {"type": "exact", "places": 2}, "hideGroupSeparator": True}, ".2f"),
        ({"type": "number-percent", "decimalPlaces": {"type": "max", "places": 1}}, ".1~%"),
        ({"type": "number-currency", "currencyCode": "USD"}, "$,.2~f"),
        ({"type": "date", "date": "locale-short-month"}, None),
        ({}, None),
    ],
)
def test_formats_become_patterns_of_axes(raw: dict[str, object], pattern: str | None) -> None:
    assert d3_format(parse_format(raw)) == pattern


def test_numeral_patterns_of_old_tables_are_read() -> None:
    found = parse_table_format({"numberFormat": "0,0.00%", "displayAs": "number"})
    assert found is not None
    assert (found["kind"], found["places"], found["exact"], found["group"]) == ("percent", 2, True, True)


def test_host_header_of_others_is_refused() -> None:
    is_ours = host_check("127.0.0.1", 8050)
    assert is_ours("127.0.0.1:8050")
    assert is_ours("LOCALHOST:8050")
    assert is_ours("[::1]:8050")
    for foreign in (
        "evil.example:8050",
        "127.0.0.1:8051",
        "127.0.0.1",
        "",
        "127.0.0.1.evil.example:8050",
        "192.168.1.9:8050",
    ):
        assert not is_ours(foreign)


def test_wildcard_takes_addresses_but_no_foreign_names() -> None:
    is_ours = host_check("0.0.0.0", 80)  # noqa: S104  # compared, not bound
    assert is_ours("192.168.1.9")
    assert not is_ours("evil.example")


def test_address_can_be_opened_in_a_browser() -> None:
    assert address("::1", 80) == "http://[::1]:80/"
    assert address("0.0.0.0", 81) == "http://127.0.0.1:81/"  # noqa: S104  # compared, not bound
