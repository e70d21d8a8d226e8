"""Markdown of text boxes as a tree of elements: CommonMark with tables and strikethrough; HTML in it stays text.

A node is text, or ``[tag, attributes, children]``. The tags are those that ``assets/dom.js`` draws. Links lead to http(s) addresses
only, and images are not loaded: their description stands there instead.
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
# Emphasis can be nested thousands of times, more than JSON and the page can follow. Deeper elements lose their tag, not their text.
_MAX_DEPTH = 50
_WEB_ADDRESS = re.compile(r"https?://[^\s<>()\"']*[^\s<>()\"'.,;:!?]", re.IGNORECASE)
_ALIGNMENTS = {f"text-align:{side}": side for side in ("left", "center", "right")}


def parse_markdown(text: str) -> list[Node]:
    """Return the elements of a text box; of a very long one, those of its first 50,000 characters."""
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
    from markdown_it import MarkdownIt  # here, as commands that show no dashboard do not need it

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    # Every address makes a link here, so that the label of one that is refused later still stands without its brackets.
    parser.validateLink = _any_address  # type: ignore[method-assign]  # the documented way to replace this rule
    return parser


def _any_address(url: str) -> bool:  # noqa: ARG001  # named as the rule it replaces
    return True


def _flat(tokens: Iterable[Token]) -> Iterator[Token]:
    """Give blocks and what stands inside them as one sequence."""
    for token in tokens:
        if token.type == "inline":
            yield from token.children or ()
        else:
            yield token


class _Tree:
    """Builds nodes from tokens that open, close or are an element; keeps its own stack, as recursion could run out of it."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._open = [self.nodes]  # the children of the elements that are open, innermost last
        self._link_depth = 0

    def add(self, token: Token) -> None:
        """Take the next token that is no text."""
        if token.tag == "a":
            self._link_depth += token.nesting
        if token.nesting > 0:
            self._enter(_element(token) if len(self._open) <= _MAX_DEPTH else None)
        elif token.nesting < 0:
            self._open.pop()
        else:
            self._open[-1].append(_leaf(token))

    def add_text(self, text: str) -> None:
        """Take a text with the web addresses in it as links, unless it is inside a link."""
        self._open[-1].extend([text] if self._link_depth else _with_links(text))

    def _enter(self, node: list[Any] | None) -> None:
        """Open an element; without one, what follows goes where the element would have stood."""
        inside = self._open[-1]
        if node is not None:
            inside.append(node)
            inside = node[2]
        self._open.append(inside)


def _element(token: Token) -> list[Any] | None:
    """Return the element that a token opens; None for one that is not drawn, while its content is."""
    if token.hidden:  # the paragraphs of a list without blank lines
        return None
    if token.tag == "a":
        address = str(token.attrs.get("href", ""))
        return ["a", {"href": address}, []] if address.lower().startswith(("https://", "http://")) else None
    if token.type == "heading_open":
        # Tiles sit below the page's own h1.
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
