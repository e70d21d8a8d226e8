"""Identifiers that look like the real ones and depend on nothing but time and a seed."""

import hashlib
import random

_UUID1_OFFSET = 0x01B21DD213814000  # 100 ns steps from 1582-10-15 to 1970-01-01


def hex_id(rng: random.Random, at_us: int) -> str:
    """Return a 32-digit id whose first half carries the creation instant (observed: ids decode like UUID version 1)."""
    ticks = f"{at_us * 10 + _UUID1_OFFSET:016x}"
    return f"{ticks[:12]}1{ticks[13:]}{rng.getrandbits(64):016x}"


def child_id(parent_id: str, name: str) -> str:
    """Return the id of a part of `parent_id` (an attachment, a comment): same instant, own second half."""
    return parent_id[:16] + hashlib.blake2b(f"{parent_id}/{name}".encode(), digest_size=8).hexdigest()


def seeded_uuid(*parts: object) -> str:
    """Return a UUID that is a pure function of its parts."""
    text = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=16).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def entropy(identifier: str) -> int:
    """Return a number that is fixed for an id and otherwise arbitrary, for numbers derived while rendering."""
    try:
        return int(identifier[16:32].replace("-", "0"), 16)
    except ValueError:
        return int(hashlib.blake2b(identifier.encode(), digest_size=8).hexdigest(), 16)
