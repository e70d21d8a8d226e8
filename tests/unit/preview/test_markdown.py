"""Markdown of text boxes becomes elements that the page draws, and never more than that."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genie_obs.preview.page.document import page_script
from genie_obs.preview.page.markdown import Node, parse_markdown

LONG = 50_000


def html(nodes: list[Node]) -> str:
    """Return nodes as one reads them best; of attributes, the values."""
    return "".join(node if isinstance(node, str) else _tag(*node) for node in nodes)


def _tag(tag: str, attributes: dict[str, Any], children: list[Node]) -> str:
    return f"<{' '.join([tag, *map(str, attributes.values())])}>{html(children)}</{tag}>"


def elements(nodes: list[Node]) -> Iterator[tuple[str, dict[str, Any], int]]:
    """Give tag, attributes and depth of every element; without recursion, as the depth is what is tested."""
    waiting = [(node, 1) for node in nodes]
    while waiting:
        node, depth = waiting.pop()
        if not isinstance(node, str):
            tag, attributes, children = node
            yield tag, attributes, depth
            waiting += [(child, depth + 1) for child in children]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Title `x`", "<h2>Title <code>x</code></h2>"),
        ("###### six", "<h6>six</h6>"),
        ("Title\n===", "<h2>Title</h2>"),
        ("a\nb", "<p>a b</p>"),
        ("a  \nb", "<p>a<br></br>b</p>"),
        (r"\*a\* &lt;", "<p>*a* <</p>"),
        ("**a * b**", "<p><strong>a * b</strong></p>"),
        ("__a__ *b* _c_ ~~d~~", "<p><strong>a</strong> <em>b</em> <em>c</em> <s>d</s></p>"),
        ("**bold *both***", "<p><strong>bold <em>both</em></strong></p>"),
        ("a_b_c 2*3*4", "<p>a_b_c 2<em>3</em>4</p>"),
        ("- a\n- b", "<ul><li>a</li><li>b</li></ul>"),
        ("- a\n  - b\n    1. c\n- d", "<ul><li>a<ul><li>b<ol><li>c</li></ol></li></ul></li><li>d</li></ul>"),
        ("- a\n  goes on\n- b", "<ul><li>a goes on</li><li>b</li></ul>"),
        ("- a\n\n  b", "<ul><li><p>a</p><p>b</p></li></ul>"),
        ("3. a", "<ol 3><li>a</li></ol>"),
        ("a\n- b", "<p>a</p><ul><li>b</li></ul>"),
        ("> a\n> b", "<blockquote><p>a b</p></blockquote>"),
        ("a\n\n---", "<p>a</p><hr></hr>"),
        ("```sql\nSELECT\n  1\n```", "<pre><code>SELECT\n  1</code></pre>"),
        ("```\nopen", "<pre><code>open</code></pre>"),
        ("[a *b*](https://x.y/z)", "<p><a https://x.y/z>a <em>b</em></a></p>"),
        ("[a][1]\n\n[1]: http://x.y", "<p><a http://x.y>a</a></p>"),
        ("<https://x.y>", "<p><a https://x.y>https://x.y</a></p>"),
        ("(see https://x.y/a_b_c.)", "<p>(see <a https://x.y/a_b_c>https://x.y/a_b_c</a>.)</p>"),
        ("[https://x.y](https://z.y)", "<p><a https://z.y>https://x.y</a></p>"),
        ("![a plot](https://x.y/z.png)", "<p>a plot</p>"),
        ("<b>a</b>\n\n<script>b</script>", "<p><b>a</b></p><p><script>b</script></p>"),
        ("", ""),
    ],
)  # fmt: skip
def test_markdown_is_read_as_common_mark_says(text: str, expected: str) -> None:
    assert html(parse_markdown(text)) == expected


def test_table_may_follow_a_line_of_text() -> None:
    text = "Figures:\n| a | b |\n|:-:|--:|\n| `x` \\| y | 2 |"
    head = "<thead><tr><th center>a</th><th right>b</th></tr></thead>"
    body = "<tbody><tr><td center><code>x</code> | y</td><td right>2</td></tr></tbody>"
    assert html(parse_markdown(text)) == f"<p>Figures:</p><table>{head}{body}</table>"


def test_html_stays_text_and_nodes_have_one_shape() -> None:
    [paragraph] = parse_markdown("A **bold** [link](https://example.com) <img onerror=x>")
    link = ["a", {"href": "https://example.com"}, ["link"]]
    assert paragraph == ["p", {}, ["A ", ["strong", {}, ["bold"]], " ", link, " <img onerror=x>"]]


@pytest.mark.parametrize(
    "target",
    [
        "javascript:alert(1)",
        "JAVASCRIPT:x",
        "data:text/html,x",
        "//example.com",
        "file:///etc/passwd",
        "mailto:a@b.c",
        "",
    ],
)
def test_links_lead_to_web_pages_only(target: str) -> None:
    assert parse_markdown(f"[x]({target})") == [["p", {}, ["x"]]]


@given(st.text() | st.text(alphabet="*_~`[]()<>!|-#>1. \\\n&;:/ahtps\ud800", max_size=200))
def test_any_text_gives_elements_that_the_page_draws(text: str) -> None:
    nodes = parse_markdown(text)
    json.dumps(nodes)
    drawn = re.search(r'MARKDOWN_TAGS = new Set\("([^"]*)"', page_script())
    assert drawn is not None
    assert {tag for tag, _, _ in elements(nodes)} <= set(drawn.group(1).split())
    addresses = [attributes["href"] for _, attributes, _ in elements(nodes) if "href" in attributes]
    assert all(address.lower().startswith(("http://", "https://")) for address in addresses)


HOSTILE = {
    "stars and brackets": "*" * 20_000 + "[" * 20_000,
    "brackets": "[" * LONG,
    "images": "![" * LONG,
    "links without end": "[a](" * LONG,
    "backticks": " ".join("`" * count for count in range(1, 310)),
    "emphasis in emphasis": "*a **a " * 3_000 + "a** a* " * 3_000,
    "quotes in quotes": "> " * LONG,
    "lists in lists": "- " * LONG,
    "lines after quotes": "> " * 20 + "a\n" + "b\n" * LONG,
    "lines of one paragraph": "https://a\n" * LONG,
    "table that fills itself": "|a" * 600 + "|\n" + "|-" * 600 + "|\n" + "|\n" * LONG,
    "entities": "&#x" * LONG,
    "addresses": "https://" + "." * LONG,
}


@pytest.mark.timeout(
    120
)  # a second or two each on an idle machine; what grows with the square of the length takes minutes
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_markdown_is_read_in_time_and_nests_little(name: str) -> None:
    nodes = parse_markdown(HOSTILE[name])
    assert nodes
    assert max((depth for _, _, depth in elements(nodes)), default=0) <= 51
    assert len(json.dumps(nodes)) < 3_000_000


def test_parser_is_loaded_with_the_first_text_box() -> None:
    ask = "import genie_obs.preview.command, genie_obs.preview.page.markdown, sys; print('markdown_it' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
