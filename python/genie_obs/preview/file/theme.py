"""Colours and fonts: those of the file, else defaults that can be read on light and dark pages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from genie_obs.preview.file import lenient

MODES = ("light", "dark")
# The colours of Okabe and Ito: colour-blind readers can tell them apart, on white and on black.
_PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8C8C8C")
_DEFAULTS = {
    "canvasBackgroundColor": ("#F4F6F8", "#141A1F"),
    "widgetBackgroundColor": ("#FFFFFF", "#1E262C"),
    "widgetBorderColor": ("#DDE3E8", "#323D46"),
    "fontColor": ("#11171C", "#E8ECF0"),
    "selectionColor": ("#1B6FB3", "#8ACAFF"),
}
_HEX = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")
_SIX_DIGITS = 7  # `#` and six digits
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"
_MUTED = {"light": "#56626C", "dark": "#A3B0BA"}
_GRID = {"light": "#E6EAEE", "dark": "#333E47"}


def is_colour(value: object) -> bool:
    """Say whether a value is a hexadecimal colour. No other text of a file is used in a style."""
    return isinstance(value, str) and bool(_HEX.fullmatch(value))


@dataclass(frozen=True, kw_only=True)
class Theme:
    """The colours of a dashboard."""

    palette: tuple[str, ...] = _PALETTE
    colours: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # mode → name → colour

    def colour(self, raw: object) -> str | None:
        """Return a colour of the file (hex, or a reference to the theme) as hex, or None."""
        if is_colour(raw):
            return str(raw)
        item = lenient.mapping(raw)
        if is_colour(item.get("hex")):
            return str(item["hex"])
        if item.get("themeColorType") == "visualizationColors":
            return self.palette[lenient.integer(item.get("position"), 0) % len(self.palette)]
        return None


def parse_theme(settings: Mapping[str, Any]) -> Theme:
    """Return the theme in a file's uiSettings. What is missing, or is no colour, gets a default."""
    raw = lenient.mapping(settings.get("theme"))
    found = [c for c in lenient.items(raw.get("visualizationColors")) if is_colour(c)]
    colours = {
        mode: {name: _mode_colour(raw.get(name), mode, pair[index]) for name, pair in _DEFAULTS.items()}
        for index, mode in enumerate(MODES)
    }
    return Theme(palette=tuple(found) or _PALETTE, colours=colours)


def _mode_colour(raw: object, mode: str, default: str) -> str:
    value = lenient.mapping(raw).get(mode, raw)
    return str(value) if is_colour(value) else default


def with_tints(codes: Sequence[str]) -> list[str]:
    """Return the colours, then two lighter versions of each, for charts with more series than colours."""
    plain = [code for code in codes if len(code) == _SIX_DIGITS]
    return [*codes, *(_mixed(code, 0.45) for code in plain), *(_mixed(code, 0.72) for code in plain)]


def _mixed(code: str, share: float) -> str:
    """Return a colour mixed with white; `share` (0 to 1) is the part of white."""
    parts = [int(code[start : start + 2], 16) for start in (1, 3, 5)]
    return "#" + "".join(f"{round(part + (255 - part) * share):02x}" for part in parts)


def vega_config(theme: Theme, mode: str) -> dict[str, Any]:
    """Return the Vega-Lite config of all charts for one mode, light or dark."""
    ink, muted, grid = theme.colours[mode]["fontColor"], _MUTED[mode], _GRID[mode]
    label = {"labelColor": muted, "labelFontSize": 11, "titleColor": muted, "titleFontSize": 11, "titleFontWeight": 500}
    return {
        "background": "transparent",
        "font": _FONT,
        "padding": {"left": 2, "top": 4, "right": 8, "bottom": 2},
        "autosize": {"type": "fit", "contains": "padding"},
        "view": {"stroke": "transparent"},
        "range": {"category": list(theme.palette)},
        "axis": {
            **label,
            "gridColor": grid,
            "domainColor": grid,
            "tickColor": grid,
            "titlePadding": 8,
            "labelPadding": 4,
        },
        "axisX": {"grid": False, "labelFlush": False, "labelSeparation": 8},
        "axisQuantitative": {"tickCount": 5, "domain": False, "ticks": False},
        "legend": {
            **label,
            "labelLimit": 135,
            "symbolSize": 70,
            "symbolType": "circle",
            "rowPadding": 3,
            "columnPadding": 12,
            "layout": {"bottom": {"anchor": "start", "bounds": "full"}, "top": {"anchor": "start", "bounds": "full"}},
        },
        "text": {"color": ink, "fontSize": 11, "font": _FONT},
        "rule": {"color": muted},
        "line": {"strokeWidth": 2.25},
        "header": label,
    }


def custom_parameters(theme: Theme, mode: str) -> list[dict[str, Any]]:
    """Return the parameters that AI/BI gives to custom Vega-Lite charts, with the values of this theme."""
    ink, grid = theme.colours[mode]["fontColor"], _GRID[mode]
    both_inks = {name: theme.colours[name]["fontColor"] for name in MODES}
    return [
        {"name": "mode", "value": mode},
        {
            "name": "colors",
            "value": {
                "textPrimary": {"default": ink},
                "gridColor": grid,
                "markHighlightColor": theme.colours[mode]["selectionColor"],
            },
        },
        {
            "name": "dashboardTheme",
            "value": {
                "visualizationColors": list(theme.palette),
                "gridLineColor": _GRID,
                "resolvedFontSettings": {
                    name: {"fontColor": both_inks}
                    for name in ("base", "widgetTitle", "widgetDescription", "fieldTitle", "fieldValue")
                },
            },
        },
    ]
