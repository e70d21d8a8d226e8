"""Number and date formats of the file: in the shape that the page's script takes, and as d3 formats for axes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from genie_obs.preview.file import lenient

_MAX_PLACES = 10
_CURRENCY = re.compile(r"[A-Z]{3}")


def parse_format(raw: object) -> dict[str, Any] | None:
    """Return a format as the page's script takes it, or None if the file gives none.

    Numbers: ``{kind, places, exact, compact, group, currency, suffix}``; dates: ``{kind: date, pattern}``.
    """
    item = lenient.mapping(raw)
    kind = lenient.text(item.get("type"))
    if kind.startswith("date"):
        return {"kind": "date", "pattern": lenient.text(item.get("date")) or lenient.text(item.get("pattern"))}
    if not kind.startswith("number"):
        return None
    places = lenient.mapping(item.get("decimalPlaces"))
    currency = lenient.text(item.get("currencyCode"))
    return {
        "kind": {"number-percent": "percent", "number-currency": "currency"}.get(kind, "number"),
        "places": min(max(lenient.integer(places.get("places"), 2), 0), _MAX_PLACES),
        "exact": places.get("type") == "exact",
        "compact": item.get("abbreviation") == "compact",
        "group": item.get("hideGroupSeparator") is not True,
        "currency": currency if _CURRENCY.fullmatch(currency) else "USD",
        "suffix": lenient.text(item.get("suffix")),
    }


def parse_table_format(column: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the format of a table column. Older files (version 1) give it as a pattern of numeral.js or moment.js."""
    if found := parse_format(column.get("format")):
        return found
    display = lenient.text(column.get("displayAs"))
    if (pattern := lenient.text(column.get("numberFormat"))) and display in {"", "number"}:
        return _numeral(pattern)
    if (pattern := lenient.text(column.get("dateTimeFormat"))) and display in {"", "datetime"}:
        return {"kind": "date", "pattern": pattern}
    return None


def _numeral(pattern: str) -> dict[str, Any]:
    _, _, fraction = pattern.partition(".")
    places = min(fraction.count("0"), _MAX_PLACES)
    return {
        "kind": "percent" if "%" in pattern else "currency" if "$" in pattern else "number",
        "places": places,
        "exact": "[" not in fraction,
        "compact": "a" in pattern,
        "group": "," in pattern,
        "currency": "USD",
        "suffix": "",
    }


def d3_format(found: Mapping[str, Any] | None) -> str | None:
    """Return a number format for the axes of Vega, or None to leave it to Vega."""
    if found is None or found["kind"] == "date":
        return None
    if found["kind"] == "percent":
        return f".{found['places']}{'' if found['exact'] else '~'}%"
    group = "," if found["group"] else ""
    if found["compact"]:
        return ".3~s"
    # "$" in d3 is the sign of the locale, here dollars. Amounts in other currencies have no sign on an axis.
    sign = "$" if found["kind"] == "currency" and found["currency"] == "USD" else ""
    return f"{sign}{group}.{found['places']}{'' if found['exact'] else '~'}f"
