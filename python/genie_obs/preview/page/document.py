"""The HTML around the page's script: as a page that loads its parts from the server, or as one file with everything inside."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from functools import lru_cache
from importlib import resources
from importlib.metadata import version
from typing import Any

SCRIPTS = ("dom", "format", "charts", "tables", "tiles", "filters", "source", "conversation", "app")
"""The parts of the page's script, in order: when it starts, each part uses only parts before it."""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="genie-obs">
{policy}<title>{title}</title>
<link rel="icon" href="data:,">
{style}
</head>
<body>
<a class="skip" href="#page">Skip to the dashboard</a>
<div id="top"><header id="header"></header></div>
<div id="filters" role="search" aria-label="Filters"></div>
<main id="page" role="tabpanel" tabindex="-1"></main>
<footer>{footer}</footer>
<div id="tooltip" role="tooltip" hidden></div>
<noscript>This page draws its tiles with a script. Allow scripts for it to see them.</noscript>
<script type="application/json" id="boot">{boot}</script>
{scripts}
</body>
</html>
"""
_FOOTER = "Local preview of an AI/BI dashboard. Times are UTC. Databricks may draw tiles differently."


@lru_cache
def page_script() -> str:
    """Return the page's own script, inside a function so that it adds no global names."""
    folder = resources.files("genie_obs.preview.page").joinpath("assets")
    parts = [folder.joinpath(f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    return '(() => {\n"use strict";\n' + "\n".join(parts) + "\n})();\n"


@lru_cache
def page_style() -> str:
    """Return the page's style sheet."""
    return resources.files("genie_obs.preview.page").joinpath("assets", "app.css").read_text(encoding="utf-8")


@lru_cache
def chart_library() -> str:
    """Return Vega, Vega-Lite and vega-embed as one script. The first call takes about a second."""
    import vl_convert

    # Inside a function, since the script would add hundreds of global names of one letter.
    return f"(function(){{{vl_convert.javascript_bundle()}}})();"  # type: ignore[call-arg]  # the argument has a default that the stub does not know


def chart_library_version() -> str:
    """Return the version of the package the chart library comes from."""
    return version("vl-convert-python")


def served_page(boot: dict[str, Any]) -> str:
    """Return the page that loads script, style and chart library from its own server."""
    script, style = (digest(text)[:16].replace("/", "-").replace("+", "_") for text in (page_script(), page_style()))
    return _PAGE.format(
        policy="",
        title=html.escape(str(boot["title"])),
        style=f'<link rel="stylesheet" href="assets/app.css?v={style}">',
        footer=_FOOTER,
        boot=json_in_html(boot),
        # The page's own script comes first, so that its requests are sent while the browser reads the chart library.
        scripts=f'<script id="vega" src="assets/vega.js?v={chart_library_version()}" async></script>\n'
        f'<script src="assets/app.js?v={script}"></script>',
    )


def single_file(boot: dict[str, Any], packed_snapshot: str) -> str:
    """Return one HTML file that holds everything and loads nothing."""
    vega, script, style = chart_library(), page_script(), page_style()
    for name, text in {"chart library": vega, "script": script}.items():
        if "</script" in text.lower() or "<!--" in text:
            raise ValueError(f"the {name} cannot stand inside a page")
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src 'sha256-{digest(vega)}' 'sha256-{digest(script)}'",
            f"style-src 'sha256-{digest(style)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    return _PAGE.format(
        policy=f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n',
        title=html.escape(str(boot["title"])),
        style=f"<style>{style}</style>",
        footer=_FOOTER,
        boot=json_in_html(boot),
        scripts=f'<script type="text/plain" id="snapshot">{packed_snapshot}</script>\n'
        f'<script id="vega">{vega}</script>\n<script>{script}</script>',
    )


def served_policy() -> str:
    """Return the Content-Security-Policy of the served page."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def json_in_html(value: Any) -> str:
    """Return JSON for a script element. Its escapes keep any text from ending the element or opening a comment."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character, escape in (
        ("<", "\\u003c"),
        (">", "\\u003e"),
        ("&", "\\u0026"),
        ("\u2028", "\\u2028"),
        ("\u2029", "\\u2029"),
    ):
        text = text.replace(character, escape)
    return text


def digest(text: str) -> str:
    """Return the SHA-256 of a text as a Content-Security-Policy spells it."""
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
