"""How far the rows of an account have been written into a folder."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Publication:
    """What a folder holds: all rows that were visible at `now_us` and were recorded up to number `seq`."""

    now_us: int
    seq: int


NOTHING = Publication(now_us=-1, seq=-1)
