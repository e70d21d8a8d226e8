"""SQL types as our declarations spell them, and the Arrow types of their values."""

from __future__ import annotations

import re

import pyarrow as pa

_SCALARS = {
    "STRING": pa.string(),
    "BIGINT": pa.int64(),
    "INT": pa.int32(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),  # instants are UTC microseconds
}
_DECIMAL = re.compile(r"DECIMAL\((\d+), ?(\d+)\)")


def arrow_type(sql_type: str) -> pa.DataType:
    """Return the Arrow type of a SQL type: a scalar, `DECIMAL(p, s)`, `ARRAY<…>` or `STRUCT<name: …, …>`.

    Raises:
        ValueError: if it is none of these.
    """
    text = sql_type.strip()
    if text in _SCALARS:
        return _SCALARS[text]
    if decimal := _DECIMAL.fullmatch(text):
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    if text.startswith("ARRAY<") and text.endswith(">"):
        return pa.list_(arrow_type(text[6:-1]))
    if text.startswith("STRUCT<") and text.endswith(">"):
        fields = (item.partition(":") for item in _split(text[7:-1]))
        return pa.struct([(name.strip(), arrow_type(kind)) for name, _, kind in fields])
    raise ValueError(f"{sql_type!r} is no type that our tables use")


def _split(fields: str) -> list[str]:
    """Split the fields of a struct at the commas between them, not at those inside."""
    parts, depth = [""], 0
    for character in fields:
        depth += (character in "<(") - (character in ">)")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
