"""A safe subset of Markdown as a tree of elements; there is no way to write HTML in it.

A node is text, or ``[tag, attributes, children]`` with a tag from a fixed list; links lead to http(s) addresses only.
"""

from __future__ import annotations

import re
from typing import Any

Node = str | list[Any]

_MAX_CHARACTERS = 50_000
_HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*$")
_BULLET = re.compile(r"\s*[-*+]\s+(.*)")
_NUMBERED = re.compile(r"\s*\d+[.)]\s+(.*)")
_RULE = re.compile(r"\s*(?:-{3,}|\*{3,}|_{3,})\s*")
_TABLE_LINE = re.compile(r"\s*\|.*\|\s*")
_TABLE_DIVIDER = re.compile(r"\s*\|(?:\s*:?-+:?\s*\|)+\s*")
_INLINE = re.compile(
    r"`(?P<code>[^`]+)`"
    r"|\*\*(?P<bold>[^*]+)\*\*|__(?P<bold2>[^_]+)__"
    r"|\*(?P<italic>[^*\s][^*]*)\*|(?<!\w)_(?P<italic2>[^_\s][^_]*)_(?!\w)"
    r"|~~(?P<struck>[^~]+)~~"
    r"|!?\[(?P<label>[^\]]*)\]\((?P<target>(?:[^()\s]|\([^()\s]*\))*)[^)]*\)"
    r"|(?P<url>https?://[^\s<>()\"']+)"
)
_TAGS = {"code": "code", "bold": "strong", "bold2": "strong", "italic": "em", "italic2": "em", "struck": "s"}


def parse_markdown(text: str) -> list[Node]:
    """Return the elements of a text box; what is not understood stays as the text it is."""
    lines = text[:_MAX_CHARACTERS].replace("\r\n", "\n").split("\n")
    nodes: list[Node] = []
    index = 0
    while index < len(lines):
        index = _take_block(lines, index, nodes)
    return nodes


def _take_block(lines: list[str], index: int, nodes: list[Node]) -> int:
    """Append the block that starts at index; return the index behind it."""
    line = lines[index]
    if not line.strip():
        return index + 1
    if line.strip().startswith("```"):
        return _take_code(lines, index, nodes)
    if match := _HEADING.match(line):
        # Tiles sit below the page's own h1.
        nodes.append([f"h{min(len(match.group(1)) + 1, 6)}", {}, _inline(match.group(2))])
        return index + 1
    if _RULE.fullmatch(line):
        nodes.append(["hr", {}, []])
        return index + 1
    return _take_lines(lines, index, nodes)


def _take_code(lines: list[str], index: int, nodes: list[Node]) -> int:
    end = next((i for i in range(index + 1, len(lines)) if lines[i].strip().startswith("```")), len(lines))
    nodes.append(["pre", {}, [["code", {}, ["\n".join(lines[index + 1 : end])]]]])
    return end + 1


def _take_lines(lines: list[str], index: int, nodes: list[Node]) -> int:
    line = lines[index]
    for pattern, tag in ((_BULLET, "ul"), (_NUMBERED, "ol")):
        if pattern.fullmatch(line):
            return _take_list(lines, index, nodes, pattern, tag)
    if _TABLE_LINE.fullmatch(line) and index + 1 < len(lines) and _TABLE_DIVIDER.fullmatch(lines[index + 1]):
        return _take_table(lines, index, nodes)
    return _take_paragraph(lines, index, nodes)


def _take_list(lines: list[str], index: int, nodes: list[Node], pattern: re.Pattern[str], tag: str) -> int:
    entries: list[Node] = []
    while index < len(lines) and (match := pattern.fullmatch(lines[index])):
        entries.append(["li", {}, _inline(match.group(1))])
        index += 1
    nodes.append([tag, {}, entries])
    return index


def _take_table(lines: list[str], index: int, nodes: list[Node]) -> int:
    def row(line: str, tag: str) -> Node:
        return ["tr", {}, [[tag, {}, _inline(cell.strip())] for cell in line.strip().strip("|").split("|")]]

    head = row(lines[index], "th")
    index += 2
    body: list[Node] = []
    while index < len(lines) and _TABLE_LINE.fullmatch(lines[index]):
        body.append(row(lines[index], "td"))
        index += 1
    nodes.append(["table", {}, [["thead", {}, [head]], ["tbody", {}, body]]])
    return index


def _take_paragraph(lines: list[str], index: int, nodes: list[Node]) -> int:
    start = index
    index += 1
    while index < len(lines) and lines[index].strip() and not _starts_block(lines[index]):
        index += 1
    quoted = all(line.lstrip().startswith(">") for line in lines[start:index])
    taken = [line.lstrip().removeprefix(">").strip() if quoted else line.strip() for line in lines[start:index]]
    nodes.append(["blockquote" if quoted else "p", {}, _inline(" ".join(taken))])
    return index


def _starts_block(line: str) -> bool:
    return bool(
        _HEADING.match(line) or _BULLET.fullmatch(line) or _NUMBERED.fullmatch(line) or line.strip().startswith("```")
    )


def _inline(text: str) -> list[Node]:
    nodes: list[Node] = []
    position = 0
    for match in _INLINE.finditer(text):
        if match.start() > position:
            nodes.append(text[position : match.start()])
        nodes.append(_inline_node(match))
        position = match.end()
    if position < len(text):
        nodes.append(text[position:])
    return nodes


def _inline_node(match: re.Match[str]) -> Node:
    kind = match.lastgroup or ""
    if url := match.group("url"):
        return ["a", {"href": url}, [url]]
    if match.group("label") is not None:
        target, label = match.group("target"), match.group("label")
        is_image = match.group().startswith("!")
        if is_image or not target.startswith(("https://", "http://")):
            return label or match.group()
        return ["a", {"href": target}, _inline(label) if "[" not in label else [label]]
    content = match.group(kind)
    return [_TAGS[kind], {}, [content] if kind == "code" else _inline(content)]
