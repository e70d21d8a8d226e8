"""JSON to values and back: what the standard library does, faster."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genie_obs import json_text

JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None)),  # lone surrogates too
    lambda values: st.lists(values) | st.dictionaries(st.text(st.characters(codec=None)), values),
)


@given(JSON_VALUES)
def test_value_comes_back_as_it_was(value: Any) -> None:
    assert json_text.decode(json.dumps(value).encode()) == value
    assert json.loads(json_text.encode(value)) == value


@pytest.mark.parametrize(
    ("document", "value"),
    [
        (b"18446744073709551617", 2**64 + 1),
        (b"-123456789012345678901234567890", -123456789012345678901234567890),
        (b'"\\ud800 alone"', "\ud800 alone"),
        (b'"\\ud83d\\ude00"', "\N{GRINNING FACE}"),
        ('"\N{LINE SEPARATOR}ü"'.encode(), "\N{LINE SEPARATOR}ü"),
        (b'{"a": 1, "a": 2}', {"a": 2}),
    ],
)
def test_document_is_read_as_the_standard_library_reads_it(document: bytes, value: object) -> None:
    assert json_text.decode(document) == value == json.loads(document)


@pytest.mark.parametrize(
    ("document", "value"),
    [
        (b"[1e400, -1e400, 1.5]", ["1e400", "-1e400", 1.5]),
        (b'{"a": NaN, "b": Infinity, "c": -Infinity}', {"a": "NaN", "b": "Infinity", "c": "-Infinity"}),
    ],
)
def test_what_no_float_can_hold_stays_as_text(document: bytes, value: object) -> None:
    assert json_text.decode(document) == value
    assert json.loads(json_text.encode(json_text.decode(document))) == value


@pytest.mark.parametrize(
    "document", [b"", b"{", b'{"a": 1} x', b"[1,]", b'"\xff"', b'"\xed\xa0\x80"', b"\xef\xbb\xbf{}"]
)
def test_what_is_no_json_is_a_value_error(document: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # that is all that is promised
        json_text.decode(document)


def test_nesting_without_end_is_a_recursion_error() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]

    with pytest.raises(RecursionError):
        json_text.decode(b"[" * 100_000 + b"]" * 100_000)
    with pytest.raises(RecursionError):
        json_text.encode(nested)


def test_text_is_compact_and_keeps_its_characters() -> None:
    assert json_text.encode({"a": [1, 1.5, None, True], "ü": "</script>"}) == '{"a":[1,1.5,null,true],"ü":"</script>"}'
    assert json_text.encode(["\ud800", 1]) == '["\ud800",1]'
