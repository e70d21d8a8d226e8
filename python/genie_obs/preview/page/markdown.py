"""Turns the Markdown of text boxes into a tree of elements: CommonMark with tables and strikethrough. HTML in it stays text.

A node is text, or ``[tag, attributes, children]``. The tags are those that ``assets/dom.js`` draws. Links lead to http(s) addresses
only. An image is not loaded; its description is shown instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

Node = str | list[Any]

_MAX_CHARACTERS = 50_000
# Emphasis can be nested thousands of times, too deep for JSON and for the page. Beyond this depth only the text is kept.
_MAX_DEPTH = 50
_WEB_ADDRESS = re.compile(r"https?://[^\s<>()\"']*[^\s<>()\"'.,;:!?]", re.IGNORECASE)
_ALIGNMENTS = {f"text-align:{side}": side for side in ("left", "center", "right")}


def parse_markdown(text: str) -> list[Node]:
    """Return the elements of a text box. Only its first 50,000 characters are read."""
    tree = _Tree()
    for is_text, tokens in groupby(_flat(_parser().parse(text[:_MAX_CHARACTERS])), key=_is_text):
        if is_text:
            tree.add_text("".join(map(_text, tokens)))
        else:
            for token in tokens:
                tree.add(token)
    return tree.nodes


@lru_cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # loaded only when a text box is read

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    # All addresses are taken here, and _element drops those that are not allowed. So the label is shown without its brackets.
    parser.validateLink = _any_address  # type: ignore[method-assign]  # the documented way to replace this rule
    return parser


def _any_address(url: str) -> bool:  # noqa: ARG001  # named as the rule it replaces
    return True


def _flat(tokens: Iterable[Token]) -> Iterator[Token]:
    """Yield the tokens of blocks and of the text inside them in one sequence."""
    for token in tokens:
        if token.type == "inline":
            yield from token.children or ()
        else:
            yield token


class _Tree:
    """Builds the nodes from tokens. It keeps a stack of its own: recursion would fail on deep nesting."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._open = [self.nodes]  # for each open element the list of its children, innermost last
        self._link_depth = 0

    def add(self, token: Token) -> None:
        """Add a token that is not text: it opens, closes or is an element."""
        if token.tag == "a":
            self._link_depth += token.nesting
        if token.nesting > 0:
            self._enter(_element(token) if len(self._open) <= _MAX_DEPTH else None)
        elif token.nesting < 0:
            self._open.pop()
        else:
            self._open[-1].append(_leaf(token))

    def add_text(self, text: str) -> None:
        """Add a text. Web addresses in it become links, unless the text is inside a link already."""
        self._open[-1].extend([text] if self._link_depth else _with_links(text))

    def _enter(self, node: list[Any] | None) -> None:
        """Open an element. With None, what follows is added to the element around it."""
        inside = self._open[-1]
        if node is not None:
            inside.append(node)
            inside = node[2]
        self._open.append(inside)


def _element(token: Token) -> list[Any] | None:
    """Return the element that a token opens; None when only its content is drawn."""
    if token.hidden:  # a paragraph in a list without blank lines
        return None
    if token.tag == "a":
        address = str(token.attrs.get("href", ""))
        return ["a", {"href": address}, []] if address.lower().startswith(("https://", "http://")) else None
    if token.type == "heading_open":
        # The page has the only h1.
        return [f"h{min(int(token.tag[1]) + 1, 6)}", {}, []]
    return [token.tag, _attributes(token), []]


def _attributes(token: Token) -> dict[str, Any]:
    if token.tag == "ol" and "start" in token.attrs:
        return {"start": token.attrs["start"]}
    side = _ALIGNMENTS.get(str(token.attrs.get("style", "")))
    return {"align": side} if side else {}


def _leaf(token: Token) -> list[Any]:
    """Return an element that is complete in one token."""
    if token.type in {"fence", "code_block"}:
        return ["pre", {}, [["code", {}, [token.content.removesuffix("\n")]]]]
    return [token.tag, {}, [token.content] if token.content else []]


def _is_text(token: Token) -> bool:
    return token.type in {"text", "softbreak", "image"}


def _text(token: Token) -> str:
    if token.type == "softbreak":
        return " "
    if token.type == "image":
        return token.content or str(token.attrs.get("src", ""))
    return token.content


def _with_links(text: str) -> list[Node]:
    nodes: list[Node] = []
    position = 0
    for match in _WEB_ADDRESS.finditer(text):
        nodes.append(text[position : match.start()])
        nodes.append(["a", {"href": match.group()}, [match.group()]])
        position = match.end()
    nodes.append(text[position:])
    return [node for node in nodes if node != ""]
