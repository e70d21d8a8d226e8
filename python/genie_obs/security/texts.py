"""Which columns of a table hold texts, by kind: what the content policy and erasure work on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NOT_KEPT = "[not kept]"
"""Stands in place of a text, so that answers can still be counted."""
WORD_PATTERN = "[A-Z][A-Z0-9_]{0,63}"
"""What an enumerated value looks like. A value of another form may be a person's words and is treated as a text."""


@dataclass(frozen=True, kw_only=True)
class Texts:
    """The text columns of one table."""

    plain: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()  # lists of texts
    json: Mapping[str, str] = field(default_factory=dict)  # JSON texts, each with its empty value
    words: tuple[str, ...] = ()  # enumerated values, kept verbatim if they look like one

    def __bool__(self) -> bool:
        return bool(self.plain or self.lists or self.json)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the columns that hold texts. `words` are not among them."""
        return (*self.plain, *self.lists, *self.json)
