"""How far the rows of an account have been written into a folder."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Publication:
    """What a folder holds: the rows that were visible at `now_us` and whose sequence number was at most `seq`."""

    now_us: int
    seq: int


NOTHING = Publication(now_us=-1, seq=-1)
