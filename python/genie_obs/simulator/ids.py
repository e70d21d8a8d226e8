"""Ids that look like the real ones. They depend only on time and seed."""

import hashlib
import random

_UUID1_OFFSET = 0x01B21DD213814000  # 100 ns steps from 1582-10-15 to 1970-01-01


def hex_id(rng: random.Random, at_us: int) -> str:
    """Return an id of 32 digits. Its first half holds the instant (observed: ids decode like UUIDs of version 1)."""
    ticks = f"{at_us * 10 + _UUID1_OFFSET:016x}"
    return f"{ticks[:12]}1{ticks[13:]}{rng.getrandbits(64):016x}"


def child_id(parent_id: str, name: str) -> str:
    """Return the id of a part of `parent_id` (an attachment, a comment). The first halves are equal."""
    return parent_id[:16] + hashlib.blake2b(f"{parent_id}/{name}".encode(), digest_size=8).hexdigest()


def seeded_uuid(*parts: object) -> str:
    """Return a UUID that depends only on the parts."""
    text = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=16).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def entropy(identifier: str) -> int:
    """Return a number that depends only on the id, to derive arbitrary figures from."""
    try:
        return int(identifier[16:32].replace("-", "0"), 16)
    except ValueError:
        return int(hashlib.blake2b(identifier.encode(), digest_size=8).hexdigest(), 16)
