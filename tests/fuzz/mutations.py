"""Real JSON, broken in a few places: what parsers meet when a service changes, or a stranger writes the file."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

FACTOR = int(os.environ.get("GENIE_OBS_FUZZ_FACTOR", "1"))  # times as many examples as in CI
Path = tuple[str | int, ...]


def _nested(depth: int) -> Any:
    value: Any = {}
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


# One of each kind of trouble; deep nesting stops short of what the interpreter cannot even compare.
TROUBLE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**400, 0.5, -0.0, 1e308, float("nan"), float("inf"), "", " ", "0", "null",
    "\x00", "\ud800", "a\udfffb", "\u202e", "é" * 3, "x" * 70_000, "SELECT 1; DROP TABLE t", "'; --", "</script><script>alert(1)</script>",
    "{{7*7}}", "`", '"', "\\", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+23:59", "1e999", "٣", "١٢٣",
    [], {}, [[]], [None], [{}], {"": ""}, {"__proto__": {}}, [1, "a", None, {}], {"a": [1]}, _nested(40), _nested(400),
)  # fmt: skip


def paths_of(value: Any, prefix: Path = ()) -> Iterator[Path]:
    """Yield the path of every value inside, containers before what they hold."""
    yield prefix
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths_of(inner, (*prefix, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths_of(inner, (*prefix, index))


@st.composite
def mutated(draw: st.DrawFn, bases: list[Any], *, most: int = 4) -> Any:
    """Draw one of the bases with one to `most` places changed."""
    value = copy.deepcopy(draw(st.sampled_from(bases)))
    for _ in range(draw(st.integers(1, most))):
        value = _change(draw, value)
    return value


def _change(draw: st.DrawFn, value: Any) -> Any:
    path = draw(st.sampled_from(list(paths_of(value))))
    if not path:
        return copy.deepcopy(draw(st.sampled_from(TROUBLE))) if draw(st.integers(0, 9)) == 0 else value
    holder = value
    for step in path[:-1]:
        holder = holder[step]
    last: Any = path[-1]
    match draw(st.sampled_from(("replace", "replace", "delete", "wrap", "twice", "rename", "text"))):
        case "replace":
            holder[last] = copy.deepcopy(draw(st.sampled_from(TROUBLE)))
        case "delete":
            del holder[last]
        case "wrap":
            holder[last] = [holder[last]]
        case "twice" if isinstance(holder, list):
            holder.append(copy.deepcopy(holder[last]))
        case "rename" if isinstance(holder, dict):
            holder[draw(st.text(max_size=8))] = holder.pop(last)
        case _:
            holder[last] = draw(st.text(max_size=20))
    return value
