"""What the local engine asks of this process."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_info"), reason="only glibc has heaps per thread"
)
@pytest.mark.parametrize(("first", "is_one"), [("", False), ("share_one_heap()", True)])
def test_threads_started_from_then_on_share_the_heaps_there_are(first: str, is_one: bool) -> None:
    script = f"""
import ctypes, threading
from genie_obs.lakehouse.engines.sail import share_one_heap
{first}
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
meeting = threading.Barrier(4)
def allocate():
    meeting.wait()
    libc.malloc(100_000)
libc.malloc_info(0, out)
threads = [threading.Thread(target=allocate) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc.malloc_info(0, out)
libc.fflush(None)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)

    before, after = (part.count("<heap nr=") for part in done.stdout.split("</malloc>")[:2])
    assert before >= 1
    assert (after == before) is is_one
